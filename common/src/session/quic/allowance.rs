//! How many streams the peer may hold open (RFC 9000, section 4.6).
//!
//! quinn makes room for every stream that the peer may open, before it does: for 16,384 of them 6 ms of processor time and
//! 600 page faults, for every connection. So the peer may open few at first, and twice as many whenever a quarter of them are
//! running: before a peer has to wait, and also where streams live so shortly that most of those allowed are on their way.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Streams that the peer may open at once on a new connection.
const FIRST: u32 = 256;

/// What the peer of one connection may open.
#[derive(Debug)]
pub(super) struct Allowance {
    allowed: AtomicU32,
    most: u32,
}

/// How many streams a new connection allows its peer, which may hold `most`.
pub(super) fn first(most: u32) -> u32 {
    most.min(FIRST)
}

impl Allowance {
    /// That of a new connection, for a peer that may hold `most` streams open.
    pub(super) fn new(most: u32) -> Self {
        Self {
            allowed: AtomicU32::new(first(most)),
            most,
        }
    }

    /// So many of the peer's streams are running: what it is to be allowed from now on, if that is more than before.
    pub(super) fn raise(&self, running: usize) -> Option<u32> {
        let more = |allowed: u32| {
            let wanted = running >= allowed as usize / 4 && allowed < self.most;
            wanted.then(|| allowed.saturating_mul(2).min(self.most))
        };
        let before = self.allowed.fetch_update(Relaxed, Relaxed, more).ok()?;
        more(before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_when_a_quarter_is_used_and_ends_at_the_most() {
        let allowance = Allowance::new(1000);
        assert_eq!(allowance.raise(63), None);
        assert_eq!(allowance.raise(64), Some(512));
        assert_eq!(allowance.raise(64), None);
        assert_eq!(allowance.raise(128), Some(1000));
        assert_eq!(allowance.raise(1000), None);
    }

    #[test]
    fn few_are_allowed_at_once() {
        let allowance = Allowance::new(9);
        assert_eq!(first(9), 9);
        assert_eq!(allowance.raise(9), None);
    }
}
