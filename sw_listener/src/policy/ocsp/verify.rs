//! Whether an answer counts, and what it says (RFC 6960, section 3.2). Pure: the time is an argument.

use std::time::{Duration, SystemTime};

use rustls::crypto::WebPkiSupportedAlgorithms;
use thiserror::Error;

use super::{
    cert_id::CertId,
    der::Malformed,
    request,
    response::{self, Basic, FrameError, Refusal, Single, Status},
    signer::{self, SignerError},
};
use crate::{
    config::NonceUse,
    policy::{chain::Issuer, signature::Signed},
};

/// How far the responder's clock and ours may be apart.
pub(super) const CLOCK_SKEW: Duration = Duration::from_secs(5 * 60);

/// What was asked, and what the answer must hold to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question<'a> {
    /// The certificate.
    pub(super) id: &'a CertId,
    /// Who has issued it.
    pub(super) issuer: &'a Issuer,
    /// What was sent along.
    pub(super) nonce: Option<&'a [u8]>,
    /// Whether the nonce must come back.
    pub(super) nonce_use: NonceUse,
    /// How old an answer may be that does not say how long it counts, or lacks the nonce.
    pub(super) max_age: Duration,
}

/// What a signed answer says of the certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Statement {
    pub(super) status: Status,
    /// When this was known to be so.
    pub(super) this_update: SystemTime,
    /// Until when it counts.
    pub(super) until: SystemTime,
    /// Whether the responder has said how long it counts. If not, newer information is to be had at any time (RFC 6960,
    /// section 4.2.2.1).
    pub(super) promised: bool,
}

/// Why an answer does not count.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum AnswerError {
    #[error("{0}")]
    Refusal(Refusal),
    #[error("it is not an OCSP answer: {0}")]
    Malformed(#[from] Malformed),
    #[error(transparent)]
    Signer(#[from] SignerError),
    #[error("it is about another certificate")]
    OtherCertificate,
    #[error("it answers twice for the same certificate")]
    Twice,
    #[error("it carries another nonce: it was made for another question")]
    OtherNonce,
    #[error("it lacks the nonce; if the responder cannot send it, set ocsp_nonce to auto")]
    NoNonce,
    #[error(
        "it lacks the nonce and is {0} s old: it may be an old one, sent again; if the responder prepares its answers, set \
         ocsp_nonce to off"
    )]
    OldWithoutNonce(u64),
    #[error("it is from the future; is a clock wrong?")]
    Future,
    #[error("it has expired; is a clock wrong?")]
    Expired,
    #[error("it ends before it begins")]
    Backwards,
}

impl From<FrameError> for AnswerError {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::Malformed(malformed) => malformed.into(),
            FrameError::Refusal(refusal) => Self::Refusal(refusal),
        }
    }
}

/// Judges the answer (DER) to a question.
pub(super) fn verify(
    supported: &WebPkiSupportedAlgorithms,
    question: &Question<'_>,
    answer: &[u8],
    now: SystemTime,
) -> Result<Statement, AnswerError> {
    let frame = response::basic(answer)?;
    let signed = Signed::split(frame).ok_or(Malformed("BasicOCSPResponse"))?;
    let basic = Basic::read(frame)?;
    signer::check(supported, question.issuer, &basic, signed, now)?;
    let mut about = basic.singles.iter().filter(|s| s.id == *question.id);
    let single = about.next().ok_or(AnswerError::OtherCertificate)?;
    if about.next().is_some() {
        return Err(AnswerError::Twice);
    }
    if basic.produced_at > now + CLOCK_SKEW {
        return Err(AnswerError::Future);
    }
    let until = current(single, question.max_age, now)?;
    nonce(question, basic.nonce, single, now)?;
    Ok(Statement {
        status: single.status,
        this_update: single.this_update,
        until,
        promised: single.next_update.is_some(),
    })
}

/// Until when the answer counts, if it counts now.
fn current(single: &Single, max_age: Duration, now: SystemTime) -> Result<SystemTime, AnswerError> {
    if single.this_update > now + CLOCK_SKEW {
        return Err(AnswerError::Future);
    }
    let until = match single.next_update {
        Some(next) if next < single.this_update => return Err(AnswerError::Backwards),
        Some(next) => next + CLOCK_SKEW,
        None => single.this_update + max_age,
    };
    if until < now {
        return Err(AnswerError::Expired);
    }
    Ok(until)
}

/// RFC 6960, section 4.4.1: the nonce binds an answer to its question, so that an old one cannot be sent again.
fn nonce(
    question: &Question<'_>,
    returned: Option<&[u8]>,
    single: &Single,
    now: SystemTime,
) -> Result<(), AnswerError> {
    let Some(sent) = question.nonce else {
        return Ok(());
    };
    match returned {
        Some(value) if value == request::nonce_value(sent) => Ok(()),
        Some(_) => Err(AnswerError::OtherNonce),
        None if question.nonce_use == NonceUse::Require => Err(AnswerError::NoNonce),
        None => {
            let age = now.duration_since(single.this_update).unwrap_or_default();
            if age > question.max_age {
                return Err(AnswerError::OldWithoutNonce(age.as_secs()));
            }
            Ok(())
        }
    }
}
