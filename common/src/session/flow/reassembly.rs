//! Putting the chunks of a stream in order.
//!
//! quinn orders chunks as well, but ends the whole connection when a stream has more than 1,024 gaps, which a large
//! window on a bad path can have. So chunks are read as they come, and wait here.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

/// Places for chunks that an empty queue may keep.
const FEW: usize = 4;

/// Chunks of one stream, of which none overlap.
#[derive(Debug, Default)]
pub(crate) struct Reassembly {
    /// Offset of the next byte that is missing.
    next: u64,
    ready: VecDeque<Bytes>,
    held: BTreeMap<u64, Bytes>,
}

impl Reassembly {
    /// Whether nothing is in order.
    pub(crate) fn is_empty(&self) -> bool {
        self.ready.is_empty()
    }

    /// How many chunks wait for what is missing before them.
    pub(crate) fn held(&self) -> usize {
        self.held.len()
    }

    /// Takes a chunk in. One that has to wait is copied: as it comes it keeps alive the whole receive buffer that it is
    /// a part of.
    pub(crate) fn insert(&mut self, offset: u64, bytes: Bytes) {
        if offset != self.next {
            self.held.insert(offset, Bytes::copy_from_slice(&bytes));
            return;
        }
        self.push(bytes);
        while let Some(entry) = self.held.first_entry() {
            if *entry.key() != self.next {
                break;
            }
            let bytes = entry.remove();
            self.push(bytes);
        }
    }

    fn push(&mut self, bytes: Bytes) {
        self.next += bytes.len() as u64;
        self.ready.push_back(bytes);
    }

    /// The next chunk in order.
    pub(crate) fn take(&mut self) -> Option<Bytes> {
        let chunk = self.ready.pop_front();
        self.trim();
        chunk
    }

    /// Copies what is in order to the front of `buffer`: how many bytes.
    pub(crate) fn copy(&mut self, buffer: &mut [u8]) -> usize {
        let mut copied = 0;
        while let Some(first) = self.ready.front_mut() {
            let rest = &mut buffer[copied..];
            let count = rest.len().min(first.len());
            rest[..count].copy_from_slice(&first.split_to(count));
            copied += count;
            if !first.is_empty() {
                break;
            }
            self.ready.pop_front();
        }
        self.trim();
        copied
    }

    /// A queue that was long once need not stay so.
    fn trim(&mut self) {
        if self.ready.is_empty() && self.ready.capacity() > FEW {
            self.ready = VecDeque::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(reassembly: &mut Reassembly) -> Vec<u8> {
        let chunks = std::iter::from_fn(|| reassembly.take());
        chunks.collect::<Vec<_>>().concat()
    }

    #[test]
    fn chunks_come_out_in_order_whatever_their_order() {
        let data: Vec<u8> = (0..=255).collect();
        // Steps of 37 visit all 64 chunks of four bytes in a mixed order.
        let mut reassembly = Reassembly::default();
        let mut out = Vec::new();
        for step in 0..64usize {
            let at = step * 37 % 64 * 4;
            reassembly.insert(at as u64, Bytes::copy_from_slice(&data[at..at + 4]));
            out.extend(all(&mut reassembly));
        }
        assert_eq!(out, data);
        assert!(reassembly.held() == 0 && reassembly.is_empty());
    }

    #[test]
    fn what_waits_is_counted() {
        let mut reassembly = Reassembly::default();
        reassembly.insert(3, Bytes::from_static(b"def"));
        assert_eq!(reassembly.held(), 1);
        assert_eq!(all(&mut reassembly), b"");
        reassembly.insert(0, Bytes::from_static(b"abc"));
        assert_eq!(reassembly.held(), 0);
        assert_eq!(all(&mut reassembly), b"abcdef");
    }

    #[test]
    fn a_copy_takes_exactly_what_fits() {
        let mut reassembly = Reassembly::default();
        reassembly.insert(0, Bytes::from_static(b"abc"));
        reassembly.insert(3, Bytes::from_static(b"def"));
        let mut four = [0; 4];
        assert_eq!(reassembly.copy(&mut four), 4);
        assert_eq!(&four, b"abcd");
        assert_eq!(all(&mut reassembly), b"ef");
        assert_eq!(reassembly.copy(&mut four), 0);
    }
}
