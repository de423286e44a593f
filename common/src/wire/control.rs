//! Messages of the control stream: the first bidirectional stream, opened by the connector.
//!
//! The connector sends `hello`, the listener answers `welcome`; after that either side may send `ping`, `pong`,
//! `window` and `goaway` at any time. `sw_connector doctor` sends `probe` instead of `hello`, is answered with `probed`, and
//! that is all: no session comes of it. It is a message of its own, and not a field of `hello`, because a listener that
//! does not know it must end the connection, and must not register a session instead.

use serde::{Deserialize, Serialize};

use crate::ids::{SessionId, Uid};

/// The number that `hello` carries.
pub const PROTOCOL_VERSION: u16 = 2;

/// The listener's capability to let a session with a newer certificate take over from the registered one
/// ([`Hello::replaces`]).
pub const HAND_OVER: &str = "hand_over";

/// One message, `{"type": "...", ...}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Message {
    /// Connector → listener, first.
    Hello(Hello),
    /// Listener → connector, the answer: the session is registered.
    Welcome(Welcome),
    /// Connector → listener, instead of `hello`: would a session be accepted? None is registered.
    Probe(Hello),
    /// Listener → connector, the answer: it would, as far as the certificate is concerned.
    Probed(Probed),
    /// Asks the other side's control loop for a [`Message::Pong`] with the same nonce.
    Ping {
        /// Any number.
        nonce: u64,
    },
    /// The answer to [`Message::Ping`].
    Pong {
        /// The number of the ping.
        nonce: u64,
    },
    /// The reader of a stream grants its sender all bytes up to an offset. Until the first grant it may send
    /// [`INITIAL_WINDOW`](crate::session::flow::INITIAL_WINDOW).
    Window {
        /// The stream's number on the carrier (RFC 9000, section 2.1).
        stream: u64,
        /// Offset of the first byte that must wait, counted from the first byte of the stream's head.
        offset: u64,
    },
    /// The sender will end the session: no new streams, the running ones may finish.
    Goaway {
        /// For the log.
        reason: String,
        /// How long to wait before a new session is tried, in milliseconds.
        reconnect_after_ms: u64,
    },
}

/// What the connector says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// [`PROTOCOL_VERSION`].
    pub version: u16,
    /// The connector's software version.
    #[serde(default)]
    pub software: String,
    /// The machine's host name; shown to operators, trusted for nothing.
    #[serde(default)]
    pub hostname: String,
    /// Names of optional features that the connector has; none so far.
    #[serde(default)]
    pub capabilities: Vec<String>,
    /// The session of the same UID that this one shall take over from; its listener has [`HAND_OVER`]. Others ignore it
    /// and take this session for a duplicate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<SessionId>,
}

/// What the listener tells somebody who asks whether a session would be accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probed {
    /// The UID as the listener reads it from the certificate.
    pub uid: Uid,
    /// Whether a session of this UID is registered now.
    pub live: bool,
    /// The listener's software version.
    #[serde(default)]
    pub software: String,
}

/// What the listener tells a connector whose session it has registered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The UID as the listener reads it from the certificate.
    pub uid: Uid,
    /// The session's name in the listener's logs and API.
    pub session: SessionId,
    /// The listener's software version.
    #[serde(default)]
    pub software: String,
    /// The listener's keep-alive interval in milliseconds.
    #[serde(default)]
    pub keep_alive_ms: u64,
    /// Names of optional features that the listener has, such as [`HAND_OVER`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<String>,
}

impl Welcome {
    /// Whether the listener can let a session with a newer certificate take over.
    pub fn hands_over(&self) -> bool {
        self.capabilities.iter().any(|name| name == HAND_OVER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_older_versions_do_not_know_is_left_out_or_absent() {
        let old = r#"{"type":"hello","version":2,"software":"","hostname":"","capabilities":[]}"#;
        let message: Message = serde_json::from_str(old).unwrap();
        let Message::Hello(hello) = &message else {
            panic!("hello expected");
        };
        assert_eq!(hello.replaces, None);
        assert_eq!(serde_json::to_string(&message).unwrap(), old);
        let old = r#"{"uid":"a","session":"00000000000000ff"}"#;
        let welcome: Welcome = serde_json::from_str(old).unwrap();
        assert!(!welcome.hands_over());
    }

    #[test]
    fn a_hand_over_names_the_session() {
        let text = r#"{"type":"hello","version":2,"replaces":"00000000000000ff"}"#;
        let Message::Hello(hello) = serde_json::from_str(text).unwrap() else {
            panic!("hello expected");
        };
        assert_eq!(hello.replaces.unwrap().to_string(), "00000000000000ff");
    }
}
