//! How far ACKs run ahead of the rate at times (Wi-Fi and cable modems gather them): that much more must be in flight to
//! keep sending while none come (draft-ietf-ccwg-bbr, section 5.5.9).

use std::time::{Duration, Instant};

use super::{filter::Max, units::amount};

/// Gathering for longer than this is taken for a queue or an outage, not for aggregation.
const LONGEST: Duration = Duration::from_millis(20);

/// More bytes than this are not taken for aggregation either: Wi-Fi gathers for less than 6 ms, which is this much at
/// 2.8 Gbit/s. Where there were more (loopback), the receiver had waited for a processor, and what was in flight beyond
/// it only stood in its socket until every copy missed the cache. Tighter than [`LONGEST`] above 839 Mbit/s.
const MOST: u64 = 2 << 20;

/// Measures the largest surplus of the last two cycles, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Aggregation {
    since: Instant,
    acked: u64,
    surplus: Max,
}

impl Aggregation {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            since: now,
            acked: 0,
            surplus: Max::default(),
        }
    }

    /// `bytes` were acknowledged at once on a path of `rate` bytes per second.
    pub(super) fn on_acks(&mut self, now: Instant, bytes: u64, rate: u64) {
        let mut expected = amount(rate, now.saturating_duration_since(self.since));
        if self.acked <= expected {
            self.since = now;
            self.acked = 0;
            expected = 0;
        }
        self.acked = self.acked.saturating_add(bytes);
        let surplus = self.acked.saturating_sub(expected);
        self.surplus
            .update(surplus.min(amount(rate, LONGEST)).min(MOST));
    }

    /// Bytes that may be acknowledged ahead of the rate.
    pub(super) fn surplus(&self) -> u64 {
        self.surplus.get()
    }

    /// A new cycle begins.
    pub(super) fn rotate(&mut self) {
        self.surplus.rotate();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_surplus_is_what_comes_ahead_of_the_rate() {
        let start = Instant::now();
        let mut aggregation = Aggregation::new(start);
        for tick in 1..=10 {
            let now = start + Duration::from_millis(10) * tick;
            aggregation.on_acks(now, 10_000, 1_000_000);
        }
        assert_eq!(aggregation.surplus(), 10_000, "10 ms at a time");
        aggregation.on_acks(start, u64::MAX, 1_000_000);
        assert_eq!(aggregation.surplus(), 20_000, "bounded by time");
        aggregation.on_acks(start, u64::MAX, 1_000_000_000);
        assert_eq!(aggregation.surplus(), MOST, "bounded by bytes");
    }
}
