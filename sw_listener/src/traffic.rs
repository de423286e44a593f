//! What an opening or a session has carried, streams that still run included.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use common::splice::Meter;
use tokio::sync::Notify;

/// Streams and their bytes.
#[derive(Debug, Default)]
pub struct Traffic {
    total: AtomicU64,
    state: Mutex<State>,
    empty: Notify,
}

#[derive(Debug, Default)]
struct State {
    running: HashMap<u64, Arc<Meter>>,
    ended: Bytes,
    sealed: bool,
}

/// Bytes in both directions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bytes {
    /// From clients to targets.
    pub up: u64,
    /// From targets to clients.
    pub down: u64,
}

/// One running stream in a [`Traffic`]; when it is dropped, the stream has ended.
#[derive(Debug)]
pub struct Running {
    traffic: Arc<Traffic>,
    number: u64,
}

impl Bytes {
    fn add(&mut self, meter: &Meter) {
        self.up += meter.up.bytes();
        self.down += meter.down.bytes();
    }
}

impl Traffic {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .expect("nothing panics while it holds this lock")
    }

    /// Counts a stream from now on; `None` when it is sealed.
    pub fn enter(self: &Arc<Self>, meter: &Arc<Meter>) -> Option<Running> {
        let mut state = self.lock();
        if state.sealed {
            return None;
        }
        let number = self.total.fetch_add(1, Relaxed);
        state.running.insert(number, meter.clone());
        Some(Running {
            traffic: self.clone(),
            number,
        })
    }

    /// Waits for a moment without a stream: from then on there will be none.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn seal(&self) {
        loop {
            let empty = self.empty.notified();
            {
                let mut state = self.lock();
                if state.running.is_empty() {
                    state.sealed = true;
                    return;
                }
            }
            empty.await;
        }
    }

    /// Streams now.
    pub fn running(&self) -> usize {
        self.lock().running.len()
    }

    /// Streams so far.
    pub fn total(&self) -> u64 {
        self.total.load(Relaxed)
    }

    /// Bytes so far.
    pub fn bytes(&self) -> Bytes {
        let state = self.lock();
        let mut bytes = state.ended;
        for meter in state.running.values() {
            bytes.add(meter);
        }
        bytes
    }
}

impl Running {
    /// The stream's number, from 0.
    pub fn number(&self) -> u64 {
        self.number
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut state = self.traffic.lock();
        if let Some(meter) = state.running.remove(&self.number) {
            state.ended.add(&meter);
        }
        let empty = state.running.is_empty();
        drop(state);
        if empty {
            self.traffic.empty.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_count_while_they_run_and_afterwards() {
        let traffic = Arc::new(Traffic::default());
        let first = traffic.enter(&Arc::default()).unwrap();
        let second = traffic.enter(&Arc::default()).unwrap();
        assert_eq!((first.number(), second.number()), (0, 1));
        assert_eq!((traffic.running(), traffic.total()), (2, 2));
        drop(first);
        assert_eq!((traffic.running(), traffic.total()), (1, 2));
        assert_eq!(traffic.bytes(), Bytes::default());
    }

    #[tokio::test]
    async fn it_is_sealed_when_the_last_stream_has_ended() {
        let traffic = Arc::new(Traffic::default());
        let first = traffic.enter(&Arc::default()).unwrap();
        let sealing = tokio::spawn({
            let traffic = traffic.clone();
            async move { traffic.seal().await }
        });
        tokio::task::yield_now().await;
        let second = traffic.enter(&Arc::default()).unwrap();
        drop(first);
        tokio::task::yield_now().await;
        assert!(!sealing.is_finished());
        drop(second);
        sealing.await.unwrap();
        assert!(traffic.enter(&Arc::default()).is_none());
    }
}
