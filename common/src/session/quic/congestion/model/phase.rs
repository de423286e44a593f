//! The phases of a flow, and the window of each.

use std::time::{Duration, Instant};

/// How long the queue is kept drained to measure the round-trip time (draft-ietf-ccwg-bbr, `ProbeRTTDuration`).
pub(super) const PROBE_RTT_TIME: Duration = Duration::from_millis(200);

/// What a flow is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Doubling the window every round until the path is full.
    Startup,
    /// Getting rid of the queue, until what is in flight fits into the path.
    Drain,
    /// Holding a little more than the path, for so many rounds.
    Cruise {
        /// Until the next probe.
        rounds: u64,
    },
    /// Sending more for a round: is there more bandwidth?
    Probe,
    /// Half of the path, to see its round-trip time without a queue of ours.
    ProbeRtt {
        /// When it ends; unknown until what is in flight has fallen.
        until: Option<Instant>,
        /// The shortest round-trip time so far.
        shortest: Option<Duration>,
    },
}

impl Phase {
    /// The window, in hundredths of the bandwidth-delay product.
    pub(super) fn gain(self) -> u64 {
        match self {
            // Doubles the bandwidth in a round.
            Self::Startup => 200,
            // Below the path, so that the queue becomes empty even though the bandwidth is the best of late.
            Self::Drain => 90,
            // A queue of a fifth of the round trip: 10 ms of 50. New bandwidth is taken up at a fifth per round.
            Self::Cruise { .. } => 120,
            // More than 1 / (1 - 1/3): the model holds its ground against 33 % loss.
            Self::Probe => 150,
            // draft-ietf-ccwg-bbr, `ProbeRTTCwndGain`.
            Self::ProbeRtt { .. } => 50,
        }
    }
}
