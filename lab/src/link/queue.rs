//! The sender's end: one packet after the other at a rate, and those that wait for their turn.

use std::{collections::VecDeque, time::Duration};

use super::{Conditions, QueueLimit};

/// The line, and what waits for it.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// When the last bit of all that was accepted has been sent.
    free: Duration,
    /// When each packet has left, and its bytes; those that have left may still be here.
    waiting: VecDeque<(Duration, usize)>,
    /// The bytes of `waiting`.
    bytes: usize,
}

impl Queue {
    /// When the last bit of the packet will have been sent; nothing when it finds no room.
    pub(super) fn accept(
        &mut self,
        now: Duration,
        bytes: usize,
        conditions: &Conditions,
    ) -> Option<Duration> {
        self.forget_until(now);
        let start = self.free.max(now);
        if let Some(rate) = conditions.rate {
            if !self.has_room(bytes, start - now, conditions.queue) {
                return None;
            }
            self.free = start + transmission(bytes, rate);
            self.waiting.push_back((self.free, bytes));
            self.bytes += bytes;
            return Some(self.free);
        }
        Some(start)
    }

    fn has_room(&self, bytes: usize, wait: Duration, limit: QueueLimit) -> bool {
        match limit {
            QueueLimit::Time(limit) => wait <= limit,
            QueueLimit::Bytes(limit) => self.bytes == 0 || self.bytes + bytes <= limit,
        }
    }

    fn forget_until(&mut self, now: Duration) {
        let gone = self.waiting.partition_point(|(left, _)| *left <= now);
        let bytes: usize = self.waiting.drain(..gone).map(|(_, bytes)| bytes).sum();
        self.bytes -= bytes;
    }
}

/// How long a packet is on the line, rounded up to the nanosecond so that the rate is never exceeded. A rate of nothing
/// takes a day for each, which is for ever here.
fn transmission(bytes: usize, rate: u64) -> Duration {
    const DAY: Duration = Duration::from_secs(24 * 3600);
    let nanos = (bytes as u128 * 8 * 1_000_000_000).div_ceil(u128::from(rate.max(1)));
    u64::try_from(nanos)
        .map_or(DAY, Duration::from_nanos)
        .min(DAY)
}
