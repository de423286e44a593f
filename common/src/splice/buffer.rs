//! The read buffer of a splice: none while idle, small for interactive traffic, large for bulk.

use bytes::{Bytes, BytesMut};

/// Room for the first read, in bytes.
const SMALL: usize = 4 * 1024;
/// Room for a read of a bulk transfer, in bytes; larger ones gained nothing measurable.
const LARGE: usize = 128 * 1024;

/// Grows while reads fill it, shrinks when they do not.
#[derive(Debug)]
pub(super) struct ReadBuffer {
    bytes: BytesMut,
    want: usize,
}

impl ReadBuffer {
    pub(super) fn new() -> Self {
        Self {
            bytes: BytesMut::new(),
            want: SMALL,
        }
    }

    /// Room to read into.
    pub(super) fn room(&mut self) -> &mut BytesMut {
        if self.bytes.capacity() < self.want / 2 {
            self.bytes.reserve(self.want);
        }
        &mut self.bytes
    }

    /// What was just read (`count` bytes).
    pub(super) fn take(&mut self, count: usize) -> Bytes {
        let taken = self.bytes.split().freeze();
        if count >= self.want / 2 {
            self.want = (self.want * 2).min(LARGE);
        } else if count < self.want / 8 {
            self.want = (self.want / 2).max(SMALL);
        }
        taken
    }

    /// Gives the memory back; for the time in which nothing comes.
    pub(super) fn release(&mut self) {
        self.bytes = BytesMut::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(buffer: &mut ReadBuffer, count: usize) {
        buffer.room().resize(count, 7);
        assert_eq!(buffer.take(count).len(), count);
    }

    #[test]
    fn grows_with_bulk_and_shrinks_again() {
        let mut buffer = ReadBuffer::new();
        for _ in 0..10 {
            let room = buffer.room().capacity();
            fill(&mut buffer, room);
        }
        assert_eq!(buffer.want, LARGE);
        for _ in 0..10 {
            fill(&mut buffer, 64);
        }
        assert_eq!(buffer.want, SMALL);
    }

    #[test]
    fn holds_nothing_after_release() {
        let mut buffer = ReadBuffer::new();
        fill(&mut buffer, 64);
        buffer.release();
        assert_eq!(buffer.bytes.capacity(), 0);
    }
}
