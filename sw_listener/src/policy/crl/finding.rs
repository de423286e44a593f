//! What the lists have against a certificate.

use std::{fmt, time::SystemTime};

use x509_parser::x509::ReasonCode;

use crate::policy::revocation_text::{minute, revoked};

/// Why a path does not pass. Names are readable text, serial numbers hexadecimal with colons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CrlFinding {
    /// A certificate of the path is revoked.
    Revoked {
        /// Its CA.
        issuer: String,
        /// Since when.
        date: SystemTime,
        /// Why.
        reason: ReasonCode,
        /// Its serial number.
        serial: String,
        /// Whether it is the leaf, rather than a CA above it.
        leaf: bool,
    },
    /// There is no list of this CA.
    Missing {
        /// The CA.
        issuer: String,
    },
    /// The newest list of this CA is over.
    Expired {
        /// The CA.
        issuer: String,
        /// Since when.
        since: SystemTime,
    },
    /// The list of this CA is of the future, or the clock is wrong.
    NotYetValid {
        /// The CA.
        issuer: String,
        /// From when on.
        from: SystemTime,
    },
    /// There are lists with the name of this CA, but none that it has signed.
    BadSignature {
        /// The CA.
        issuer: String,
        /// What is wrong.
        why: String,
    },
}

impl CrlFinding {
    /// Its stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Revoked { .. } => "crl_revoked",
            Self::Missing { .. } => "crl_missing",
            Self::Expired { .. } => "crl_expired",
            Self::NotYetValid { .. } => "crl_not_yet_valid",
            Self::BadSignature { .. } => "crl_bad_signature",
        }
    }

    /// Whether it is a verdict on the certificate, rather than on the state of the lists.
    pub fn is_definite(&self) -> bool {
        matches!(self, Self::Revoked { .. })
    }
}

impl fmt::Display for CrlFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Revoked {
                issuer,
                date,
                reason,
                serial,
                leaf,
            } => {
                let what = match leaf {
                    true => "certificate".to_owned(),
                    false => format!("the CA certificate {serial} above it"),
                };
                let by = format!("CRL of \"{issuer}\"");
                f.write_str(&revoked(&what, *date, *reason, &by))
            }
            Self::Missing { issuer } => write!(
                f,
                "there is no CRL of \"{issuer}\": the operator must add it to crl_paths or crl_urls"
            ),
            Self::Expired { issuer, since } => write!(
                f,
                "the CRL of \"{issuer}\" expired on {}: the operator must publish a new one",
                minute(*since)
            ),
            Self::NotYetValid { issuer, from } => write!(
                f,
                "the CRL of \"{issuer}\" is valid from {} on: check the clocks of the listener and of the CA",
                minute(*from)
            ),
            Self::BadSignature { issuer, why } => {
                write!(f, "the CRL of \"{issuer}\" does not count: {why}")
            }
        }
    }
}

impl std::error::Error for CrlFinding {}
