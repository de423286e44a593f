//! What is known of the path: its bandwidth, its round-trip time, how it gathers ACKs and what it ordinarily loses.

use std::time::{Duration, Instant};

use super::{
    aggregation::Aggregation,
    delivery::Sample,
    filter::{Max, Min},
    min_rtt::MinRtt,
    units::amount,
};

/// Time that the path does not see, but the ACK clock does: bursts of quinn's pacer (2 ms), timers and schedulers.
const HOST_TIME: Duration = Duration::from_millis(2);

/// The model of the path.
#[derive(Debug, Clone)]
pub(super) struct Path {
    pub(super) mtu: u64,
    pub(super) min_rtt: MinRtt,
    aggregation: Aggregation,
    bandwidth: Max,
    /// The smallest loss of a round in the last two cycles, in a million: what is lost whatever we do.
    loss: Min,
}

impl Path {
    pub(super) fn new(now: Instant, mtu: u64) -> Self {
        Self {
            mtu,
            min_rtt: MinRtt::new(now),
            aggregation: Aggregation::new(now),
            bandwidth: Max::default(),
            loss: Min::default(),
        }
    }

    /// Takes a delivery rate in; a limited one only tells that the path is at least as fast.
    pub(super) fn on_sample(&mut self, sample: Sample) {
        if !sample.limited || sample.rate > self.bandwidth.get() {
            self.bandwidth.update(sample.rate);
        }
    }

    /// Takes in how many bytes were acknowledged at once.
    pub(super) fn see_acks(&mut self, now: Instant, bytes: u64) {
        let bandwidth = self.bandwidth.get();
        self.aggregation.on_acks(now, bytes, bandwidth);
    }

    /// Takes the loss of a round in.
    pub(super) fn on_loss(&mut self, ppm: u64) {
        self.loss.update(ppm);
    }

    /// A new cycle begins: what is older than a cycle is forgotten.
    pub(super) fn rotate(&mut self) {
        self.bandwidth.rotate();
        self.aggregation.rotate();
        self.loss.rotate();
    }

    /// The path has become slower than the model: `rate` (bytes per second) is what is left.
    pub(super) fn slow_down(&mut self, rate: u64) {
        self.bandwidth.reset(rate);
    }

    /// Bytes per second; 0 when unknown.
    pub(super) fn bandwidth(&self) -> u64 {
        self.bandwidth.get()
    }

    /// Ordinary loss, in a million.
    pub(super) fn ordinary_loss(&self) -> u64 {
        self.loss.get().unwrap_or(0)
    }

    /// The bytes that fill the path without a queue; `None` when it was not measured yet.
    pub(super) fn bdp(&self) -> Option<u64> {
        let bandwidth = self.bandwidth.get();
        let rtt = self.min_rtt.get()?;
        (bandwidth > 0).then(|| amount(bandwidth, rtt.saturating_add(HOST_TIME)))
    }

    /// Bytes beyond gain × BDP. The root of the BDP gives a slow flow relatively more than a fast one, so that flows which
    /// share a bottleneck become equal; the surplus keeps the path busy while ACKs are gathered.
    pub(super) fn slack(&self, bdp: u64) -> u64 {
        let root = (bdp / self.mtu).isqrt() * self.mtu;
        root.max(self.aggregation.surplus())
    }

    /// Whether a round whose shortest round trip was `rtt` stood in a queue all the time.
    pub(super) fn queued(&self, rtt: Option<Duration>) -> bool {
        let (Some(rtt), Some(min)) = (rtt, self.min_rtt.get()) else {
            return false;
        };
        rtt > min.saturating_add(min / 4).saturating_add(HOST_TIME)
    }
}
