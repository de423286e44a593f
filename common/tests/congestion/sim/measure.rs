//! What was delivered, and how long packets waited.

use std::time::Duration;

/// The width of a bin.
const BIN: Duration = Duration::from_millis(100);

/// Bytes per flow and waits, in bins of time.
#[derive(Debug)]
pub(crate) struct Measured {
    /// Bytes received by the end of each bin, per flow.
    received: Vec<Vec<u64>>,
    /// Waits in the queue, microseconds, by bin.
    waits: Vec<Vec<u32>>,
}

fn bin(time: Duration) -> usize {
    (time.as_nanos() / BIN.as_nanos()) as usize
}

impl Measured {
    pub(crate) fn new(flows: usize) -> Self {
        Self {
            received: vec![Vec::new(); flows],
            waits: Vec::new(),
        }
    }

    pub(crate) fn on_packet(&mut self, now: Duration, wait: Duration) {
        let bin = bin(now);
        if self.waits.len() <= bin {
            self.waits.resize(bin + 1, Vec::new());
        }
        self.waits[bin].push(u32::try_from(wait.as_micros()).unwrap_or(u32::MAX));
    }

    pub(crate) fn on_bytes(&mut self, now: Duration, flow: usize, received: u64) {
        let bins = &mut self.received[flow];
        let last = bins.last().copied().unwrap_or(0);
        bins.resize((bin(now) + 1).max(bins.len()), last);
        *bins.last_mut().expect("at least one") = received;
    }

    fn until(&self, flow: usize, time: Duration) -> u64 {
        let Some(before) = bin(time).checked_sub(1) else {
            return 0;
        };
        let bins = &self.received[flow];
        bins.get(before).or(bins.last()).copied().unwrap_or(0)
    }

    /// Mbit/s of payload that a flow delivered from `from` to `to`.
    pub(crate) fn goodput(&self, flow: usize, from: Duration, to: Duration) -> f64 {
        let bytes = self.until(flow, to) - self.until(flow, from);
        bytes as f64 * 8.0 / (to - from).as_secs_f64() / 1e6
    }

    /// The same for all flows together.
    pub(crate) fn total(&self, from: Duration, to: Duration) -> f64 {
        (0..self.received.len())
            .map(|flow| self.goodput(flow, from, to))
            .sum()
    }

    /// The wait in the queue that `share` of the packets (0 to 1) did not exceed, milliseconds.
    pub(crate) fn wait(&self, share: f64, from: Duration, to: Duration) -> f64 {
        let end = bin(to).min(self.waits.len());
        let mut waits: Vec<u32> = self.waits[bin(from).min(end)..end].concat();
        waits.sort_unstable();
        let index = ((waits.len() as f64 * share) as usize).min(waits.len().saturating_sub(1));
        f64::from(waits.get(index).copied().unwrap_or(0)) / 1000.0
    }

    /// Jain's index of fairness: 1 when all flows get the same, 1/n when one gets all.
    pub(crate) fn fairness(&self, from: Duration, to: Duration) -> f64 {
        let rates = (0..self.received.len()).map(|flow| self.goodput(flow, from, to));
        let (sum, squares) = rates.fold((0.0, 0.0), |(sum, squares), rate| {
            (sum + rate, squares + rate * rate)
        });
        sum * sum / (self.received.len() as f64 * squares)
    }
}
