//! When a change is over. Pure: the time is an argument.

use tokio::time::Instant;

use super::Times;

/// A change that has begun.
#[derive(Debug)]
pub(super) struct Settle {
    first: Instant,
    last: Instant,
}

impl Settle {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            first: now,
            last: now,
        }
    }

    /// It goes on.
    pub(super) fn moved(&mut self, now: Instant) {
        self.last = now;
    }

    /// When to look at what has become of the files.
    pub(super) fn due(&self, times: &Times) -> Instant {
        (self.last + times.quiet).min(self.first + times.most)
    }

    /// Whether it has had all its time when it is due.
    pub(super) fn is_late(&self, times: &Times) -> bool {
        self.last + times.quiet >= self.first + times.most
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{super::TIMES, *};

    #[test]
    fn it_is_over_after_a_silence_or_after_a_while() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut settle = Settle::new(start);
        assert_eq!(settle.due(&TIMES), at(300));
        settle.moved(at(200));
        assert_eq!(settle.due(&TIMES), at(500));
        assert!(!settle.is_late(&TIMES));
        for ms in (400..3000).step_by(200) {
            settle.moved(at(ms));
        }
        assert_eq!(settle.due(&TIMES), at(3000));
        assert!(settle.is_late(&TIMES));
    }
}
