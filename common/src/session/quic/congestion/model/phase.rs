//! The phases of a flow, and the window of each.

use std::time::{Duration, Instant};

/// How long the queue is kept drained to measure the round-trip time (draft-ietf-ccwg-bbr, `ProbeRTTDuration`).
const PROBE_RTT_TIME: Duration = Duration::from_millis(200);

/// More ordinary loss is not made up for: at a third, probes are of 1.9 times the product.
const MOST_LOSS_PPM: u64 = 333_333;

/// The gain of the start as soon as a queue or much loss is seen: the signs are a round trip old by then, and doubling on
/// would lose up to half of a round trip.
pub(super) const BRAKE_GAIN: u64 = 150;

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
    ProbeRtt(RttProbe),
}

/// A measurement of the round-trip time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct RttProbe {
    /// When it ends; unknown until what is in flight has fallen.
    until: Option<Instant>,
    shortest: Option<Duration>,
}

impl RttProbe {
    /// A packet took so long.
    pub(super) fn see(&mut self, rtt: Duration) {
        self.shortest = Some(self.shortest.map_or(rtt, |shortest| shortest.min(rtt)));
    }

    /// Goes on: `drained` tells whether what is in flight has fallen, and the measurement lasts for a round trip of
    /// `least`, or 200 ms if that is longer. The result, once there is one.
    pub(super) fn step(
        &mut self,
        now: Instant,
        drained: bool,
        least: Duration,
    ) -> Option<Duration> {
        if self.until.is_none() && drained {
            // What was seen so far was seen in a queue.
            self.shortest = None;
            self.until = now.checked_add(PROBE_RTT_TIME.max(least));
        }
        self.shortest
            .filter(|_| self.until.is_some_and(|until| now >= until))
    }
}

impl Phase {
    /// The window, in hundredths of the bandwidth-delay product.
    pub(super) fn gain(self) -> u64 {
        match self {
            // Doubles the bandwidth in a round.
            Self::Startup => 200,
            // Below the path, so that the queue becomes empty even though the bandwidth is the best of late.
            Self::Drain => 90,
            // A queue of 0.15 round trips: 8 ms of 50. New bandwidth is taken up at 15 % per round, and a window of the
            // path alone would starve on jitter and beside flows that fill queues.
            Self::Cruise { .. } => 115,
            // Without loss; see `probe_gain`.
            Self::Probe => 125,
            // draft-ietf-ccwg-bbr, `ProbeRTTCwndGain`.
            Self::ProbeRtt(_) => 50,
        }
    }
}

/// The gain of a probe on a path that ordinarily loses so much, in a million: what arrives must be a quarter more than
/// before, or the model would shrink by the loss each time it is renewed.
pub(super) fn probe_gain(loss_ppm: u64) -> u64 {
    Phase::Probe.gain() * 1_000_000 / (1_000_000 - loss_ppm.min(MOST_LOSS_PPM))
}
