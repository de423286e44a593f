//! Packets that arrive other than they were sent.

use rand::{RngExt, rngs::SmallRng};

/// The longest headers before what a program has sent: IPv6 (40 bytes) and UDP (8).
const HEADERS: usize = 48;

/// Flips one bit, any one. Whether there was one.
pub(super) fn flip_bit(packet: &mut [u8], random: &mut SmallRng) -> bool {
    if packet.is_empty() {
        return false;
    }
    let bit = random.random_range(0..packet.len() * 8);
    packet[bit / 8] ^= 1 << (bit % 8);
    true
}

/// Exchanges two 16-bit words behind the headers. The Internet checksum (RFC 1071) is a sum of such words, so it stays
/// right. Whether there were two that differ.
pub(super) fn swap_words(packet: &mut [u8], random: &mut SmallRng) -> bool {
    let (words, _) = packet
        .get_mut(HEADERS..)
        .unwrap_or_default()
        .as_chunks_mut::<2>();
    if words.is_empty() {
        return false;
    }
    let one = random.random_range(0..words.len());
    let after = (one + 1..words.len()).chain(0..one);
    let other = after.into_iter().find(|&other| words[other] != words[one]);
    if let Some(other) = other {
        words.swap(one, other);
    }
    other.is_some()
}
