//! Whether spares are worth it: has the path lost packets lately, how late should a spare be, how many may there be?

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use quinn::PathStats;

use crate::session::quic::nanoseconds;

/// Time between two looks at the connection.
const LOOK: Duration = Duration::from_millis(10);
/// A path that has lost a packet is lossy for so long. One that loses 1 % shows it more often, even to a side that sends
/// no more than ten packets a second.
const LATELY: Duration = Duration::from_secs(30);
/// A spare comes this part of a round trip after its original, so that a short burst of loss does not take both.
const PART: u32 = 4;
/// The shortest delay: at least the original should have left.
const SHORTEST: Duration = Duration::from_millis(2);
/// The longest: somebody waits.
const LONGEST: Duration = Duration::from_millis(25);
/// What the spares of a session may take of the path, in bytes a second: at most this.
const MOST: u64 = 64 << 10;
/// And at most this part of what it carries.
const SHARE: u128 = 8;

/// What is known of the path; times are on the session's clock, in nanoseconds.
#[derive(Debug, Default)]
pub(super) struct Path {
    next_look: AtomicU64,
    lost: AtomicU64,
    lossy_until: AtomicU64,
    delay: AtomicU64,
    /// Bytes a second.
    rate: AtomicU64,
}

impl Path {
    /// Whether it is time to [look](Self::look).
    pub(super) fn is_due(&self, now: Duration) -> bool {
        nanoseconds(now) >= self.next_look.load(Relaxed)
    }

    /// Takes in how the path is now.
    pub(super) fn look(&self, seen: PathStats, now: Duration) {
        self.next_look.store(nanoseconds(now + LOOK), Relaxed);
        if seen.lost_packets > self.lost.swap(seen.lost_packets, Relaxed) {
            self.lossy_until.store(nanoseconds(now + LATELY), Relaxed);
        }
        self.delay.store(nanoseconds(delay(seen.rtt)), Relaxed);
        self.rate.store(rate(seen.cwnd, seen.rtt), Relaxed);
    }

    /// Whether it has lost packets lately.
    pub(super) fn is_lossy(&self, now: Duration) -> bool {
        nanoseconds(now) < self.lossy_until.load(Relaxed)
    }

    /// How long after its original a spare should be sent.
    pub(super) fn delay(&self) -> Duration {
        Duration::from_nanos(self.delay.load(Relaxed))
    }

    /// Bytes a second that spares may take.
    pub(super) fn rate(&self) -> u64 {
        self.rate.load(Relaxed)
    }
}

fn delay(rtt: Duration) -> Duration {
    (rtt / PART).clamp(SHORTEST, LONGEST)
}

/// `window` bytes in each round trip are what the path carries.
fn rate(window: u64, rtt: Duration) -> u64 {
    let carried = u128::from(window) * 1_000_000_000 / rtt.as_nanos().max(1);
    u64::try_from(carried / SHARE).map_or(MOST, |share| share.min(MOST))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(lost_packets: u64) -> PathStats {
        let mut seen = PathStats::default();
        seen.lost_packets = lost_packets;
        seen
    }

    #[test]
    fn a_path_is_lossy_for_a_while_after_each_loss() {
        let path = Path::default();
        let at = Duration::from_secs;
        path.look(seen(0), at(1));
        assert!(!path.is_lossy(at(1)));
        path.look(seen(3), at(2));
        assert!(path.is_lossy(at(31)) && !path.is_lossy(at(32)));
        path.look(seen(3), at(30));
        assert!(!path.is_lossy(at(32)), "the same losses");
        path.look(seen(4), at(40));
        assert!(path.is_lossy(at(69)));
    }

    #[test]
    fn it_is_looked_at_from_time_to_time() {
        let path = Path::default();
        assert!(path.is_due(Duration::ZERO));
        path.look(seen(0), Duration::ZERO);
        assert!(!path.is_due(LOOK / 2));
        assert!(path.is_due(LOOK));
    }

    #[test]
    fn the_delay_follows_the_round_trip_within_bounds() {
        let after = |rtt_ms| delay(Duration::from_millis(rtt_ms)).as_millis();
        assert_eq!([0, 1, 40, 100, 900].map(after), [2, 2, 10, 25, 25]);
    }

    #[test]
    fn spares_take_little_of_a_thin_path() {
        let rtt = Duration::from_millis(100);
        assert_eq!(rate(12_000, rtt), 15_000);
        assert_eq!(rate(1 << 30, rtt), MOST);
        assert_eq!(rate(u64::MAX, Duration::ZERO), MOST);
        assert_eq!(rate(0, rtt), 0);
    }
}
