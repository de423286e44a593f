//! Spares that have come, until the readers of their streams take them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use quinn::Chunk;

use crate::wire::spare::Spare;

/// Spares of one stream that may wait. Those beyond are thrown away: their originals come anyway.
const MOST: usize = 16;
/// Bytes of one stream that may wait.
const BYTES: usize = 16 << 10;

/// The inboxes of one session, by stream.
#[derive(Debug, Default)]
pub(super) struct Inboxes(Mutex<HashMap<u64, Arc<Inbox>>>);

/// The inbox of one stream. Small, because most stay empty.
#[derive(Debug, Default)]
pub(in crate::session::quic) struct Inbox(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    spares: Vec<Chunk>,
    reader: Option<Waker>,
}

impl Inboxes {
    pub(super) fn open(&self, stream: u64) -> Arc<Inbox> {
        let inbox = Arc::<Inbox>::default();
        lock(&self.0).insert(stream, inbox.clone());
        inbox
    }

    pub(super) fn close(&self, stream: u64) {
        lock(&self.0).remove(&stream);
    }

    /// A stream without an inbox has no reader.
    pub(super) fn put(&self, spare: Spare<'_>) {
        let inbox = lock(&self.0).get(&spare.stream).cloned();
        if let Some(reader) = inbox.and_then(|inbox| inbox.put(spare)) {
            reader.wake();
        }
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        lock(&self.0).len()
    }
}

impl Inbox {
    /// Takes a spare in, if there is room: the reader to wake. It is copied, because it is a part of a receive buffer.
    fn put(&self, spare: Spare<'_>) -> Option<Waker> {
        let mut state = lock(&self.0);
        let waiting: usize = state.spares.iter().map(|chunk| chunk.bytes.len()).sum();
        if state.spares.len() >= MOST || waiting + spare.bytes.len() > BYTES {
            return None;
        }
        state.spares.push(Chunk {
            offset: spare.offset,
            bytes: Bytes::copy_from_slice(spare.bytes),
        });
        state.reader.take()
    }

    /// The next spare; what is in it may have come otherwise meanwhile.
    pub(in crate::session::quic) fn poll_take(&self, cx: &Context<'_>) -> Poll<Chunk> {
        let mut state = lock(&self.0);
        if state.spares.is_empty() {
            match &mut state.reader {
                Some(reader) => reader.clone_from(cx.waker()),
                none => *none = Some(cx.waker().clone()),
            }
            return Poll::Pending;
        }
        let spare = state.spares.remove(0);
        if state.spares.is_empty() {
            state.spares = Vec::new();
        }
        Poll::Ready(spare)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    fn spare(stream: u64, offset: u64, bytes: &[u8]) -> Spare<'_> {
        Spare {
            stream,
            offset,
            bytes,
        }
    }

    fn take(inbox: &Inbox) -> Option<Chunk> {
        match inbox.poll_take(&Context::from_waker(Waker::noop())) {
            Poll::Ready(chunk) => Some(chunk),
            Poll::Pending => None,
        }
    }

    #[tokio::test]
    async fn a_spare_wakes_the_reader_of_its_stream() {
        let inboxes = Inboxes::default();
        let (inbox, other) = (inboxes.open(4), inboxes.open(8));
        let put = async { inboxes.put(spare(4, 7, b"abc")) };
        let (chunk, ()) = tokio::join!(poll_fn(|cx| inbox.poll_take(cx)), put);
        assert_eq!((chunk.offset, &chunk.bytes[..]), (7, &b"abc"[..]));
        assert_eq!((take(&inbox), take(&other)), (None, None));
    }

    #[test]
    fn a_stream_without_a_reader_takes_none() {
        let inboxes = Inboxes::default();
        let inbox = inboxes.open(4);
        inboxes.close(4);
        inboxes.put(spare(4, 0, b"x"));
        assert_eq!(take(&inbox), None);
    }

    #[test]
    fn what_waits_is_bounded() {
        let inboxes = Inboxes::default();
        let inbox = inboxes.open(4);
        for offset in 0..100 {
            inboxes.put(spare(4, offset, b"x"));
        }
        assert_eq!(std::iter::from_fn(|| take(&inbox)).count(), MOST);
        for offset in 0..100 {
            inboxes.put(spare(4, offset, &[7; BYTES / 3]));
        }
        assert_eq!(std::iter::from_fn(|| take(&inbox)).count(), 3);
    }
}
