//! Flow control of streams, above the carrier's own: how far a sender may run ahead of one stream's reader.
//!
//! A carrier's window is decided when a connection starts, for all streams alike: large enough for the longest path, it
//! lets every stalled reader hold as much. So in protocol 2 every stream starts with [`INITIAL_WINDOW`], and its reader
//! grants more with [`Message::Window`](crate::wire::control::Message::Window) while its target takes it. Memory then
//! follows what paths need, not what readers leave lying.

mod intake;
mod reassembly;
mod recent;
mod turns;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use tokio::sync::Notify;

pub(super) use self::{
    intake::Intake,
    reassembly::Reassembly,
    recent::Recent,
    turns::{Turn, Turns},
};

/// How many bytes of a stream a sender may send before its first [grant](Windows::grant).
pub const INITIAL_WINDOW: u64 = 256 << 10;
/// Bytes that all windows of a session together may have grown beyond [`INITIAL_WINDOW`].
const GROWTH: u64 = 512 << 20;
/// A window may grow by this part of what is left of [`GROWTH`], so that windows which grew and then lie idle leave
/// some for others.
const PART: u64 = 8;

/// What both directions of a session's streams agree on; one for each session.
#[derive(Debug, Default)]
pub struct Windows {
    limits: Mutex<HashMap<u64, Arc<Limit>>>,
    grants: Mutex<BTreeMap<u64, u64>>,
    granted: Notify,
    growth: Growth,
}

/// Up to which offset a stream may be sent.
#[derive(Debug)]
struct Limit {
    offset: AtomicU64,
    raised: Notify,
}

/// The sender's side of one stream's window.
#[derive(Debug)]
pub(super) struct SendLimit {
    stream: u64,
    limit: Arc<Limit>,
    windows: Arc<Windows>,
}

impl Windows {
    /// The window of a stream that is about to be sent; forgotten when it is dropped.
    pub(super) fn sender(self: &Arc<Self>, stream: u64) -> SendLimit {
        let limit = Arc::new(Limit {
            offset: AtomicU64::new(INITIAL_WINDOW),
            raised: Notify::new(),
        });
        lock(&self.limits).insert(stream, limit.clone());
        SendLimit {
            stream,
            limit,
            windows: self.clone(),
        }
    }

    /// The peer grants the bytes of a stream up to an offset. A stream that has ended needs none.
    pub(super) fn heard(&self, stream: u64, offset: u64) {
        if let Some(limit) = lock(&self.limits).get(&stream) {
            limit.raise(offset);
        }
    }

    /// Grants the peer the bytes of a stream up to an offset.
    pub(super) fn grant(&self, stream: u64, offset: u64) {
        lock(&self.grants).insert(stream, offset);
        self.granted.notify_one();
    }

    /// The next grant to tell the peer: stream and offset.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub(super) async fn next_grant(&self) -> (u64, u64) {
        loop {
            if let Some(grant) = lock(&self.grants).pop_first() {
                return grant;
            }
            self.granted.notified().await;
        }
    }

    /// A stream has ended: what was granted of it need not be told any more.
    pub(super) fn forget(&self, stream: u64) {
        lock(&self.grants).remove(&stream);
    }

    /// What all windows together have grown by.
    pub(super) fn growth(&self) -> &Growth {
        &self.growth
    }
}

impl Limit {
    fn raise(&self, offset: u64) {
        // A grant cannot be taken back: what was granted may have been sent.
        self.offset.fetch_max(offset, Relaxed);
        self.raised.notify_one();
    }
}

impl SendLimit {
    /// How many bytes behind `sent` may be sent now.
    pub(super) fn room(&self, sent: u64) -> u64 {
        self.limit.offset.load(Relaxed).saturating_sub(sent)
    }

    /// Waits until there is [room](Self::room).
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub(super) async fn raised(&self, sent: u64) {
        while self.room(sent) == 0 {
            self.limit.raised.notified().await;
        }
    }

    /// For streams whose reader grants nothing: the control stream, and protocol 1.
    pub(super) fn lift(&self) {
        self.limit.raise(u64::MAX);
    }
}

impl Drop for SendLimit {
    fn drop(&mut self) {
        lock(&self.windows.limits).remove(&self.stream);
    }
}

/// Bytes by which the windows of a session have grown.
#[derive(Debug, Default)]
pub(super) struct Growth(AtomicU64);

impl Growth {
    /// Takes so many bytes if they are a small part of what is left.
    pub(super) fn take(&self, bytes: u64) -> bool {
        let more = |taken: u64| (bytes <= (GROWTH - taken) / PART).then_some(taken + bytes);
        self.0.fetch_update(Relaxed, Relaxed, more).is_ok()
    }

    #[cfg(test)]
    pub(super) fn taken(&self) -> u64 {
        self.0.load(Relaxed)
    }

    /// Gives back what was taken.
    pub(super) fn give(&self, bytes: u64) {
        self.0.fetch_sub(bytes, Relaxed);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_sender_waits_at_its_limit_until_it_is_raised() {
        let windows = Arc::new(Windows::default());
        let limit = windows.sender(4);
        assert_eq!(limit.room(0), INITIAL_WINDOW);
        let raise = async { windows.heard(4, INITIAL_WINDOW + 7) };
        tokio::join!(limit.raised(INITIAL_WINDOW), raise);
        assert_eq!(limit.room(INITIAL_WINDOW), 7);
        windows.heard(4, 1);
        assert_eq!(limit.room(INITIAL_WINDOW), 7, "a grant stays");
    }

    #[test]
    fn a_stream_that_has_ended_is_forgotten() {
        let windows = Arc::new(Windows::default());
        drop(windows.sender(4));
        windows.heard(4, 1 << 30);
        assert!(lock(&windows.limits).is_empty());
    }

    #[tokio::test]
    async fn only_the_latest_grant_of_a_stream_is_told() {
        let windows = Windows::default();
        windows.grant(8, 1);
        windows.grant(4, 1);
        windows.grant(8, 2);
        assert_eq!(windows.next_grant().await, (4, 1));
        assert_eq!(windows.next_grant().await, (8, 2));
    }

    #[test]
    fn growth_never_runs_dry() {
        let growth = Growth::default();
        while growth.take(8 << 20) {}
        assert!(growth.take(INITIAL_WINDOW), "new streams still grow");
        growth.give(growth.taken());
        assert!(growth.take(8 << 20));
    }
}
