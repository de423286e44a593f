//! How a certificate is named in OCSP: `CertID` (RFC 6960, section 4.1.1).
//!
//! SHA-1 by default: RFC 5019, section 2.1.1, demands it, and every responder knows it. Nothing hangs on its strength:
//! the hashes only say which CA is meant. Whoever found another CA with the same hashes still could not sign as ours,
//! and whether an answer counts is decided by the signature, with the key itself.

use aws_lc_rs::digest::{self, Algorithm};
use x509_parser::{prelude::FromDer, x509::SubjectPublicKeyInfo};

use super::der::{self, Malformed, Reader};
use crate::{config::CertIdHash, policy::chain::Issuer};

/// 1.3.14.3.2.26
const SHA1: &[u8] = &[0x2b, 0x0e, 0x03, 0x02, 0x1a];
/// 2.16.840.1.101.3.4.2.1
const SHA256: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];

/// A certificate's name in a question and in its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CertId {
    /// The contents of the OBJECT IDENTIFIER of the hash.
    algorithm: Vec<u8>,
    issuer_name_hash: Vec<u8>,
    issuer_key_hash: Vec<u8>,
    /// The contents of the INTEGER.
    serial: Vec<u8>,
}

impl CertId {
    /// Names the certificate of this issuer with this serial number (the contents of its INTEGER).
    pub(super) fn new(hash: CertIdHash, issuer: &Issuer, serial: &[u8]) -> Result<Self, Malformed> {
        let (oid, algorithm): (_, &Algorithm) = match hash {
            CertIdHash::Sha1 => (SHA1, &digest::SHA1_FOR_LEGACY_USE_ONLY),
            CertIdHash::Sha256 => (SHA256, &digest::SHA256),
        };
        let key = key_bits(&issuer.spki)?;
        Ok(Self {
            algorithm: oid.to_vec(),
            issuer_name_hash: digest::digest(algorithm, &issuer.name).as_ref().to_vec(),
            issuer_key_hash: digest::digest(algorithm, &key).as_ref().to_vec(),
            serial: serial.to_vec(),
        })
    }

    /// Reads the contents of a `CertID`.
    pub(super) fn read(contents: &[u8]) -> Result<Self, Malformed> {
        const PART: &str = "certID";
        let mut reader = Reader::new(contents);
        let mut hash = Reader::new(reader.take(der::SEQUENCE, PART)?);
        let algorithm = hash.take(der::OBJECT_IDENTIFIER, PART)?;
        // Absent and NULL both mean that there are none (RFC 8017, appendix B.1).
        hash.take_optional(der::NULL, PART)?;
        hash.finish(PART)?;
        let id = Self {
            algorithm: algorithm.to_vec(),
            issuer_name_hash: reader.take(der::OCTET_STRING, PART)?.to_vec(),
            issuer_key_hash: reader.take(der::OCTET_STRING, PART)?.to_vec(),
            serial: reader.take(der::INTEGER, PART)?.to_vec(),
        };
        reader.finish(PART)?;
        Ok(id)
    }

    /// DER.
    pub(super) fn to_der(&self) -> Vec<u8> {
        let oid = der::element(der::OBJECT_IDENTIFIER, &[&self.algorithm]);
        let none = der::element(der::NULL, &[]);
        der::element(
            der::SEQUENCE,
            &[
                &der::element(der::SEQUENCE, &[&oid, &none]),
                &der::element(der::OCTET_STRING, &[&self.issuer_name_hash]),
                &der::element(der::OCTET_STRING, &[&self.issuer_key_hash]),
                &der::element(der::INTEGER, &[&self.serial]),
            ],
        )
    }
}

/// What `KeyHash` is the SHA-1 of: the bits of the public key, without tag, length and number of unused bits.
pub(super) fn key_bits(spki: &[u8]) -> Result<Vec<u8>, Malformed> {
    let (_, key) =
        SubjectPublicKeyInfo::from_der(spki).map_err(|_| Malformed("the issuer's public key"))?;
    Ok(key.subject_public_key.data.to_vec())
}

/// `KeyHash` (RFC 6960, section 4.2.1).
pub(super) fn key_hash(spki: &[u8]) -> Result<Vec<u8>, Malformed> {
    let hash = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &key_bits(spki)?);
    Ok(hash.as_ref().to_vec())
}
