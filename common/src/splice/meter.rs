//! What a splice has moved, readable while it runs.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

/// Bytes from the TCP peer (up) and to it (down).
#[derive(Debug, Default)]
pub struct Meter {
    /// From the TCP peer into the stream.
    pub up: Direction,
    /// From the stream to the TCP peer.
    pub down: Direction,
}

/// One direction.
#[derive(Debug, Default)]
pub struct Direction {
    bytes: AtomicU64,
    ended: AtomicBool,
}

impl Direction {
    /// Bytes so far.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    /// Whether its end has been seen.
    pub fn ended(&self) -> bool {
        self.ended.load(Relaxed)
    }

    pub(super) fn add(&self, count: usize) {
        self.bytes.fetch_add(count as u64, Relaxed);
    }

    pub(super) fn end(&self) {
        self.ended.store(true, Relaxed);
    }
}

impl Meter {
    fn moved(&self) -> u64 {
        self.up.bytes() + self.down.bytes()
    }
}

/// Looks per idle timeout: a stream is cut at most an eighth too late.
const LOOKS: u32 = 8;

/// Completes when nothing has moved for the timeout; never without one.
pub(super) async fn idle(meter: &Meter, timeout: Option<Duration>) {
    let Some(timeout) = timeout else {
        return std::future::pending().await;
    };
    let mut before = meter.moved();
    let mut since = Instant::now();
    while since.elapsed() < timeout {
        tokio::time::sleep(timeout / LOOKS).await;
        let now = meter.moved();
        if now != before {
            (before, since) = (now, Instant::now());
        }
    }
}
