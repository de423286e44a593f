//! The head of a tunnel stream: `open` from the listener, `opened` or `refused` from the connector.
//!
//! The payload follows each of them at once: the listener does not wait for the answer.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{ids::OpeningId, target::Target};

/// Asks the connector to dial.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "open")]
pub struct Open {
    /// The listener's number of the stream within the session, for both logs.
    pub stream: u64,
    /// The opening that the client came to.
    pub opening: OpeningId,
    /// What to dial.
    pub target: Target,
    /// The client's address as the listener saw it.
    pub client: SocketAddr,
}

/// The connector's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Answer {
    /// The target is connected; its bytes follow.
    Opened,
    /// It is not; nothing follows.
    Refused(Refusal),
}

/// Why a target was not connected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Error)]
#[error("{code}: {message}")]
pub struct Refusal {
    /// The kind.
    pub code: RefusalCode,
    /// The details, for the log.
    pub message: String,
}

/// The kinds of [`Refusal`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalCode {
    /// The connector's `allowed_targets` does not list the address.
    TargetDenied,
    /// The opening carries no grant that the connector accepts.
    GrantInvalid,
    /// The target answered with a reset (ECONNREFUSED).
    DialRefused,
    /// The target did not answer within the dial time limit.
    DialTimeout,
    /// No route, or an ICMP unreachable.
    DialUnreachable,
    /// The host name has no address.
    DnsFailed,
    /// The connector is at a limit: streams, or descriptors.
    Limit,
    /// The connector is draining.
    ShuttingDown,
    /// A code of a later version.
    #[serde(other)]
    Other,
}

impl std::fmt::Display for RefusalCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::TargetDenied => "target_denied",
            Self::GrantInvalid => "grant_invalid",
            Self::DialRefused => "dial_refused",
            Self::DialTimeout => "dial_timeout",
            Self::DialUnreachable => "dial_unreachable",
            Self::DnsFailed => "dns_failed",
            Self::Limit => "limit",
            Self::ShuttingDown => "shutting_down",
            Self::Other => "other",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::codec::{PREFIX, decode, encode};

    #[test]
    fn open_and_answers_round_trip() {
        let open = Open {
            stream: 3,
            opening: OpeningId::random(),
            target: "[::1]:22".parse().unwrap(),
            client: "192.0.2.1:5000".parse().unwrap(),
        };
        let frame = encode(&open).unwrap();
        assert_eq!(decode::<Open>(&frame[PREFIX..]).unwrap(), open);

        let refused = Answer::Refused(Refusal {
            code: RefusalCode::DialTimeout,
            message: "10 s".into(),
        });
        let frame = encode(&refused).unwrap();
        let text = br#"{"type":"refused","code":"dial_timeout","message":"10 s"}"#;
        assert_eq!(&frame[PREFIX..], text);
        assert_eq!(decode::<Answer>(&frame[PREFIX..]).unwrap(), refused);
    }

    #[test]
    fn a_code_of_a_later_version_is_still_a_refusal() {
        let later = br#"{"type":"refused","code":"full_moon","message":""}"#;
        let Answer::Refused(refusal) = decode::<Answer>(later).unwrap() else {
            panic!("a refusal was read as something else");
        };
        assert_eq!(refusal.code, RefusalCode::Other);
    }

    #[test]
    fn an_open_with_a_bad_target_is_refused_at_the_edge() {
        let text =
            br#"{"type":"open","stream":1,"opening":"00","target":"h:0","client":"1.2.3.4:5"}"#;
        assert!(decode::<Open>(text).is_err());
    }
}
