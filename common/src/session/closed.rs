//! Why a session ended, in words that a person can act on.

use quinn::{ConnectionError, TransportErrorCode};
use thiserror::Error;

use crate::{
    printable::printable,
    wire::close::{CloseCode, Reaction},
};

/// Why a session ended, or did not come about.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Closed {
    /// The peer closed it and gave a code of our table.
    #[error("closed by the peer: {}", told(*.code, .detail))]
    ByPeer {
        /// The code.
        code: CloseCode,
        /// The peer's own text, if it says more than the code.
        detail: Option<String>,
    },
    /// The peer closed it with a code that is not in our table (1.x, or a later version).
    #[error("closed by the peer with code {number} ({reason:?})")]
    ByPeerUnknown {
        /// The application error code.
        number: u64,
        /// The peer's text.
        reason: String,
    },
    /// The listener took no handshake.
    #[error("the listener is at its limit of handshakes or sessions")]
    Refused,
    /// We closed it.
    #[error("closed by this side")]
    Locally,
    /// Nothing came for the idle timeout: the peer or the path is dead.
    #[error("no answer: the peer or the path to it is dead")]
    TimedOut,
    /// The peer has no memory of the session: it was restarted (RFC 9000, section 10.3).
    #[error("the peer was restarted and has forgotten the session")]
    Forgotten,
    /// TLS failed; the text says on which side and why.
    #[error("TLS handshake failed: {0}")]
    Tls(String),
    /// QUIC failed below the application.
    #[error("QUIC error: {0}")]
    Transport(String),
}

/// What the peer says; its text is not ours, so that what drives a terminal is escaped.
fn told(code: CloseCode, detail: &Option<String>) -> String {
    match detail {
        Some(detail) => printable(detail),
        None => code.text().to_owned(),
    }
}

impl Closed {
    fn by_peer(code: CloseCode, reason: String) -> Self {
        let says_more = !reason.is_empty() && reason != code.text();
        Self::ByPeer {
            code,
            detail: says_more.then_some(reason),
        }
    }

    /// The code of our table that the peer gave.
    pub fn peer_code(&self) -> Option<CloseCode> {
        match self {
            Self::ByPeer { code, .. } => Some(*code),
            Self::ByPeerUnknown { .. }
            | Self::Refused
            | Self::Locally
            | Self::TimedOut
            | Self::Forgotten
            | Self::Tls(_)
            | Self::Transport(_) => None,
        }
    }

    /// What a connector does after its session ended like this.
    pub fn reaction(&self) -> Reaction {
        match self {
            Self::ByPeer { code, .. } => code.reaction(),
            Self::Forgotten => Reaction::RetryAtOnce,
            Self::Tls(_) => Reaction::RetrySlowly,
            Self::ByPeerUnknown { .. }
            | Self::Refused
            | Self::Locally
            | Self::TimedOut
            | Self::Transport(_) => Reaction::Retry,
        }
    }
}

/// First QUIC error code of the range that carries TLS alerts (RFC 9001, section 4.8).
const CRYPTO_BASE: u64 = 0x100;

impl From<ConnectionError> for Closed {
    fn from(error: ConnectionError) -> Self {
        match error {
            ConnectionError::ApplicationClosed(close) => {
                let number = close.error_code.into_inner();
                let reason = String::from_utf8_lossy(&close.reason).into_owned();
                match CloseCode::from_number(number) {
                    Some(code) => Self::by_peer(code, reason),
                    None => Self::ByPeerUnknown { number, reason },
                }
            }
            ConnectionError::ConnectionClosed(close)
                if close.error_code == TransportErrorCode::CONNECTION_REFUSED =>
            {
                Self::Refused
            }
            ConnectionError::ConnectionClosed(close) => {
                let text = || String::from_utf8_lossy(&close.reason).into_owned();
                match alert(close.error_code.into()) {
                    Some(alert) => {
                        Self::Tls(format!("the peer says: {}", alert_text(alert, &text())))
                    }
                    None => {
                        Self::Transport(format!("the peer says: {} {:?}", close.error_code, text()))
                    }
                }
            }
            ConnectionError::TransportError(error) => match alert(error.code.into()) {
                Some(_) => Self::Tls(error.reason),
                None => Self::Transport(error.to_string()),
            },
            ConnectionError::LocallyClosed => Self::Locally,
            ConnectionError::TimedOut => Self::TimedOut,
            ConnectionError::Reset => Self::Forgotten,
            ConnectionError::VersionMismatch => {
                Self::Transport("the peer speaks no common QUIC version".into())
            }
            ConnectionError::CidsExhausted => Self::Transport("connection IDs exhausted".into()),
        }
    }
}

fn alert(code: u64) -> Option<u64> {
    (CRYPTO_BASE..CRYPTO_BASE + 0x100)
        .contains(&code)
        .then(|| code - CRYPTO_BASE)
}

/// TLS alerts (RFC 8446, section 6.2) in words; `detail` is the peer's own text.
fn alert_text(alert: u64, detail: &str) -> String {
    let advice = match alert {
        42 => "bad_certificate: it does not accept our certificate",
        43 => "unsupported_certificate: our certificate is not made for this use",
        44 => {
            "certificate_revoked: our certificate is revoked, ask the operator of the CA for a new one"
        }
        45 => "certificate_expired: our certificate has expired, or a clock is wrong",
        46 => "certificate_unknown: it does not accept our certificate",
        48 => "unknown_ca: our certificate is not from a CA that it trusts",
        116 => "certificate_required: it wants a client certificate",
        120 => "no_application_protocol: it speaks none of our protocol versions",
        _ => return format!("alert {alert} {detail:?}"),
    };
    advice.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_become_advice() {
        assert!(alert_text(48, "").contains("not from a CA"));
        assert_eq!(alert(0x130), Some(48));
        assert_eq!(alert(0x0a), None);
    }

    #[test]
    fn the_peers_own_words_are_shown_and_escaped() {
        let by_peer =
            |reason: &str| Closed::by_peer(CloseCode::CertificateRevoked, reason.to_owned());
        let own = CloseCode::CertificateRevoked.text();
        assert_eq!(
            by_peer("").to_string(),
            format!("closed by the peer: {own}")
        );
        assert_eq!(by_peer(own), by_peer(""));
        let told = by_peer("revoked on 2026-11-02 (CRL of \"Plant CA\")\n\u{1b}[31m\u{202e}ERROR")
            .to_string();
        assert!(
            told.contains("2026-11-02 (CRL of \"Plant CA\")\\n\\u{1b}[31m\\u{202e}ERROR"),
            "{told}"
        );
        assert_eq!(
            by_peer("x").peer_code(),
            Some(CloseCode::CertificateRevoked)
        );
        assert_eq!(by_peer("x").reaction(), Reaction::RetrySlowly);
    }

    #[test]
    fn a_restarted_peer_is_dialled_at_once() {
        assert_eq!(
            Closed::from(ConnectionError::Reset).reaction(),
            Reaction::RetryAtOnce
        );
    }
}
