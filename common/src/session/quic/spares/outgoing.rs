//! Spares that wait until they are due, and how many there may be.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use tokio::sync::Notify;

/// Spares that may wait; the rate keeps them below, as long as somebody sends them.
const MOST: usize = 256;
/// Spares for so long may be sent at once after a pause.
const BURST: Duration = Duration::from_millis(250);
/// What a packet costs beside the spare in it: the heads of IP, UDP and QUIC, about.
const HEADS: u64 = 60;

/// The spares of one session that are to be sent.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    queue: Mutex<Queue>,
    filled: Notify,
}

/// Times are on the session's clock.
#[derive(Debug, Default)]
struct Queue {
    spares: VecDeque<(Duration, Bytes)>,
    /// Until when what was sent takes up the rate.
    taken: Duration,
}

/// What is to be done next.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    Send(Bytes),
    Wait(Duration),
    Nothing,
}

impl Outgoing {
    /// Queues a spare that is due at a time, unless all together then take more than `rate` bytes a second.
    pub(super) fn push(&self, spare: Bytes, due: Duration, rate: u64, now: Duration) {
        if self.queue().push(spare, due, rate, now) {
            self.filled.notify_one();
        }
    }

    /// The next spare, when it is due.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub(super) async fn next(&self, clock: impl Fn() -> Duration) -> Bytes {
        loop {
            let next = self.queue().next(clock());
            match next {
                Next::Send(spare) => return spare,
                // In a box, because most sessions never wait.
                Next::Wait(time) => Box::pin(tokio::time::sleep(time)).await,
                Next::Nothing => self.filled.notified().await,
            }
        }
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.queue().spares.is_empty()
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    /// Whether there was a place for it.
    fn push(&mut self, spare: Bytes, due: Duration, rate: u64, now: Duration) -> bool {
        let cost = (spare.len() as u64 + HEADS) * 1_000_000_000 / rate.max(1);
        let taken = self.taken.max(now) + Duration::from_nanos(cost);
        if self.spares.len() >= MOST || taken > now + BURST {
            return false;
        }
        self.taken = taken;
        self.spares.push_back((due, spare));
        true
    }

    fn next(&mut self, now: Duration) -> Next {
        match self.spares.front() {
            Some((due, _)) if *due > now => Next::Wait(*due - now),
            Some(_) => self.pop(),
            None => Next::Nothing,
        }
    }

    /// A queue that was long once need not stay so.
    fn pop(&mut self) -> Next {
        let spare = self.spares.pop_front();
        if self.spares.is_empty() {
            self.spares = VecDeque::new();
        }
        spare.map_or(Next::Nothing, |(_, spare)| Next::Send(spare))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: u64 = 64 << 10;
    const NOW: Duration = Duration::from_secs(9);

    fn spare() -> Bytes {
        Bytes::from_static(&[7; 964])
    }

    /// How many of them there is room for.
    fn fill(queue: &mut Queue, rate: u64, now: Duration) -> usize {
        std::iter::repeat_with(|| queue.push(spare(), now, rate, now))
            .take_while(|pushed| *pushed)
            .count()
    }

    #[test]
    fn a_spare_waits_until_it_is_due() {
        let mut queue = Queue::default();
        let due = NOW + Duration::from_millis(12);
        assert_eq!(queue.next(NOW), Next::Nothing);
        assert!(queue.push(spare(), due, RATE, NOW));
        assert_eq!(queue.next(NOW), Next::Wait(Duration::from_millis(12)));
        assert_eq!(queue.next(due), Next::Send(spare()));
        assert_eq!(queue.next(due), Next::Nothing);
    }

    #[test]
    fn a_burst_is_bounded_and_so_is_what_follows() {
        let mut queue = Queue::default();
        assert_eq!(fill(&mut queue, RATE, NOW), 16, "a quarter of a second");
        let second = NOW + Duration::from_secs(1);
        let more: usize = (0..100)
            .map(|step| fill(&mut queue, RATE, NOW + (second - NOW) * step / 100))
            .sum();
        assert!((62..=64).contains(&more), "{more}");
    }

    #[test]
    fn nobody_who_sends_them_means_few_and_no_rate_means_none() {
        let mut queue = Queue::default();
        for second in 10..100 {
            fill(&mut queue, RATE, Duration::from_secs(second));
        }
        assert_eq!(queue.spares.len(), MOST);
        assert!(!Queue::default().push(spare(), NOW, 0, NOW));
    }
}
