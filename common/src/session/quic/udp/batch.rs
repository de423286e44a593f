//! Datagrams that wait to be sent with one system call (UDP generic segmentation offload).
//!
//! QUIC hands over at most [`FULL`] datagrams at a time; the kernel takes what fits into one UDP length. A batch
//! collects equally long datagrams for one peer. It holds no policy of when to send: that is the socket's.

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use quinn::udp::{EcnCodepoint, Transmit};

/// Datagrams that quinn puts into one transmit while it has more to send.
pub(super) const FULL: usize = 10;
/// Largest UDP payload over IPv4 (RFC 768, RFC 791), in bytes; the kernel measures a whole batch against it.
const MAX_BYTES: usize = 65_535 - 20 - 8;

/// What all datagrams of a batch have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Head {
    destination: SocketAddr,
    ecn: Option<EcnCodepoint>,
    segment: usize,
    source: Option<IpAddr>,
}

impl Head {
    fn of(transmit: &Transmit<'_>) -> Self {
        Self {
            destination: transmit.destination,
            ecn: transmit.ecn,
            segment: segment(transmit),
            source: transmit.src_ip,
        }
    }
}

fn segment(transmit: &Transmit<'_>) -> usize {
    let whole = transmit.contents.len();
    transmit.segment_size.unwrap_or(whole).max(1)
}

/// How many datagrams a transmit has.
pub(super) fn segments(transmit: &Transmit<'_>) -> usize {
    transmit.contents.len().div_ceil(segment(transmit))
}

/// Whether quinn is likely to hand over more at once.
pub(super) fn is_full(transmit: &Transmit<'_>) -> bool {
    transmit.contents.len() >= FULL * segment(transmit)
}

/// Whether the kernel takes it in parts only.
pub(super) fn is_long(transmit: &Transmit<'_>) -> bool {
    transmit.contents.len() > MAX_BYTES
}

/// Datagrams that wait.
#[derive(Debug, Default)]
pub(super) struct Batch {
    head: Option<Head>,
    bytes: Vec<u8>,
    /// How many of `bytes` are sent already.
    sent: usize,
}

impl Batch {
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Whether the transmit can follow what waits: it is for the same peer, and all that waits has its full length.
    pub(super) fn continues(&self, transmit: &Transmit<'_>) -> bool {
        self.head == Some(Head::of(transmit)) && self.bytes.len().is_multiple_of(segment(transmit))
    }

    /// Copies a transmit behind what waits, which it must [continue](Self::continues) if there is any.
    pub(super) fn push(&mut self, transmit: &Transmit<'_>) {
        self.head = Some(Head::of(transmit));
        self.bytes.extend_from_slice(transmit.contents);
    }

    /// Sends as many datagrams at once as the kernel takes, at most `segments`, while at least a whole send of them
    /// waits.
    ///
    /// # Errors
    /// That of `send`; what it did not take still waits.
    pub(super) fn send_full(
        &mut self,
        segments: usize,
        mut send: impl FnMut(&Transmit<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        let Some(head) = self.head else { return Ok(()) };
        let whole = whole_send(head.segment, segments);
        while self.bytes.len() - self.sent >= whole {
            self.send_next(head, whole, &mut send)?;
        }
        Ok(())
    }

    /// Sends all that waits.
    ///
    /// # Errors
    /// That of `send`; what it did not take still waits.
    pub(super) fn send_all(
        &mut self,
        segments: usize,
        mut send: impl FnMut(&Transmit<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        let Some(head) = self.head else { return Ok(()) };
        let whole = whole_send(head.segment, segments);
        while !self.is_empty() {
            self.send_next(head, whole, &mut send)?;
        }
        Ok(())
    }

    fn send_next(
        &mut self,
        head: Head,
        whole: usize,
        send: &mut impl FnMut(&Transmit<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        let rest = &self.bytes[self.sent..];
        let contents = &rest[..rest.len().min(whole)];
        send(&Transmit {
            destination: head.destination,
            ecn: head.ecn,
            contents,
            segment_size: (contents.len() > head.segment).then_some(head.segment),
            src_ip: head.source,
        })?;
        self.sent += contents.len();
        if self.sent == self.bytes.len() {
            self.bytes.clear();
            self.sent = 0;
        }
        Ok(())
    }
}

/// Bytes of the largest send of datagrams of this length.
fn whole_send(segment: usize, segments: usize) -> usize {
    segment * (MAX_BYTES / segment).clamp(1, segments.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transmit(contents: &[u8], segment: usize) -> Transmit<'_> {
        Transmit {
            destination: "127.0.0.1:1".parse().unwrap(),
            ecn: None,
            contents,
            segment_size: Some(segment),
            src_ip: None,
        }
    }

    #[test]
    fn full_transmits_become_few_large_sends_and_no_byte_is_lost() {
        let contents: Vec<u8> = (0..14_520).map(|i| (i % 251) as u8).collect();
        let mut batch = Batch::default();
        let mut sends: Vec<Vec<u8>> = Vec::new();
        for _ in 0..10 {
            let next = transmit(&contents, 1452);
            assert!(is_full(&next) && (batch.is_empty() || batch.continues(&next)));
            batch.push(&next);
            let sent = batch.send_full(64, |t| {
                assert_eq!(t.segment_size, Some(1452));
                sends.push(t.contents.to_vec());
                Ok(())
            });
            sent.unwrap();
        }
        assert_eq!(sends.iter().map(Vec::len).collect::<Vec<_>>(), [65_340; 2]);
        batch
            .send_all(64, |t| {
                sends.push(t.contents.to_vec());
                Ok(())
            })
            .unwrap();
        assert!(batch.is_empty());
        assert_eq!(sends.concat(), contents.repeat(10));
    }

    #[test]
    fn jumbo_transmits_beyond_the_length_of_udp_are_split_between_datagrams() {
        let contents = vec![7; 89_520];
        let mut batch = Batch::default();
        batch.push(&transmit(&contents, 8952));
        let mut sends = Vec::new();
        batch
            .send_all(64, |t| {
                sends.push((t.contents.len(), t.segment_size));
                Ok(())
            })
            .unwrap();
        assert_eq!(sends, [(62_664, Some(8952)), (26_856, Some(8952))]);
    }

    #[test]
    fn what_would_block_waits_and_is_sent_once() {
        let contents = vec![7; 20 * 1200];
        let mut batch = Batch::default();
        batch.push(&transmit(&contents, 1200));
        let mut calls = 0;
        let blocked = batch.send_all(10, |_| {
            calls += 1;
            match calls {
                1 => Ok(()),
                _ => Err(io::ErrorKind::WouldBlock.into()),
            }
        });
        assert_eq!(blocked.unwrap_err().kind(), io::ErrorKind::WouldBlock);
        let mut rest = 0;
        batch
            .send_all(10, |t| {
                rest += t.contents.len();
                Ok(())
            })
            .unwrap();
        assert_eq!(rest, 10 * 1200);
    }

    #[test]
    fn another_peer_or_another_length_does_not_continue_a_batch() {
        let contents = vec![7; 12_000];
        let mut batch = Batch::default();
        batch.push(&transmit(&contents, 1200));
        assert!(batch.continues(&transmit(&contents, 1200)));
        assert!(!batch.continues(&transmit(&contents, 1201)));
        let elsewhere = Transmit {
            destination: "127.0.0.1:2".parse().unwrap(),
            ..transmit(&contents, 1200)
        };
        assert!(!batch.continues(&elsewhere));
        batch.push(&transmit(&contents[..100], 1200));
        assert!(!batch.continues(&transmit(&contents, 1200)));
    }
}
