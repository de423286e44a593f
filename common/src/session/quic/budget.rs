//! How much may wait in a connection's send buffer.
//!
//! What waits there of bulk streams delays nothing, because streams have [priorities](crate::session::flow::Recent), but
//! it is memory, and when the buffer is full nobody can write. So it follows the congestion window, and an interactive
//! stream may always add its few bytes.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    task::Poll,
    time::Duration,
};

use super::nanoseconds;

/// Bytes that may always wait; the window of a connection that starts.
pub(super) const LEAST: u64 = 2 << 20;
/// Bytes that may wait on the longest path.
const MOST: u64 = 256 << 20;
/// What interactive streams together may add beyond it.
const BEYOND: u64 = 32 << 20;
/// Congestion windows that may wait: one in flight, one behind a gap, one for the next round trip.
const WINDOWS: u64 = 3;
/// Time between two looks at the congestion window.
const LOOK: Duration = Duration::from_millis(10);

/// The budget of one connection.
#[derive(Debug)]
pub(super) struct SendBudget {
    bytes: AtomicU64,
    /// Nanoseconds on the session's clock.
    next_look: AtomicU64,
}

impl Default for SendBudget {
    fn default() -> Self {
        Self {
            bytes: AtomicU64::new(LEAST),
            next_look: AtomicU64::new(0),
        }
    }
}

impl SendBudget {
    /// Adapts to the congestion window, from time to time; `now` is the time on the session's clock.
    pub(super) fn follow(&self, connection: &quinn::Connection, now: Duration) {
        let now = nanoseconds(now);
        if now < self.next_look.load(Relaxed) {
            return;
        }
        self.next_look.store(now + nanoseconds(LOOK), Relaxed);
        let window = connection.stats().path.cwnd;
        let bytes = window.saturating_mul(WINDOWS).clamp(LEAST, MOST);
        if self.bytes.swap(bytes, Relaxed) != bytes {
            connection.set_send_window(bytes);
        }
    }

    /// Polls a write with room beyond the budget.
    pub(super) fn exceed<T>(
        &self,
        connection: &quinn::Connection,
        write: impl FnOnce() -> Poll<T>,
    ) -> Poll<T> {
        let bytes = self.bytes.load(Relaxed);
        connection.set_send_window(bytes + BEYOND);
        let written = write();
        connection.set_send_window(bytes);
        written
    }
}
