//! What stands on the wire, as pure functions over bytes: no IO, no clock, no runtime.
//!
//! Protocol 2 (ALPN [`ALPN_V2`]) is JSON frames ([`codec`]): [`control`] messages on the control stream, an
//! [`open`] frame at the head of each tunnel stream, and [spares](spare). Protocol 1 (ALPN [`ALPN_V1`]) is the 1,024-byte header in [`v1`].

pub mod close;
pub mod codec;
pub mod control;
pub mod open;
pub mod spare;
pub mod v1;

/// ALPN (RFC 7301) of protocol 2.
pub const ALPN_V2: &[u8] = b"socket-warp/2";
/// ALPN of protocol 1, which socket-warp 1.x took over from an example of its QUIC library.
pub const ALPN_V1: &[u8] = b"hq-29";

/// The protocol that both ends agreed on by ALPN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// socket-warp 1.x: no control stream, no answer to an open.
    V1,
    /// Frames, control stream, answers.
    V2,
}

impl Protocol {
    /// The protocol behind an ALPN value; `None` for a value that is not ours.
    pub fn from_alpn(alpn: &[u8]) -> Option<Self> {
        match alpn {
            ALPN_V1 => Some(Self::V1),
            ALPN_V2 => Some(Self::V2),
            _ => None,
        }
    }

    /// What to offer or accept in the TLS handshake, best first.
    pub fn alpn(legacy: bool) -> Vec<Vec<u8>> {
        let mut offered = vec![ALPN_V2.to_vec()];
        if legacy {
            offered.push(ALPN_V1.to_vec());
        }
        offered
    }

    /// 1 or 2.
    pub fn number(self) -> u8 {
        match self {
            Self::V1 => 1,
            Self::V2 => 2,
        }
    }
}
