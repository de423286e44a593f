//! Putting the chunks of a stream in order.
//!
//! quinn orders chunks as well, but ends the whole connection when a stream has more than 1,024 gaps, which a large
//! window on a bad path can have. So chunks are read as they come, and wait here.

use std::collections::{BTreeMap, VecDeque};

use bytes::{Buf, Bytes};

/// Places for chunks that an empty queue may keep.
const FEW: usize = 4;
/// So many chunks in order are joined to one while nobody takes them.
const JOIN: usize = 256;

/// Chunks of one stream. They may overlap, because some bytes come twice; each byte is given out once.
///
/// The next byte that is missing divides it: `ready` is what was in order before that byte, `held` lies behind it, and no
/// two chunks in it overlap.
#[derive(Debug, Default)]
pub(crate) struct Reassembly {
    /// Offset of the next byte that is missing.
    next: u64,
    ready: VecDeque<Bytes>,
    /// How many at the front of `ready` are [joined](Self::join).
    joined: usize,
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

    /// Takes in what is new of a chunk. One that has to wait is copied: as it comes it keeps alive the whole receive
    /// buffer that it is a part of.
    pub(crate) fn insert(&mut self, offset: u64, bytes: Bytes) {
        if offset > self.next {
            self.hold(offset, bytes);
            return;
        }
        self.push(offset, bytes);
        while let Some(entry) = self.held.first_entry() {
            if *entry.key() > self.next {
                break;
            }
            let (offset, bytes) = entry.remove_entry();
            self.push(offset, bytes);
        }
    }

    /// Puts in order what a chunk has from the next missing byte on; it starts there or before.
    fn push(&mut self, offset: u64, mut bytes: Bytes) {
        skip(&mut bytes, self.next - offset);
        if !bytes.is_empty() {
            self.next += bytes.len() as u64;
            self.ready.push_back(bytes);
        }
    }

    /// Lets a chunk wait, without what waits already. It replaces those that it covers, so that one more waits at most.
    fn hold(&mut self, mut offset: u64, mut bytes: Bytes) {
        if let Some((at, before)) = self.held.range(..=offset).next_back() {
            let end = at + before.len() as u64;
            offset += skip(&mut bytes, end.saturating_sub(offset));
        }
        let end = offset + bytes.len() as u64;
        while let Some((&at, after)) = self.held.range(offset..end).next() {
            if at + after.len() as u64 > end {
                bytes.truncate(usize::try_from(at - offset).unwrap_or(usize::MAX));
                break;
            }
            self.held.remove(&at);
        }
        if !bytes.is_empty() {
            self.held.insert(offset, Bytes::copy_from_slice(&bytes));
        }
    }

    /// Joins what is in order from time to time, while nobody takes it: a sender of single bytes would otherwise cost many
    /// times what it is granted.
    pub(crate) fn join(&mut self) {
        if self.ready.len() - self.joined < JOIN {
            return;
        }
        let chunks: Vec<_> = self.ready.drain(self.joined..).collect();
        self.ready.push_back(chunks.concat().into());
        self.joined += 1;
    }

    /// The next chunk in order.
    pub(crate) fn take(&mut self) -> Option<Bytes> {
        let chunk = self.ready.pop_front();
        self.joined = self.joined.saturating_sub(1);
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
            self.joined = self.joined.saturating_sub(1);
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

/// Drops so many bytes of the front, or all: how many.
fn skip(bytes: &mut Bytes, count: u64) -> u64 {
    let count = usize::try_from(count)
        .unwrap_or(usize::MAX)
        .min(bytes.len());
    bytes.advance(count);
    count as u64
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng, rngs::SmallRng, seq::SliceRandom};

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
    fn single_bytes_that_nobody_takes_become_few_chunks() {
        let mut reassembly = Reassembly::default();
        let data: Vec<u8> = (0..=255).cycle().take(10_000).collect();
        for (at, byte) in data.iter().enumerate() {
            reassembly.insert(at as u64, Bytes::copy_from_slice(&[*byte]));
            reassembly.join();
            if at == 3_000 {
                assert_eq!(reassembly.take().unwrap().len(), JOIN);
            }
        }
        assert!(reassembly.ready.len() < JOIN + 10_000 / JOIN);
        assert_eq!(all(&mut reassembly), data[JOIN..]);
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

    /// Every start and end of a chunk, before, in and behind what is there already.
    #[test]
    fn what_is_there_already_is_not_taken_in_again() {
        let data = b"0123456789";
        let all_chunks = || (0..10).flat_map(|from| (from..=10).map(move |to| (from, to)));
        for (first, second) in all_chunks().flat_map(|one| all_chunks().map(move |two| (one, two)))
        {
            let mut reassembly = Reassembly::default();
            let mut out = Vec::new();
            for (from, to) in [(0, 2), first, second, (0, 10)] {
                reassembly.insert(from as u64, Bytes::copy_from_slice(&data[from..to]));
                out.extend(all(&mut reassembly));
            }
            assert_eq!(out, data, "{first:?} {second:?}");
            assert_eq!(reassembly.held(), 0, "{first:?} {second:?}");
        }
    }

    #[test]
    fn a_chunk_that_covers_others_takes_their_place() {
        let mut reassembly = Reassembly::default();
        for at in [2, 4, 6] {
            reassembly.insert(at, Bytes::from_static(b"x"));
        }
        reassembly.insert(1, Bytes::from_static(b"abcdef"));
        assert_eq!(reassembly.held(), 1);
    }

    /// One stream as two senders cut it, each with its own cuts, order and doubles.
    #[test]
    fn any_cuts_orders_and_doubles_give_each_byte_once() {
        let mut random = SmallRng::seed_from_u64(7);
        for round in 0..500 {
            let data: Vec<u8> = (0..random.random_range(1..300))
                .map(|_| random.random())
                .collect();
            let mut chunks = cuts(data.len(), &mut random);
            for _ in 0..random.random_range(0..20) {
                let from = random.random_range(0..data.len());
                chunks.push((from, random.random_range(from..=data.len())));
            }
            chunks.extend_from_within(..chunks.len() / 3);
            chunks.shuffle(&mut random);
            let mut reassembly = Reassembly::default();
            let mut out = Vec::new();
            for (count, (from, to)) in chunks.into_iter().enumerate() {
                reassembly.insert(from as u64, Bytes::copy_from_slice(&data[from..to]));
                assert!(reassembly.held() <= count + 1, "round {round}");
                if random.random() {
                    out.extend(all(&mut reassembly));
                }
            }
            out.extend(all(&mut reassembly));
            assert_eq!(out, data, "round {round}");
            assert_eq!(reassembly.held(), 0, "round {round}");
        }
    }

    /// The whole, in pieces.
    fn cuts(length: usize, random: &mut SmallRng) -> Vec<(usize, usize)> {
        let mut pieces = Vec::new();
        let mut from = 0;
        while from < length {
            let to = random.random_range(from + 1..=length.min(from + 40));
            pieces.push((from, to));
            from = to;
        }
        pieces
    }
}
