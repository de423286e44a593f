//! What a check comes to when it is not "good".

use std::{fmt, time::SystemTime};

use thiserror::Error;
use x509_parser::x509::ReasonCode;

use crate::policy::revocation_text;

/// Which certificate of a path a finding is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// The peer's own.
    Leaf,
    /// One between it and the CA, with this subject.
    Intermediate(String),
}

impl fmt::Display for Whose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Leaf => f.write_str("certificate"),
            Self::Intermediate(subject) => write!(f, "intermediate certificate {subject:?}"),
        }
    }
}

/// Why OCSP does not let a certificate in.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OcspFinding {
    /// A verified answer says so.
    #[error("{}", revoked(.whose, *.when, *.reason, &format!("OCSP responder {responder}")))]
    Revoked {
        /// Which certificate.
        whose: Whose,
        /// Since when.
        when: SystemTime,
        /// Why, if the CA says it (RFC 5280, section 5.3.1).
        reason: Option<ReasonCode>,
        /// Whom we asked.
        responder: String,
    },
    /// A verified answer says that the responder has never heard of it.
    #[error(
        "{whose} is unknown to the OCSP responder {responder}: it may be new there, or the responder may serve another CA; try \
         again later, or ask the operator"
    )]
    Unknown {
        /// Which certificate.
        whose: Whose,
        /// Whom we asked.
        responder: String,
    },
    /// The responder cannot be reached, or gives no answer.
    #[error("{whose} cannot be checked: OCSP responder {responder} does not answer: {why}")]
    Unavailable {
        /// Which certificate.
        whose: Whose,
        /// Whom we asked.
        responder: String,
        /// What happened.
        why: String,
    },
    /// What came back is not an answer that counts.
    #[error(
        "{whose} cannot be checked: the answer of OCSP responder {responder} does not count: {why}"
    )]
    BadAnswer {
        /// Which certificate.
        whose: Whose,
        /// Whom we asked.
        responder: String,
        /// What is wrong with it.
        why: String,
    },
    /// The certificate, or its issuer's key, cannot be parsed.
    #[error("{whose} cannot be checked with OCSP: {part} cannot be read")]
    Unreadable {
        /// Which certificate.
        whose: Whose,
        /// What cannot be parsed.
        part: &'static str,
    },
    /// Nobody to ask.
    #[error(
        "{whose} cannot be checked: it names no OCSP responder (authority information access); set ocsp_url, or ocsp to off"
    )]
    NoResponder {
        /// Which certificate.
        whose: Whose,
    },
}

impl OcspFinding {
    /// Stable, for audit log, metrics and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Revoked { .. } => "ocsp_revoked",
            Self::Unknown { .. } => "ocsp_unknown",
            Self::Unavailable { .. } => "ocsp_unavailable",
            Self::BadAnswer { .. } => "ocsp_bad_answer",
            Self::Unreadable { .. } => "ocsp_unreadable",
            Self::NoResponder { .. } => "ocsp_no_responder",
        }
    }

    /// What the peer is told of a verdict: the same without the responder, whose address is no business of it.
    pub fn told(&self) -> Option<String> {
        match self {
            Self::Revoked {
                whose,
                when,
                reason,
                ..
            } => Some(revoked(whose, *when, *reason, "OCSP")),
            Self::Unknown { .. }
            | Self::Unavailable { .. }
            | Self::BadAnswer { .. }
            | Self::Unreadable { .. }
            | Self::NoResponder { .. } => None,
        }
    }

    /// Whether it is a verdict on the certificate, rather than on the responder's health.
    pub fn is_definite(&self) -> bool {
        matches!(self, Self::Revoked { .. })
    }
}

fn revoked(whose: &Whose, when: SystemTime, reason: Option<ReasonCode>, by: &str) -> String {
    let reason = reason.unwrap_or(ReasonCode::Unspecified);
    revocation_text::revoked(&whose.to_string(), when, reason, by)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn words_that_one_can_act_on() {
        let revoked = |whose, reason| OcspFinding::Revoked {
            whose,
            when: SystemTime::UNIX_EPOCH + Duration::from_secs(1_793_664_000),
            reason,
            responder: "http://ocsp.example/".to_owned(),
        };
        assert_eq!(
            revoked(Whose::Leaf, None).to_string(),
            "certificate revoked on 2026-11-03 (OCSP responder http://ocsp.example/): ask the operator for a new one"
        );
        assert_eq!(
            revoked(Whose::Leaf, None).told(),
            Some(
                "certificate revoked on 2026-11-03 (OCSP): ask the operator for a new one"
                    .to_owned()
            )
        );
        let intermediate = Whose::Intermediate("CN=Plant\nCA".to_owned());
        let text = revoked(intermediate, Some(ReasonCode::KeyCompromise)).to_string();
        assert!(
            text.starts_with(
                r#"intermediate certificate "CN=Plant\nCA" revoked on 2026-11-03, key compromised (OCSP"#
            ),
            "{text}"
        );
    }
}
