//! The round-trip time of the empty path: the smallest of the last ten seconds.
//!
//! quinn's own minimum never rises again, so a path that became longer would be starved for ever.

use std::time::{Duration, Instant};

/// After this long without a sample near the minimum it is in doubt, and the queue is drained to measure it anew
/// (draft-ietf-ccwg-bbr, `MinRTTFilterLen`).
const LIFE: Duration = Duration::from_secs(10);

/// For this long after the minimum was seen, nothing justifies to measure it anew.
const FRESH: Duration = Duration::from_secs(1);

/// The smallest round-trip time, and when it was last seen.
#[derive(Debug, Clone, Copy)]
pub(super) struct MinRtt {
    value: Option<Duration>,
    seen: Instant,
}

impl MinRtt {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            value: None,
            seen: now,
        }
    }

    /// The minimum; `None` before the first sample.
    pub(super) fn get(&self) -> Option<Duration> {
        self.value
    }

    /// Takes a sample in. One within 1/32 of the minimum confirms it: timestamps and schedulers jitter.
    pub(super) fn update(&mut self, now: Instant, sample: Duration) {
        let Some(value) = self.value else {
            return self.replace(now, sample);
        };
        if sample <= value + value / 32 {
            self.replace(now, sample.min(value));
        }
    }

    /// Whether the minimum was not seen for so long that it is in doubt.
    pub(super) fn expired(&self, now: Instant) -> bool {
        self.value.is_some() && now.saturating_duration_since(self.seen) > LIFE
    }

    /// Whether the minimum was seen so lately that measuring it again is of no use.
    pub(super) fn is_fresh(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.seen) < FRESH
    }

    /// The path was just measured with its queue drained.
    pub(super) fn replace(&mut self, now: Instant, sample: Duration) {
        self.value = Some(sample);
        self.seen = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn the_minimum_falls_at_once_and_is_in_doubt_after_ten_seconds() {
        let start = Instant::now();
        let mut filter = MinRtt::new(start);
        assert!(!filter.expired(start + 2 * LIFE), "nothing to doubt");
        filter.update(start, 64 * MS);
        filter.update(start, 80 * MS);
        assert_eq!(filter.get(), Some(64 * MS));
        filter.update(start + LIFE, 66 * MS);
        assert_eq!(filter.get(), Some(64 * MS));
        assert!(!filter.expired(start + LIFE + LIFE), "it was confirmed");
        assert!(filter.expired(start + LIFE + LIFE + MS));
        filter.replace(start + 3 * LIFE, 100 * MS);
        assert_eq!(filter.get(), Some(100 * MS));
        filter.update(start + 3 * LIFE, 50 * MS);
        assert_eq!(filter.get(), Some(50 * MS));
    }
}
