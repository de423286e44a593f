//! The answer, parsed: `OCSPResponse` (RFC 6960, section 4.2.1). Nothing here is trusted yet; [`super::verify`] judges
//! it.

use std::time::SystemTime;

use thiserror::Error;
use x509_parser::x509::ReasonCode;

use super::{
    cert_id::CertId,
    der::{self, Malformed, Reader},
    request::NONCE,
};

/// 1.3.6.1.5.5.7.48.1.1, id-pkix-ocsp-basic
pub(super) const BASIC: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x01];

/// Why the responder gives no answer: `OCSPResponseStatus`, except `successful`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(super) enum Refusal {
    #[error(
        "it does not understand the question (malformedRequest); if the nonce is the reason, set ocsp_nonce to off"
    )]
    MalformedRequest,
    #[error("it is broken (internalError)")]
    InternalError,
    #[error("it is busy (tryLater)")]
    TryLater,
    #[error("it wants signed questions, which are not supported (sigRequired)")]
    SigRequired,
    #[error("it is not responsible for this CA, or may not tell us (unauthorized)")]
    Unauthorized,
}

/// What is wrong with the frame of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(super) enum FrameError {
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error(transparent)]
    Refusal(#[from] Refusal),
}

/// The `BasicOCSPResponse` (DER) inside an answer.
pub(super) fn basic(answer: &[u8]) -> Result<&[u8], FrameError> {
    let mut reader = Reader::new(der::only(answer, der::SEQUENCE, "OCSPResponse")?);
    let status = reader.take(der::ENUMERATED, "responseStatus")?;
    match status {
        [0] => {}
        [1] => return Err(Refusal::MalformedRequest.into()),
        [2] => return Err(Refusal::InternalError.into()),
        [3] => return Err(Refusal::TryLater.into()),
        [5] => return Err(Refusal::SigRequired.into()),
        [6] => return Err(Refusal::Unauthorized.into()),
        _ => return Err(Malformed("responseStatus").into()),
    }
    let bytes = reader.take(der::constructed(0), "responseBytes")?;
    reader.finish("OCSPResponse")?;
    let mut bytes = Reader::new(der::only(bytes, der::SEQUENCE, "responseBytes")?);
    if bytes.take(der::OBJECT_IDENTIFIER, "responseType")? != BASIC {
        return Err(Malformed("responseType").into());
    }
    let basic = bytes.take(der::OCTET_STRING, "response")?;
    bytes.finish("responseBytes")?;
    Ok(basic)
}

/// The signer's name of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ResponderId<'a> {
    /// DER of its `Name`.
    Name(&'a [u8]),
    /// SHA-1 of its key.
    KeyHash(&'a [u8]),
}

/// What the responder says of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Good,
    Revoked {
        when: SystemTime,
        reason: Option<ReasonCode>,
    },
    Unknown,
}

/// `SingleResponse`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Single {
    pub(super) id: CertId,
    pub(super) status: Status,
    pub(super) this_update: SystemTime,
    pub(super) next_update: Option<SystemTime>,
}

/// `ResponseData`, and the certificates beside it.
#[derive(Debug, Clone)]
pub(super) struct Basic<'a> {
    pub(super) responder: ResponderId<'a>,
    pub(super) produced_at: SystemTime,
    pub(super) singles: Vec<Single>,
    /// The extension's value: DER of `Nonce`.
    pub(super) nonce: Option<&'a [u8]>,
    /// DER of each.
    pub(super) certificates: Vec<&'a [u8]>,
}

impl<'a> Basic<'a> {
    /// Reads a `BasicOCSPResponse` (DER), its signature aside.
    pub(super) fn read(basic: &'a [u8]) -> Result<Self, Malformed> {
        let mut outer = Reader::new(der::only(basic, der::SEQUENCE, "BasicOCSPResponse")?);
        let mut data = Reader::new(outer.take(der::SEQUENCE, "tbsResponseData")?);
        outer.take(der::SEQUENCE, "signatureAlgorithm")?;
        outer.take(der::BIT_STRING, "signature")?;
        let certificates = certificates(outer.take_optional(der::constructed(0), "certs")?)?;
        outer.finish("BasicOCSPResponse")?;

        if let Some(version) = data.take_optional(der::constructed(0), "version")?
            && der::only(version, der::INTEGER, "version")? != [0]
        {
            return Err(Malformed("version"));
        }
        let responder = responder_id(&mut data)?;
        let produced_at = data.take_time("producedAt")?;
        let mut list = Reader::new(data.take(der::SEQUENCE, "responses")?);
        let mut singles = Vec::new();
        while !list.is_empty() {
            singles.push(single(list.take(der::SEQUENCE, "SingleResponse")?)?);
        }
        let nonce = match data.take_optional(der::constructed(1), "responseExtensions")? {
            Some(list) => nonce(list)?,
            None => None,
        };
        data.finish("tbsResponseData")?;
        Ok(Self {
            responder,
            produced_at,
            singles,
            nonce,
            certificates,
        })
    }
}

