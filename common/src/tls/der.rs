//! What bytes without PEM around them are. Pure.

use rustls::pki_types::PrivateKeyDer;
use x509_parser::{
    asn1_rs::{Any, Header, Tag},
    certification_request::X509CertificationRequest,
    prelude::{CertificateRevocationList, FromDer, X509Certificate},
    x509::SubjectPublicKeyInfo,
};

use super::{found::Found, pem::Piece};

/// The object identifiers of PKCS#7 (RFC 2315, section 14) begin with these bytes.
const PKCS7: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07];

/// Takes a whole DER value for what it is. What stands behind a certificate is left to its reader.
pub(super) fn recognise(der: &[u8]) -> Piece {
    if X509Certificate::from_der(der).is_ok() {
        return Piece::Certificate(der.to_vec().into());
    }
    if CertificateRevocationList::from_der(der).is_ok() {
        return Piece::Crl;
    }
    if let Some(key) = private_key(der) {
        return Piece::Key(key);
    }
    Piece::Other(other(der))
}

/// A private key, by its structure: PKCS#8 (RFC 5958), PKCS#1 (RFC 8017) or SEC1 (RFC 5915).
pub(super) fn private_key(der: &[u8]) -> Option<PrivateKeyDer<'static>> {
    let parts = parts(der)?;
    let [(Tag::Integer, version), (second, _), ..] = parts.as_slice() else {
        return None;
    };
    match (*version, *second) {
        ([0 | 1], Tag::Sequence) => Some(PrivateKeyDer::Pkcs8(der.to_vec().into())),
        ([0], Tag::Integer) => Some(PrivateKeyDer::Pkcs1(der.to_vec().into())),
        ([1], Tag::OctetString) => Some(PrivateKeyDer::Sec1(der.to_vec().into())),
        _ => None,
    }
}

fn other(der: &[u8]) -> Found {
    if X509CertificationRequest::from_der(der).is_ok() {
        return Found::Csr;
    }
    if SubjectPublicKeyInfo::from_der(der).is_ok_and(|(rest, _)| rest.is_empty()) {
        return Found::PublicKey;
    }
    match parts(der).as_deref() {
        Some([(Tag::Integer, [3]), (Tag::Sequence, _), ..]) => Found::Pkcs12,
        Some([(Tag::Sequence, _), (Tag::OctetString, _)]) => Found::EncryptedKey,
        Some([(Tag::Oid, oid), ..]) if oid.starts_with(PKCS7) => Found::Pkcs7,
        None if is_cut_off(der) => Found::CutOff,
        Some(_) | None => Found::Binary,
    }
}

/// Whether this begins like what belongs here (a SEQUENCE of up to 1 MiB that begins with another, or with a version), and
/// ends too early.
fn is_cut_off(der: &[u8]) -> bool {
    let Ok((content, header)) = Header::from_der(der) else {
        return false;
    };
    let length = header.length().definite().unwrap_or(0);
    let begins = matches!(content.first(), Some(0x30 | 0x02));
    header.tag() == Tag::Sequence && begins && (content.len()..1 << 20).contains(&length)
}

/// The members of a SEQUENCE, if it is one and nothing follows it: tag and contents of at most ten.
fn parts(der: &[u8]) -> Option<Vec<(Tag, &[u8])>> {
    let (rest, whole) = Any::from_der(der).ok()?;
    if whole.header.tag() != Tag::Sequence || !rest.is_empty() {
        return None;
    }
    let mut left = whole.data;
    let mut parts = Vec::new();
    while !left.is_empty() && parts.len() < 10 {
        let (rest, part) = Any::from_der(left).ok()?;
        parts.push((part.header.tag(), part.data));
        left = rest;
    }
    Some(parts)
}
