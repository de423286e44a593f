//! What an opening or a session has carried, streams that still run included.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use common::splice::Meter;

/// Streams and their bytes.
#[derive(Debug, Default)]
pub struct Traffic {
    total: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    running: HashMap<u64, Arc<Meter>>,
    ended: Bytes,
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

    /// Counts a stream from now on.
    pub fn enter(self: &Arc<Self>, meter: Arc<Meter>) -> Running {
        let number = self.total.fetch_add(1, Relaxed);
        self.lock().running.insert(number, meter);
        Running {
            traffic: self.clone(),
            number,
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
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_count_while_they_run_and_afterwards() {
        let traffic = Arc::new(Traffic::default());
        let first = traffic.enter(Arc::default());
        let second = traffic.enter(Arc::default());
        assert_eq!((first.number(), second.number()), (0, 1));
        assert_eq!((traffic.running(), traffic.total()), (2, 2));
        drop(first);
        assert_eq!((traffic.running(), traffic.total()), (1, 2));
        assert_eq!(traffic.bytes(), Bytes::default());
    }
}
