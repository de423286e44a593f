//! What a client wants of the target: the first 8 bytes of every connection. Everything is counted, so that ways which
//! cannot carry a half-close can be measured, too.
//!
//! ```text
//! ┌──────┬───────────────────────────┐
//! │ kind │ volume, 7 bytes big-endian│
//! └──────┴───────────────────────────┘
//! ```

/// The length of a request, in bytes.
pub const LENGTH: usize = 8;

/// A request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// Send this many bytes.
    Send(u64),
    /// Take this many bytes, then answer with one.
    Take(u64),
    /// Send back what comes.
    Echo,
    /// Answer with one byte, then keep the connection.
    Hold,
    /// Send without end, with a small send buffer.
    Flood,
    /// Answer with the number of bytes that were taken so far on all connections, 8 bytes big-endian.
    Taken,
}

impl Request {
    /// Its bytes.
    pub fn encode(self) -> [u8; LENGTH] {
        let (kind, volume) = match self {
            Self::Send(volume) => (b'S', volume),
            Self::Take(volume) => (b'T', volume),
            Self::Echo => (b'E', 0),
            Self::Hold => (b'H', 0),
            Self::Flood => (b'F', 0),
            Self::Taken => (b'N', 0),
        };
        let mut bytes = volume.to_be_bytes();
        bytes[0] = kind;
        bytes
    }

    /// The request with these bytes.
    pub fn decode(mut bytes: [u8; LENGTH]) -> Option<Self> {
        let kind = std::mem::take(&mut bytes[0]);
        let volume = u64::from_be_bytes(bytes);
        match kind {
            b'S' => Some(Self::Send(volume)),
            b'T' => Some(Self::Take(volume)),
            b'E' => Some(Self::Echo),
            b'H' => Some(Self::Hold),
            b'F' => Some(Self::Flood),
            b'N' => Some(Self::Taken),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_come_back() {
        let largest = (1 << 56) - 1;
        let all = [
            Request::Send(0),
            Request::Send(largest),
            Request::Take(2 << 30),
            Request::Echo,
            Request::Hold,
            Request::Flood,
            Request::Taken,
        ];
        for request in all {
            assert_eq!(Request::decode(request.encode()), Some(request));
        }
        assert_eq!(Request::decode([0; LENGTH]), None);
    }

    #[test]
    fn the_bytes_are_these() {
        assert_eq!(Request::Take(0x0102).encode(), *b"T\0\0\0\0\0\x01\x02");
    }
}
