//! What a link does to packets. The basic setting is a perfect link.

use std::time::Duration;

use super::Loss;

/// The conditions in one direction. Probabilities are 0 to 1, and each packet draws for itself; sizes are those of the
/// packets as they are sent, whatever their layer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Conditions {
    /// Whether anything gets through; a link that is not up loses every packet.
    pub up: bool,
    /// From the last bit of a packet sent to its arrival.
    pub delay: Duration,
    /// How much more delay a packet may have, spread evenly from nothing to this. A packet waits for those before it, so
    /// that jitter alone never reorders.
    pub jitter: Duration,
    /// Which packets are lost.
    pub loss: Loss,
    /// Which packets are overtaken.
    pub reorder: Reorder,
    /// Probability that a packet comes twice, the copy right behind it.
    pub duplicate: f64,
    /// Probability that one bit of a packet, any one, is flipped. An Internet checksum notices, so the other end's kernel
    /// drops it.
    pub corrupt: f64,
    /// Probability that two different 16-bit words behind the headers (48 bytes: IPv6 and UDP) are exchanged. No Internet
    /// checksum notices, so that the damage reaches the program.
    pub tamper: f64,
    /// Bits a second; unlimited without.
    pub rate: Option<u64>,
    /// How much may wait for its turn where there is a rate. What does not fit is dropped (drop-tail).
    pub queue: QueueLimit,
    /// Larger packets are dropped without a word, bytes.
    pub mtu: Option<usize>,
}

/// Packets that are held back, so that their successors overtake them.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Reorder {
    /// How many are held back, 0 to 1.
    pub probability: f64,
    /// For how long.
    pub late: Duration,
}

/// The limit of what waits before a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueLimit {
    /// A packet that would wait for longer than this until its first bit is sent is dropped.
    Time(Duration),
    /// A packet is dropped when this many bytes would wait with it, the packet on the line included; one always fits.
    Bytes(usize),
}

impl Conditions {
    /// A link that does nothing to packets.
    pub const PERFECT: Self = Self {
        up: true,
        delay: Duration::ZERO,
        jitter: Duration::ZERO,
        loss: Loss::None,
        reorder: Reorder {
            probability: 0.0,
            late: Duration::ZERO,
        },
        duplicate: 0.0,
        corrupt: 0.0,
        tamper: 0.0,
        rate: None,
        queue: QueueLimit::USUAL,
        mtu: None,
    };
}

impl Default for Conditions {
    fn default() -> Self {
        Self::PERFECT
    }
}

impl QueueLimit {
    /// 50 ms: what a router of today has, more or less.
    pub const USUAL: Self = Self::Time(Duration::from_millis(50));
}

impl Default for QueueLimit {
    fn default() -> Self {
        Self::USUAL
    }
}
