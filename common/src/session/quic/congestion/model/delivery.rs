//! How fast the path delivers: one rate sample per ACK frame (draft-cheng-iccrg-delivery-rate-estimation-02).
//!
//! A sample is what was delivered between the sending of a packet and its acknowledgement, over the longer of the time
//! that sending it took and the time that acknowledging it took, so that neither a burst of packets nor a burst of ACKs
//! looks like bandwidth. Packets that were reported as lost and arrive all the same are never reported as delivered by
//! quinn; the samples are then too low by their share.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::units::rate;

/// Records per round trip. A packet is taken to be sent up to 1/32 RTT earlier than it was, which makes its sample
/// longer by as much and leaves the rate as it is.
const PER_ROUND_TRIP: u32 = 32;

/// Most records, each 64 bytes. When there are more, every second one goes, which makes samples longer again.
const MAX_RECORDS: usize = 128;

/// Records that stay allocated while nothing is in flight: sessions are idle most of the time.
const IDLE_RECORDS: usize = 8;

/// A delivery rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sample {
    /// Bytes per second.
    pub(super) rate: u64,
    /// Whether the sender had nothing more to send: then the path may be faster than this.
    pub(super) limited: bool,
}

/// What was known when packets were sent.
#[derive(Debug, Clone, Copy)]
struct Record {
    sent: Instant,
    /// When the newest packet that was acknowledged by then had been sent.
    first_sent: Instant,
    delivered: u64,
    delivered_at: Instant,
    limited: bool,
}

/// Turns sent and acknowledged packets into samples.
#[derive(Debug, Clone)]
pub(super) struct Sampler {
    records: VecDeque<Record>,
    /// Bytes delivered since the beginning.
    delivered: u64,
    delivered_at: Instant,
    first_sent: Instant,
    /// Samples are limited until so many bytes are delivered.
    limited_until: u64,
    /// When the newest packet of the ACK frame at hand was sent.
    newest: Option<Instant>,
}

impl Sampler {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            records: VecDeque::new(),
            delivered: 0,
            delivered_at: now,
            first_sent: now,
            limited_until: 0,
            newest: None,
        }
    }

    /// Bytes delivered since the beginning.
    pub(super) fn delivered(&self) -> u64 {
        self.delivered
    }

    /// Packets were sent; `idle`: nothing was in flight before; `rtt`: the round trip, for the spacing of the records.
    pub(super) fn on_sent(&mut self, now: Instant, idle: bool, rtt: Duration) {
        if idle {
            self.first_sent = now;
            self.delivered_at = now;
            self.records.clear();
            self.records.shrink_to(IDLE_RECORDS);
        }
        let spacing = rtt / PER_ROUND_TRIP;
        let last = self.records.back();
        if last.is_some_and(|last| !idle && now.saturating_duration_since(last.sent) <= spacing) {
            return;
        }
        if self.records.len() == MAX_RECORDS {
            self.thin_out();
        }
        self.records.push_back(Record {
            sent: now,
            first_sent: self.first_sent,
            delivered: self.delivered,
            delivered_at: self.delivered_at,
            limited: self.delivered < self.limited_until,
        });
    }

    fn thin_out(&mut self) {
        let mut keep = false;
        self.records.retain(|_| {
            keep = !keep;
            keep
        });
    }

    /// A packet sent at `sent` was acknowledged.
    pub(super) fn on_ack(&mut self, now: Instant, sent: Instant, bytes: u64) {
        self.delivered = self.delivered.saturating_add(bytes);
        self.delivered_at = now;
        self.newest = self.newest.max(Some(sent));
    }

    /// The sender has nothing more to send than these `in_flight` bytes.
    pub(super) fn mark_limited(&mut self, in_flight: u64) {
        self.limited_until = self.delivered.saturating_add(in_flight.max(1));
    }

    /// The sample of the ACK frame whose packets were just reported; `None` when it acknowledged only packets older
    /// than those of an earlier frame.
    pub(super) fn sample(&mut self, now: Instant) -> Option<Sample> {
        let newest = self.newest.take()?;
        let older = self.records.partition_point(|record| record.sent <= newest);
        // The record stays: other packets may have been sent with it.
        self.records.drain(..older.checked_sub(1)?);
        let record = *self.records.front()?;
        self.first_sent = self.first_sent.max(newest);
        let sending = newest.saturating_duration_since(record.first_sent);
        let acknowledging = now.saturating_duration_since(record.delivered_at);
        let delivered = self.delivered - record.delivered;
        Some(Sample {
            rate: rate(delivered, sending.max(acknowledging))?,
            limited: record.limited,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// 1,000 bytes sent every millisecond, acknowledged 10 ms later by one ACK frame for every `per_ack` packets.
    fn steady(per_ack: u32) -> Option<Sample> {
        let start = Instant::now();
        let mut sampler = Sampler::new(start);
        let mut last = None;
        for tick in 0..100 {
            let now = start + MS * tick;
            if tick >= 10 && tick % per_ack == 0 {
                for packet in tick + 1 - per_ack..=tick {
                    sampler.on_ack(now, start + MS * packet.saturating_sub(10), 1000);
                }
                last = sampler.sample(now);
            }
            sampler.on_sent(now, tick == 0, 10 * MS);
        }
        last
    }

    #[test]
    fn a_steady_path_is_measured_exactly_whether_acks_come_alone_or_in_bunches() {
        let exact = Some(Sample {
            rate: 1_000_000,
            limited: false,
        });
        assert_eq!(steady(1), exact);
        assert_eq!(steady(5), exact);
    }

    #[test]
    fn samples_are_limited_until_what_was_in_flight_is_delivered() {
        let start = Instant::now();
        let mut sampler = Sampler::new(start);
        sampler.mark_limited(2000);
        for tick in 0..4 {
            let sent = start + 2 * MS * tick;
            sampler.on_sent(sent, tick == 0, MS);
            sampler.on_ack(sent + MS, sent, 1000);
            let sample = sampler.sample(sent + MS).unwrap();
            assert_eq!(sample.limited, tick < 2, "{tick}");
        }
    }

    #[test]
    fn an_acknowledgement_of_what_was_never_sent_gives_no_sample() {
        let start = Instant::now();
        let mut sampler = Sampler::new(start + MS);
        sampler.on_ack(start, start, u64::MAX);
        assert_eq!(sampler.sample(start), None);
        sampler.on_ack(start, start, u64::MAX);
        assert_eq!(sampler.sample(start), None);
    }

    #[test]
    fn a_round_trip_far_longer_than_known_is_measured_too() {
        let start = Instant::now();
        let mut sampler = Sampler::new(start);
        for tick in 0..10_000 {
            sampler.on_sent(start + MS * tick, tick == 0, MS);
        }
        assert!(sampler.records.len() <= MAX_RECORDS);
        let late = start + 20_000 * MS;
        for tick in 0..5000 {
            sampler.on_ack(late, start + MS * tick, 1000);
        }
        let sample = sampler.sample(late).unwrap();
        assert!((240_000..260_000).contains(&sample.rate), "{sample:?}");
        sampler.on_sent(late, true, MS);
        assert!(sampler.records.capacity() < 2 * IDLE_RECORDS);
    }
}
