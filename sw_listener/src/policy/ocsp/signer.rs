//! Who has signed an answer, and may they (RFC 6960, section 4.2.2.2)? The CA itself, or whom it has authorised.
//!
//! An authorised responder's certificate may say that it is not itself to be checked (id-pkix-ocsp-nocheck). We do not
//! check it either way: asking the same responder about itself would prove nothing, so such certificates should be
//! short-lived, as the RFC advises.

use std::time::{SystemTime, UNIX_EPOCH};

use rustls::crypto::WebPkiSupportedAlgorithms;
use thiserror::Error;
use x509_parser::{
    extensions::ParsedExtension,
    oid_registry::{Oid, asn1_rs::oid},
    prelude::{FromDer, X509Certificate},
    time::ASN1Time,
};

use super::{
    cert_id,
    der::Malformed,
    response::{Basic, ResponderId},
};
use crate::policy::{
    chain::Issuer,
    signature::{self, SignatureError, Signed},
};

/// How many of the certificates in an answer are tried: each may cost two checks of a signature.
const MAX_CANDIDATES: usize = 4;

/// Why the signer does not count.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum SignerError {
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error("{0}")]
    Answer(#[from] SignatureError),
    #[error(
        "it is signed by somebody else than the CA, and their certificate is not in the answer"
    )]
    Stranger,
    #[error("its signer's certificate cannot be read")]
    Unreadable,
    #[error("its signer's certificate was not issued by the CA that issued the checked one")]
    OtherIssuer,
    #[error(
        "its signer's certificate is not made for OCSP (extended key usage OCSPSigning, key usage digitalSignature)"
    )]
    Usage,
    #[error("its signer's certificate has expired, or is not valid yet")]
    Validity,
    #[error("its signer's certificate has a critical extension that is not known")]
    Critical,
}

/// Checks that `signed`, the frame of `basic`, is signed by `issuer` or by whom it has authorised.
pub(super) fn check(
    supported: &WebPkiSupportedAlgorithms,
    issuer: &Issuer,
    basic: &Basic<'_>,
    signed: Signed<'_>,
    now: SystemTime,
) -> Result<(), SignerError> {
    let mut result = Err(SignerError::Stranger);
    if names(basic.responder, &issuer.name, &issuer.spki)? {
        result = signature::verify(supported, &issuer.spki, signed).map_err(Into::into);
    }
    let mut candidates = 0;
    for certificate in &basic.certificates {
        if result.is_ok() || candidates == MAX_CANDIDATES {
            break;
        }
        let Ok((_, parsed)) = X509Certificate::from_der(certificate) else {
            return Err(SignerError::Unreadable);
        };
        let spki = parsed.public_key().raw;
        if names(basic.responder, parsed.subject().as_raw(), spki)? {
            candidates += 1;
            result = authorised(supported, issuer, certificate, &parsed, now)
                .and_then(|()| Ok(signature::verify(supported, spki, signed)?));
        }
    }
    result
}

/// Whether the holder of this name and key is who the answer says has signed it.
fn names(responder: ResponderId<'_>, name: &[u8], spki: &[u8]) -> Result<bool, Malformed> {
    match responder {
        ResponderId::Name(signer) => Ok(signer == name),
        ResponderId::KeyHash(signer) => Ok(signer == cert_id::key_hash(spki)?),
    }
}

/// Whether the CA has made this certificate for a responder, with the key that has signed the checked one.
fn authorised(
    supported: &WebPkiSupportedAlgorithms,
    issuer: &Issuer,
    der: &[u8],
    certificate: &X509Certificate<'_>,
    now: SystemTime,
) -> Result<(), SignerError> {
    let signed = Signed::split(der).ok_or(SignerError::Unreadable)?;
    if certificate.issuer().as_raw() != issuer.name
        || signature::verify(supported, &issuer.spki, signed).is_err()
    {
        return Err(SignerError::OtherIssuer);
    }
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = i64::try_from(since.as_secs()).map_err(|_| SignerError::Validity)?;
    let now = ASN1Time::from_timestamp(seconds).map_err(|_| SignerError::Validity)?;
    if !certificate.validity().is_valid_at(now) {
        return Err(SignerError::Validity);
    }
    usage(certificate)
}

/// id-pkix-ocsp-nocheck (RFC 6960, section 4.2.2.2.1).
fn no_check() -> Oid<'static> {
    oid!(1.3.6.1.5.5.7.48.1.5)
}

fn usage(certificate: &X509Certificate<'_>) -> Result<(), SignerError> {
    let mut for_ocsp = false;
    for extension in certificate.extensions() {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "all others matter only when they are critical"
        )]
        match extension.parsed_extension() {
            // `anyExtendedKeyUsage` is not enough: the CA must have meant it.
            ParsedExtension::ExtendedKeyUsage(usage) => for_ocsp = usage.ocsp_signing,
            ParsedExtension::KeyUsage(usage) if !usage.digital_signature() => {
                return Err(SignerError::Usage);
            }
            ParsedExtension::KeyUsage(_)
            | ParsedExtension::BasicConstraints(_)
            | ParsedExtension::SubjectAlternativeName(_)
            | ParsedExtension::CertificatePolicies(_) => {}
            _ if extension.critical && extension.oid != no_check() => {
                return Err(SignerError::Critical);
            }
            _ => {}
        }
    }
    if for_ocsp {
        Ok(())
    } else {
        Err(SignerError::Usage)
    }
}
