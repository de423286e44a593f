//! One direction of a link as a pure model: no IO, no clock, no randomness but what follows from its seed. Time is an
//! argument, measured from any origin that the caller likes.
//!
//! A packet passes, in this order: MTU → loss → rate and queue → delay, jitter and reordering → duplication and damage.

mod conditions;
mod counts;
mod damage;
mod flight;
mod loss;
mod queue;
#[cfg(test)]
mod tests;

use std::time::Duration;

use rand::{RngExt, SeedableRng, rngs::SmallRng};

pub use self::{
    conditions::{Conditions, QueueLimit, Reorder},
    counts::Counts,
    loss::Loss,
};
use self::{flight::Flight, loss::Losses, queue::Queue};

/// One direction of a link, with the packets that are on it. The same seed and the same calls give the same result.
#[derive(Debug)]
pub struct Link {
    conditions: Conditions,
    random: SmallRng,
    losses: Losses,
    queue: Queue,
    flight: Flight,
    counts: Counts,
    /// When the last packet arrives of those that keep their order.
    last_in_order: Duration,
}

impl Link {
    /// An empty link.
    pub fn new(conditions: Conditions, seed: u64) -> Self {
        Self {
            conditions,
            random: SmallRng::seed_from_u64(seed),
            losses: Losses::default(),
            queue: Queue::default(),
            flight: Flight::default(),
            counts: Counts::default(),
            last_in_order: Duration::ZERO,
        }
    }

    /// Puts a packet on the link. `now` must never go back.
    pub fn send(&mut self, now: Duration, mut packet: Vec<u8>) {
        let Some(departure) = self.departure(now, packet.len()) else {
            return;
        };
        let arrival = self.arrival(departure);
        let copy = chance(&mut self.random, self.conditions.duplicate).then(|| packet.clone());
        self.damage(&mut packet);
        self.flight.add(arrival, packet);
        if let Some(mut copy) = copy {
            self.counts.duplicated += 1;
            self.damage(&mut copy);
            self.flight.add(arrival, copy);
        }
    }

    /// When [`Self::receive`] has a packet, if any is on its way.
    pub fn next_arrival(&self) -> Option<Duration> {
        self.flight.next_arrival()
    }

    /// The next packet that has arrived by `now`.
    pub fn receive(&mut self, now: Duration) -> Option<Vec<u8>> {
        let arrived = self.flight.take(now)?;
        self.counts.delivered += 1;
        self.counts.delivered_bytes += arrived.packet.len() as u64;
        self.counts.reordered += u64::from(arrived.overtaken);
        Some(arrived.packet)
    }

    /// Other conditions, for the packets that are sent from now on. Those on the link, the waiting ones too, keep their
    /// times, and what is sent now stays behind them.
    pub fn change(&mut self, conditions: Conditions) {
        self.conditions = conditions;
    }

    /// The conditions of the next packet.
    pub fn conditions(&self) -> &Conditions {
        &self.conditions
    }

    /// What has happened to the packets so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// How many packets are on the link, copies counted.
    pub fn in_flight(&self) -> usize {
        self.flight.len()
    }

    /// When the last bit of a packet has left the sender; nothing when it never does.
    fn departure(&mut self, now: Duration, bytes: usize) -> Option<Duration> {
        self.counts.sent += 1;
        if self.conditions.mtu.is_some_and(|mtu| bytes > mtu) {
            self.counts.too_big += 1;
            return None;
        }
        let lost = self
            .losses
            .next(now, self.conditions.loss, &mut self.random);
        if lost || !self.conditions.up {
            self.counts.lost += 1;
            return None;
        }
        let departure = self.queue.accept(now, bytes, &self.conditions);
        self.counts.queue_dropped += u64::from(departure.is_none());
        departure
    }

    /// When a packet comes out at the other end. Only one that is chosen to be late comes behind its successors.
    fn arrival(&mut self, departure: Duration) -> Duration {
        let jitter = self.conditions.jitter.mul_f64(self.random.random());
        let direct = departure + self.conditions.delay + jitter;
        let Reorder { probability, late } = self.conditions.reorder;
        if chance(&mut self.random, probability) {
            return direct.max(self.last_in_order) + late;
        }
        self.last_in_order = direct.max(self.last_in_order);
        self.last_in_order
    }

    fn damage(&mut self, packet: &mut [u8]) {
        if chance(&mut self.random, self.conditions.corrupt) {
            self.counts.corrupted += u64::from(damage::flip_bit(packet, &mut self.random));
        }
        if chance(&mut self.random, self.conditions.tamper) {
            self.counts.tampered += u64::from(damage::swap_words(packet, &mut self.random));
        }
    }
}

/// Never at 0, always at 1.
fn chance(random: &mut SmallRng, probability: f64) -> bool {
    random.random::<f64>() < probability
}
