//! The packets between both ends, in the order in which they arrive.

use std::{collections::BTreeMap, time::Duration};

/// All packets that are on the way.
#[derive(Debug, Default)]
pub(super) struct Flight {
    /// By arrival, then by number.
    packets: BTreeMap<(Duration, u64), Vec<u8>>,
    /// The number of the next one.
    next: u64,
    /// The highest number that has arrived, plus one.
    arrived: u64,
}

/// A packet that has come.
pub(super) struct Arrived {
    pub(super) packet: Vec<u8>,
    /// Whether one that was sent later came before.
    pub(super) overtaken: bool,
}

impl Flight {
    pub(super) fn add(&mut self, arrival: Duration, packet: Vec<u8>) {
        self.packets.insert((arrival, self.next), packet);
        self.next += 1;
    }

    pub(super) fn next_arrival(&self) -> Option<Duration> {
        let ((arrival, _), _) = self.packets.first_key_value()?;
        Some(*arrival)
    }

    pub(super) fn take(&mut self, now: Duration) -> Option<Arrived> {
        let first = self.packets.first_entry()?;
        let (arrival, number) = *first.key();
        if arrival > now {
            return None;
        }
        let overtaken = number < self.arrived;
        self.arrived = self.arrived.max(number + 1);
        Some(Arrived {
            packet: first.remove(),
            overtaken,
        })
    }

    pub(super) fn len(&self) -> usize {
        self.packets.len()
    }
}
