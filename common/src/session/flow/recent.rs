//! Which stream of a session goes first: the one that has sent least of late.
//!
//! Least attained service first keeps keystrokes and short answers ahead of bulk, and bulk streams level with each other
//! (each falls behind the others by what it sends). What was sent long ago does not count: a terminal that once showed
//! a large file is a terminal again after some seconds.

use std::time::Duration;

/// What was sent counts half after so long.
const HALF_LIFE: Duration = Duration::from_secs(1);
/// Streams within so many bytes of each other are on one level.
const LEVEL: u64 = 64 << 10;
/// Streams on one level are sent one after another, in the order of their numbers, not a packet of each in turn: a
/// packet with one stream's bytes costs the receiver less than one with bytes of several.
const RANKS: u64 = 1024;
/// Recent bytes up to which a stream is taken for an interactive one.
const INTERACTIVE: u64 = 256 << 10;

/// The recent volume of one stream.
#[derive(Debug)]
pub(crate) struct Recent {
    bytes: u64,
    since: Duration,
    rank: u64,
}

impl Recent {
    /// A stream that has sent nothing; `index` is its number among its like. Times are since any fixed moment.
    pub(crate) fn new(index: u64, now: Duration) -> Self {
        Self {
            bytes: 0,
            since: now,
            rank: index % RANKS,
        }
    }

    /// So many bytes are about to be sent.
    pub(crate) fn add(&mut self, bytes: usize, now: Duration) {
        let halvings = now.saturating_sub(self.since).as_millis() / HALF_LIFE.as_millis();
        if halvings > 0 {
            let halvings = u32::try_from(halvings).unwrap_or(u32::MAX);
            self.bytes = self.bytes.checked_shr(halvings).unwrap_or(0);
            self.since = now;
        }
        self.bytes = self.bytes.saturating_add(bytes as u64);
    }

    /// The larger, the sooner; below zero.
    pub(crate) fn priority(&self) -> i32 {
        let place = (self.bytes / LEVEL).saturating_mul(RANKS) + self.rank;
        i32::try_from(place).map_or(i32::MIN, |place| -1 - place)
    }

    /// Whether somebody may be waiting for every byte.
    pub(crate) fn is_interactive(&self) -> bool {
        self.bytes <= INTERACTIVE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Duration = Duration::ZERO;

    #[test]
    fn the_more_is_sent_the_later_it_goes() {
        let mut bulk = Recent::new(0, START);
        let mut keys = Recent::new(1023, START);
        bulk.add(1 << 20, START);
        keys.add(64, START);
        assert!(keys.priority() > bulk.priority());
        assert!(keys.is_interactive() && !bulk.is_interactive());
        let before = bulk.priority();
        bulk.add(1 << 20, START);
        assert!(bulk.priority() < before);
    }

    #[test]
    fn what_was_sent_long_ago_does_not_count() {
        let mut recent = Recent::new(0, START);
        recent.add(1 << 30, START);
        recent.add(0, Duration::from_secs(3));
        assert_eq!(recent.bytes, 1 << 27);
        recent.add(0, Duration::from_secs(1000));
        assert!(recent.is_interactive());
    }

    #[test]
    fn no_two_streams_of_a_session_are_equal() {
        let first = Recent::new(0, START);
        let second = Recent::new(1, START);
        assert!(first.priority() > second.priority());
    }

    #[test]
    fn any_volume_has_a_priority() {
        let mut recent = Recent::new(1023, START);
        recent.add(usize::MAX, START);
        recent.add(usize::MAX, START);
        assert_eq!(recent.priority(), i32::MIN);
    }
}
