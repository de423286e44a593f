//! A spare: bytes of a stream that travel a second time, in a QUIC DATAGRAM frame (RFC 9221) of protocol 2.
//!
//! ```text
//! 01    41 04   2b      6c 73 0a
//! kind  stream  offset  the bytes
//! ```
//!
//! The kind tells spares from datagrams of later versions, which are to be left alone. Stream ID and offset of the first byte are integers of QUIC (RFC 9000, section 16), here 260 and 43. The bytes go up to
//! the end of the datagram.

/// What a datagram with a spare begins with.
const KIND: u8 = 1;
/// Longest head, in bytes: the kind and two integers of QUIC.
const HEAD: usize = 17;
/// The largest integer of QUIC, and one more.
const LIMIT: u64 = 1 << 62;

/// Some bytes of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spare<'a> {
    /// The stream's ID in QUIC.
    pub stream: u64,
    /// Where in the stream the first byte belongs.
    pub offset: u64,
    /// The bytes.
    pub bytes: &'a [u8],
}

impl<'a> Spare<'a> {
    /// The datagram; `None` when a number is no integer of QUIC.
    pub fn encode(&self) -> Option<Vec<u8>> {
        let mut datagram = Vec::with_capacity(HEAD + self.bytes.len());
        datagram.push(KIND);
        put(&mut datagram, self.stream)?;
        put(&mut datagram, self.offset)?;
        datagram.extend_from_slice(self.bytes);
        Some(datagram)
    }

    /// The spare in a datagram; `None` when it is none, or one without bytes or beyond the end of any stream.
    pub fn decode(datagram: &'a [u8]) -> Option<Self> {
        let (&kind, rest) = datagram.split_first()?;
        if kind != KIND {
            return None;
        }
        let (stream, rest) = take(rest)?;
        let (offset, bytes) = take(rest)?;
        let end = offset.checked_add(bytes.len() as u64)?;
        (!bytes.is_empty() && end < LIMIT).then_some(Self {
            stream,
            offset,
            bytes,
        })
    }
}

/// The two highest bits of the first byte say how long the integer is: 1, 2, 4 or 8 bytes.
fn put(datagram: &mut Vec<u8>, number: u64) -> Option<()> {
    let bytes = number.to_be_bytes();
    let (length, mark) = match number {
        0..0x40 => (1, 0x00),
        0x40..0x4000 => (2, 0x40),
        0x4000..0x4000_0000 => (4, 0x80),
        0x4000_0000..LIMIT => (8, 0xc0),
        LIMIT.. => return None,
    };
    let first = datagram.len();
    datagram.extend_from_slice(&bytes[bytes.len() - length..]);
    datagram[first] |= mark;
    Some(())
}

fn take(datagram: &[u8]) -> Option<(u64, &[u8])> {
    let length = 1 << (datagram.first()? >> 6);
    let (number, rest) = datagram.split_at_checked(length)?;
    let number = number
        .iter()
        .fold(0, |high, &byte| high << 8 | u64::from(byte));
    Some((number & (u64::MAX >> (66 - 8 * length)), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: &[u8] = b"\x01\x41\x04\x2bls\n";

    #[test]
    fn a_spare_has_these_bytes() {
        let spare = Spare {
            stream: 260,
            offset: 43,
            bytes: b"ls\n",
        };
        assert_eq!(spare.encode().unwrap(), RECORD);
        assert_eq!(Spare::decode(RECORD), Some(spare));
    }

    #[test]
    fn any_numbers_round_trip() {
        let numbers = (0..62).flat_map(|bits| [(1 << bits) - 1, 1 << bits, (1 << bits) + 1]);
        for number in numbers.chain([LIMIT - 2]) {
            let spare = Spare {
                stream: LIMIT - 1 - number,
                offset: number,
                bytes: b"x",
            };
            let datagram = spare.encode().unwrap();
            assert!(datagram.len() <= HEAD + 1);
            assert_eq!(Spare::decode(&datagram), Some(spare), "{number}");
        }
    }

    #[test]
    fn numbers_that_quic_does_not_have_are_refused() {
        let spare = |stream, offset| Spare {
            stream,
            offset,
            bytes: b"xy",
        };
        assert_eq!(spare(LIMIT, 0).encode(), None);
        assert_eq!(spare(0, LIMIT).encode(), None);
        let beyond = spare(0, LIMIT - 2).encode().unwrap();
        assert_eq!(Spare::decode(&beyond), None, "it ends beyond every stream");
    }

    #[test]
    fn damaged_bytes_are_none_or_another_spare() {
        for length in 0..=4 {
            assert_eq!(Spare::decode(&RECORD[..length]), None);
        }
        for at in 0..RECORD.len() {
            for byte in 0..=255 {
                let mut datagram = RECORD.to_vec();
                datagram[at] = byte;
                for length in 0..=datagram.len() {
                    if let Some(spare) = Spare::decode(&datagram[..length]) {
                        assert!(spare.bytes.len() < length && !spare.bytes.is_empty());
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_of_another_kind_is_none() {
        let mut datagram = RECORD.to_vec();
        for kind in (0..=255).filter(|kind| *kind != KIND) {
            datagram[0] = kind;
            assert_eq!(Spare::decode(&datagram), None);
        }
    }
}