fn certificates(list: Option<&[u8]>) -> Result<Vec<&[u8]>, Malformed> {
    let Some(list) = list else {
        return Ok(Vec::new());
    };
    let mut list = Reader::new(der::only(list, der::SEQUENCE, "certs")?);
    let mut certificates = Vec::new();
    while !list.is_empty() {
        certificates.push(list.take_whole(der::SEQUENCE, "certs")?.0);
    }
    Ok(certificates)
}

fn responder_id<'a>(data: &mut Reader<'a>) -> Result<ResponderId<'a>, Malformed> {
    const PART: &str = "responderID";
    if let Some(name) = data.take_optional(der::constructed(1), PART)? {
        der::only(name, der::SEQUENCE, PART)?;
        return Ok(ResponderId::Name(name));
    }
    let hash = data.take(der::constructed(2), PART)?;
    der::only(hash, der::OCTET_STRING, PART).map(ResponderId::KeyHash)
}

fn single(contents: &[u8]) -> Result<Single, Malformed> {
    let mut reader = Reader::new(contents);
    let id = CertId::read(reader.take(der::SEQUENCE, "certID")?)?;
    let status = status(&mut reader)?;
    let this_update = reader.take_time("thisUpdate")?;
    let next_update = match reader.take_optional(der::constructed(0), "nextUpdate")? {
        Some(time) => {
            let mut time = Reader::new(time);
            let next = time.take_time("nextUpdate")?;
            time.finish("nextUpdate")?;
            Some(next)
        }
        None => None,
    };
    if let Some(list) = reader.take_optional(der::constructed(1), "singleExtensions")? {
        extensions(list, |_, _| false)?;
    }
    reader.finish("SingleResponse")?;
    Ok(Single {
        id,
        status,
        this_update,
        next_update,
    })
}

fn status(reader: &mut Reader<'_>) -> Result<Status, Malformed> {
    const PART: &str = "certStatus";
    if reader.take_optional(der::primitive(0), PART)?.is_some() {
        return Ok(Status::Good);
    }
    if reader.take_optional(der::primitive(2), PART)?.is_some() {
        return Ok(Status::Unknown);
    }
    let mut info = Reader::new(reader.take(der::constructed(1), PART)?);
    let when = info.take_time("revocationTime")?;
    let reason = match info.take_optional(der::constructed(0), "revocationReason")? {
        Some(reason) => match der::only(reason, der::ENUMERATED, "revocationReason")? {
            [reason] => Some(ReasonCode(*reason)),
            _ => return Err(Malformed("revocationReason")),
        },
        None => None,
    };
    info.finish("revokedInfo")?;
    Ok(Status::Revoked { when, reason })
}

fn nonce(list: &[u8]) -> Result<Option<&[u8]>, Malformed> {
    let mut nonce = None;
    extensions(list, |id, value| {
        let known = id == NONCE;
        if known {
            nonce = Some(value);
        }
        known
    })?;
    Ok(nonce)
}

/// Shows each of `Extensions` (DER) to `known`. What is critical must be known (RFC 5280, section 4.2).
fn extensions<'a>(
    list: &'a [u8],
    mut known: impl FnMut(&'a [u8], &'a [u8]) -> bool,
) -> Result<(), Malformed> {
    const PART: &str = "an extension";
    let mut list = Reader::new(der::only(list, der::SEQUENCE, PART)?);
    while !list.is_empty() {
        let mut extension = Reader::new(list.take(der::SEQUENCE, PART)?);
        let id = extension.take(der::OBJECT_IDENTIFIER, PART)?;
        let critical = extension.take_optional(der::BOOLEAN, PART)?;
        let value = extension.take(der::OCTET_STRING, PART)?;
        extension.finish(PART)?;
        let is_critical = critical.is_some_and(|contents| contents != [0]);
        if !known(id, value) && is_critical {
            return Err(Malformed("a critical extension that is not known"));
        }
    }
    Ok(())
}
