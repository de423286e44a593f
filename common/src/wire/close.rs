//! Close codes: why a session, or a stream, was ended (application error codes, RFC 9000, section 20.2).

use std::fmt;

/// Why one side closed a session. One table: number, text for the other side's log, what the connector does about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseCode {
    /// The sender shut down on purpose.
    Closed,
    /// The peer broke the protocol.
    ProtocolError,
    /// Another live session holds the UID.
    DuplicateUid,
    /// The certificate has been revoked.
    CertificateRevoked,
    /// A rule refuses this certificate: UID, lists, SCEP server.
    PolicyDenied,
    /// A check could not be made, so nobody is let in.
    VerifierUnavailable,
    /// The sender is draining and its time is up.
    Draining,
    /// Another session of the same UID took this one's place.
    Replaced,
    /// An operator closed the session through the API.
    Kicked,
    /// The listener is at a limit.
    Limit,
}

/// What the connector does after its session was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reaction {
    /// Dial again at once.
    RetryAtOnce,
    /// Dial again with the usual backoff.
    Retry,
    /// Dial again, but slowly: trying faster cannot help, an operator has to act.
    RetrySlowly,
}

/// Numbers start here, so that they stand out among those of other protocols.
const BASE: u32 = 0x5700;

const TABLE: [(CloseCode, u32, &str, Reaction); 10] = {
    use CloseCode as C;
    use Reaction as R;
    [
        (C::Closed, BASE, "the peer shut down", R::Retry),
        (C::ProtocolError, BASE + 1, "protocol error", R::RetrySlowly),
        (
            C::DuplicateUid,
            BASE + 2,
            "another live session has this UID: is the same certificate in use on two machines?",
            R::RetrySlowly,
        ),
        (
            C::CertificateRevoked,
            BASE + 3,
            "the certificate is revoked: ask the operator of the CA for a new one",
            R::RetrySlowly,
        ),
        (
            C::PolicyDenied,
            BASE + 4,
            "the listener's rules refuse this certificate: ask its operator",
            R::RetrySlowly,
        ),
        (
            C::VerifierUnavailable,
            BASE + 5,
            "the listener could not check the certificate and refuses to guess",
            R::Retry,
        ),
        (
            C::Draining,
            BASE + 6,
            "the listener is draining",
            R::RetryAtOnce,
        ),
        (
            C::Replaced,
            BASE + 7,
            "a newer session of the same UID took this one's place",
            R::RetrySlowly,
        ),
        (
            C::Kicked,
            BASE + 8,
            "an operator closed this session",
            R::RetrySlowly,
        ),
        (
            C::Limit,
            BASE + 9,
            "the listener is at its limit, or the handshake took too long",
            R::Retry,
        ),
    ]
};

impl CloseCode {
    fn row(self) -> &'static (CloseCode, u32, &'static str, Reaction) {
        TABLE
            .iter()
            .find(|row| row.0 == self)
            .expect("every code has a row; a test says so")
    }

    /// The number on the wire.
    pub fn number(self) -> u32 {
        self.row().1
    }

    /// The code behind a number; `None` for a number of a later version or of 1.x.
    pub fn from_number(number: u64) -> Option<Self> {
        TABLE
            .iter()
            .find(|row| u64::from(row.1) == number)
            .map(|row| row.0)
    }

    /// What the closed side logs.
    pub fn text(self) -> &'static str {
        self.row().2
    }

    /// What a connector does about it.
    pub fn reaction(self) -> Reaction {
        self.row().3
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// Why a tunnel stream was reset or stopped. Any code means: the TCP peer sees a reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum StreamCode {
    /// The splice or its task was dropped before the end.
    Aborted = 0x5720,
    /// The TCP peer reset its connection.
    TcpReset = 0x5721,
    /// Nothing moved for the opening's idle timeout.
    IdleTimeout = 0x5722,
    /// The opening was closed, or a daemon is stopping.
    Cancelled = 0x5723,
    /// The head of the stream was not understood, or did not come in time.
    BadHead = 0x5724,
    /// The connector refused the target.
    Refused = 0x5725,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_own_row() {
        use CloseCode::*;
        let all = [
            Closed,
            ProtocolError,
            DuplicateUid,
            CertificateRevoked,
            PolicyDenied,
            VerifierUnavailable,
            Draining,
            Replaced,
            Kicked,
            Limit,
        ];
        assert_eq!(all.len(), TABLE.len());
        for code in all {
            assert_eq!(CloseCode::from_number(code.number().into()), Some(code));
            assert!(!code.text().is_empty());
        }
        assert_eq!(CloseCode::from_number(0), None);
    }
}
