//! One ACK frame, gathered from the calls of quinn for each of its packets.

use std::time::{Duration, Instant};

/// What an ACK frame acknowledged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Acks {
    pub(super) bytes: u64,
    /// When the newest packet was sent.
    pub(super) newest: Instant,
    /// The shortest time from a packet's sending to now. It holds the peer's delay, up to 25 ms for single packets.
    pub(super) rtt: Duration,
}

impl Acks {
    /// The frame with one more packet.
    pub(super) fn with(acks: Option<Self>, now: Instant, sent: Instant, bytes: u64) -> Self {
        let rtt = now.saturating_duration_since(sent);
        acks.map_or(
            Self {
                bytes,
                newest: sent,
                rtt,
            },
            |acks| Self {
                bytes: acks.bytes.saturating_add(bytes),
                newest: acks.newest.max(sent),
                rtt: acks.rtt.min(rtt),
            },
        )
    }
}
