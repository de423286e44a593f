//! What has happened on a link.

use std::fmt;

/// Packets, since the start. `sent + duplicated = lost + queue_dropped + too_big + delivered +` those in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Put on the link.
    pub sent: u64,
    /// Lost, by chance or because the link was not up.
    pub lost: u64,
    /// Dropped because the queue was full.
    pub queue_dropped: u64,
    /// Dropped because of the MTU.
    pub too_big: u64,
    /// Copies made.
    pub duplicated: u64,
    /// Copies and packets with a bit flipped.
    pub corrupted: u64,
    /// Copies and packets with words exchanged.
    pub tampered: u64,
    /// Delivered behind one that was sent later (RFC 4737, section 3.3).
    pub reordered: u64,
    /// Delivered, copies counted.
    pub delivered: u64,
    /// Bytes in them.
    pub delivered_bytes: u64,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "sent {} lost {} queue-dropped {} too-big {} duplicated {} corrupted {} tampered {} reordered {} \
             delivered {} ({} bytes)",
            self.sent,
            self.lost,
            self.queue_dropped,
            self.too_big,
            self.duplicated,
            self.corrupted,
            self.tampered,
            self.reordered,
            self.delivered,
            self.delivered_bytes,
        )
    }
}
