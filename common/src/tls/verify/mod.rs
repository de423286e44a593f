//! What is asked of a peer's certificate beyond the chain, the time and the name.

mod client;
mod path;
mod server;

use std::{fmt, sync::Arc};

use rustls::{CertificateError, OtherError};
use thiserror::Error;

pub(super) use self::{client::ConnectorVerifier, server::ListenerVerifier};
use super::{ListenerName, Pin};

/// What a connector asks of the listener's certificate beyond the chain to a CA and `server_name`.
#[derive(Debug, Clone, Default)]
pub struct ListenerChecks {
    /// A name that it must have too, as a subject alternative name or as its common name.
    pub expected_name: Option<ExpectedName>,
    /// One of these must be the public key of the certificate, or of a CA that its chain leads over, the last one
    /// included. Empty: any.
    pub pins: Vec<Pin>,
    /// For development: take every certificate. What the peer signs is still verified with it.
    pub insecure_skip: bool,
}

/// A name that a certificate must have as a subject alternative name (where it is a DNS name or an IP address: by the rules
/// of RFC 9525, wildcards included), or as its common name, letter by letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedName {
    text: String,
    name: Option<ListenerName>,
}

impl std::str::FromStr for ExpectedName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Err("must be a name, not empty");
        }
        Ok(Self {
            text: text.to_owned(),
            name: text.parse().ok(),
        })
    }
}

impl fmt::Display for ExpectedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

/// Why a certificate that its CA vouches for is not accepted.
#[derive(Clone, PartialEq, Eq, Error)]
enum Unwanted {
    #[error(
        "the listener's certificate does not have the name {expected:?} of expected_listener_name, but {}",
        .presented.join(", ")
    )]
    Name {
        expected: String,
        presented: Vec<String>,
    },
    #[error(
        "no key of the listener's certificate chain is in listener_pins: {}; if the key was changed on purpose, put \
         the first of them there, else somebody else has a certificate with the listener's name",
        seen(.0)
    )]
    Pins(Vec<Pin>),
    #[error("{position} has an RSA key of {bits} bits, and min_rsa_bits is {minimum}")]
    SmallKey {
        position: &'static str,
        bits: u32,
        minimum: u32,
    },
    #[error("the certificate cannot be read: {0}")]
    Unreadable(String),
}

/// rustls shows only this form.
impl fmt::Debug for Unwanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<Unwanted> for rustls::Error {
    fn from(unwanted: Unwanted) -> Self {
        let other = OtherError(Arc::new(unwanted));
        Self::InvalidCertificate(CertificateError::Other(other))
    }
}

/// Leaf first.
fn seen(pins: &[Pin]) -> String {
    let named = pins.iter().enumerate().map(|(index, pin)| match index {
        0 => format!("the listener's own is {pin}"),
        _ => format!("its CA's is {pin}"),
    });
    named.collect::<Vec<_>>().join(", ")
}
