//! How long one bulk stream may go on before the rest of its thread has its turn.
//!
//! A copy whose socket always has bytes and whose stream always has room never waits: for milliseconds neither packets nor
//! other streams move on its thread. So it lets them, from time to time. Where many streams are bulk each waits for room anyway,
//! and short turns would only scatter their bytes over packets and wakeups (64 of them then move a third less).

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

/// Bytes after which others have their turn: some 0.1 ms of copying.
const TURN: usize = 128 << 10;
/// So many bulk streams are many.
const MANY: usize = 16;

/// How many of a session's streams are bulk.
#[derive(Debug, Default)]
pub(crate) struct Turns(AtomicUsize);

/// One stream's part in it.
#[derive(Debug)]
pub(crate) struct Turn {
    all: Arc<Turns>,
    is_bulk: bool,
    bytes: usize,
}

impl Turn {
    /// That of a stream which has sent nothing.
    pub(crate) fn new(all: Arc<Turns>) -> Self {
        Self {
            all,
            is_bulk: false,
            bytes: 0,
        }
    }

    /// The stream is bulk from now on, or not any more.
    pub(crate) fn set_bulk(&mut self, is_bulk: bool) {
        match (self.is_bulk, is_bulk) {
            (false, true) => drop(self.all.0.fetch_add(1, Relaxed)),
            (true, false) => drop(self.all.0.fetch_sub(1, Relaxed)),
            (true, true) | (false, false) => {}
        }
        self.is_bulk = is_bulk;
    }

    /// A bulk stream has sent so many bytes: whether others should have their turn.
    pub(crate) fn is_over(&mut self, bytes: usize) -> bool {
        self.bytes += bytes;
        if self.bytes < TURN {
            return false;
        }
        self.bytes = 0;
        self.all.0.load(Relaxed) < MANY
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.set_bulk(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_ends_after_its_bytes() {
        let mut turn = Turn::new(Arc::default());
        turn.set_bulk(true);
        let ends: Vec<_> = (0..4).map(|_| turn.is_over(TURN / 2)).collect();
        assert_eq!(ends, [false, true, false, true]);
    }

    #[test]
    fn among_many_nobody_waits_for_others() {
        let all = Arc::<Turns>::default();
        let mut turns: Vec<_> = (0..MANY).map(|_| Turn::new(all.clone())).collect();
        for turn in &mut turns {
            turn.set_bulk(true);
            turn.set_bulk(true);
        }
        assert!(!turns[0].is_over(TURN));
        turns.pop();
        assert!(turns[0].is_over(TURN), "one of them has ended");
        drop(turns);
        assert_eq!(all.0.load(Relaxed), 0);
    }
}
