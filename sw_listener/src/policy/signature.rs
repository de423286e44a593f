//! Signatures over CRLs and OCSP answers, checked with the same algorithms as those over certificates.

use rustls::crypto::WebPkiSupportedAlgorithms;
use thiserror::Error;
use x509_parser::{
    asn1_rs::{Any, Tag},
    prelude::FromDer,
    x509::SubjectPublicKeyInfo,
};

/// Why a signature does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SignatureError {
    /// The signer's public key cannot be parsed.
    #[error("the signer's public key cannot be read")]
    Key,
    /// No algorithm of ours goes with this key.
    #[error("it is signed with an algorithm that is not supported")]
    Algorithm,
    /// The signature is not by this key, or not over this text.
    #[error("its signature is wrong")]
    Wrong,
}

/// What was signed, how, and the signature: the frame that certificates, CRLs (RFC 5280, sections 4.1.1 and 5.1.1) and OCSP
/// answers (RFC 6960, section 4.2.1) share.
#[derive(Debug, Clone, Copy)]
pub struct Signed<'a> {
    /// The signed bytes: DER of `tbsCertList` or `tbsResponseData`.
    message: &'a [u8],
    /// The contents of the `AlgorithmIdentifier`, without its SEQUENCE.
    algorithm: &'a [u8],
    /// The bits of the signature.
    signature: &'a [u8],
}

impl<'a> Signed<'a> {
    /// Takes `SEQUENCE { message, AlgorithmIdentifier, BIT STRING, .. }` (DER) apart; `None` when it is something else.
    pub fn split(der: &'a [u8]) -> Option<Self> {
        let (_, whole) = Any::from_der(der).ok()?;
        whole.tag().assert_eq(Tag::Sequence).ok()?;
        let (rest, _) = Any::from_der(whole.data).ok()?;
        let message = &whole.data[..whole.data.len() - rest.len()];
        let (rest, algorithm) = Any::from_der(rest).ok()?;
        let (_, signature) = Any::from_der(rest).ok()?;
        signature.tag().assert_eq(Tag::BitString).ok()?;
        let (unused, bits) = signature.data.split_first()?;
        (*unused == 0).then_some(Self {
            message,
            algorithm: algorithm.data,
            signature: bits,
        })
    }
}

/// Checks a signature by the key in `spki` (DER of a `SubjectPublicKeyInfo`).
///
/// # Errors
/// [`SignatureError`].
pub fn verify(
    supported: &WebPkiSupportedAlgorithms,
    spki: &[u8],
    signed: Signed<'_>,
) -> Result<(), SignatureError> {
    let (_, key) = SubjectPublicKeyInfo::from_der(spki).map_err(|_| SignatureError::Key)?;
    let key_algorithm = first_of(spki).ok_or(SignatureError::Key)?;
    let mut known = false;
    for algorithm in supported.all {
        if algorithm.public_key_alg_id().as_ref() != key_algorithm
            || algorithm.signature_alg_id().as_ref() != signed.algorithm
        {
            continue;
        }
        known = true;
        let bits = &key.subject_public_key.data;
        if algorithm
            .verify_signature(bits, signed.message, signed.signature)
            .is_ok()
        {
            return Ok(());
        }
    }
    Err(if known {
        SignatureError::Wrong
    } else {
        SignatureError::Algorithm
    })
}

/// The contents of the first element of a SEQUENCE (DER).
fn first_of(der: &[u8]) -> Option<&[u8]> {
    let (_, whole) = Any::from_der(der).ok()?;
    let (_, first) = Any::from_der(whole.data).ok()?;
    Some(first.data)
}

#[cfg(test)]
mod tests {
    use rcgen::{
        CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519,
        PKCS_RSA_SHA256, SignatureAlgorithm,
    };

    use super::*;

    fn supported() -> WebPkiSupportedAlgorithms {
        rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms
    }

    /// A self-signed certificate (DER) and its key's `SubjectPublicKeyInfo` (DER).
    fn signed_by(algorithm: &'static SignatureAlgorithm) -> (Vec<u8>, Vec<u8>) {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let certificate = CertificateParams::default().self_signed(&key).unwrap();
        (
            certificate.der().to_vec(),
            rcgen::PublicKeyData::subject_public_key_info(&key),
        )
    }

    #[test]
    fn signatures_of_every_kind_of_key_are_checked() {
        let kinds = [
            &PKCS_ECDSA_P256_SHA256,
            &PKCS_ECDSA_P384_SHA384,
            &PKCS_ED25519,
            &PKCS_RSA_SHA256,
        ];
        for kind in kinds {
            let (mut der, spki) = signed_by(kind);
            let check =
                |der: &[u8], spki: &[u8]| verify(&supported(), spki, Signed::split(der).unwrap());
            assert_eq!(check(&der, &spki), Ok(()), "{kind:?}");
            let (_, other) = signed_by(kind);
            assert_eq!(check(&der, &other), Err(SignatureError::Wrong), "{kind:?}");
            assert_eq!(check(&der, b"x"), Err(SignatureError::Key));
            let last = der.len() - 1;
            der[last] ^= 1;
            assert_eq!(check(&der, &spki), Err(SignatureError::Wrong), "{kind:?}");
        }
        let (der, _) = signed_by(&PKCS_ED25519);
        let (_, other) = signed_by(&PKCS_ECDSA_P256_SHA256);
        assert_eq!(
            verify(&supported(), &other, Signed::split(&der).unwrap()),
            Err(SignatureError::Algorithm)
        );
    }

    #[test]
    fn what_is_not_signed_is_not_split() {
        for der in [&b""[..], b"\x30", b"\x30\x03\x02\x01\x00", b"\x02\x01\x00"] {
            assert!(Signed::split(der).is_none());
        }
    }
}
