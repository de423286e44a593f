//! A file taken apart: PEM sections, or one DER value, each told by what it is.

use std::path::Path;

use rustls::pki_types::{PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer};
use x509_parser::certificate::X509Certificate;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::CertificateRevocationList;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::super::facts::Unreadable;
use super::super::store::{TABLE_LIMIT, read_bounded};
use super::super::text::printable;
use super::key;

/// A section of a file.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) content: Content,
    pub(super) der: Vec<u8>,
}

/// What a section says that it is (PEM), or was found to be (DER).
#[derive(Debug)]
pub(super) enum Content {
    Certificate,
    List,
    Request,
    PrivateKey(PrivateKeyDer<'static>),
    EncryptedKey,
    PublicKey,
    /// With its PEM label.
    Other(String),
}

impl Block {
    /// What it is, in words that go behind "holds".
    pub(super) fn described(&self) -> String {
        match &self.content {
            Content::Certificate => "a certificate".to_owned(),
            Content::List => "a revocation list".to_owned(),
            Content::Request => "a certificate request".to_owned(),
            Content::PrivateKey(_) => "a private key".to_owned(),
            Content::EncryptedKey => "an encrypted private key".to_owned(),
            Content::PublicKey => "a public key".to_owned(),
            Content::Other(label) => format!("a PEM section {}", printable(label)),
        }
    }
}

/// The sections of a file; at least one.
///
/// # Errors
///
/// It cannot be read, is too large, or holds nothing that is known.
pub(super) fn file(path: &Path) -> Result<Vec<Block>, Unreadable> {
    parse(&read_bounded(path, TABLE_LIMIT)?)
}

/// The sections of PEM text, or the one value of DER. Pure.
fn parse(bytes: &[u8]) -> Result<Vec<Block>, Unreadable> {
    const BEGIN: &[u8] = b"-----BEGIN ";
    if bytes.windows(BEGIN.len()).any(|window| window == BEGIN) {
        let sections = pem::parse_many(bytes).map_err(|_| Unreadable::Pem)?;
        let blocks: Vec<_> = sections.into_iter().map(section).collect();
        return if blocks.is_empty() {
            Err(Unreadable::Pem)
        } else {
            Ok(blocks)
        };
    }
    let content = guess(bytes).ok_or(Unreadable::Nothing)?;
    Ok(vec![Block {
        content,
        der: bytes.to_vec(),
    }])
}

/// A PEM section by its label (RFC 7468, and the older labels of openssl).
fn section(section: pem::Pem) -> Block {
    // RFC 1421, section 4.6.1.1: the older form of encryption stands in a header.
    let encrypted = section
        .headers()
        .get("Proc-Type")
        .is_some_and(|kind| kind.contains("ENCRYPTED"));
    let label = section.tag().to_owned();
    let der = section.into_contents();
    let content = match label.as_str() {
        "CERTIFICATE" | "X509 CERTIFICATE" => Content::Certificate,
        "X509 CRL" => Content::List,
        "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => Content::Request,
        "PUBLIC KEY" => Content::PublicKey,
        "ENCRYPTED PRIVATE KEY" => Content::EncryptedKey,
        "PRIVATE KEY" | "RSA PRIVATE KEY" | "EC PRIVATE KEY" if encrypted => Content::EncryptedKey,
        "PRIVATE KEY" => Content::PrivateKey(PrivatePkcs8KeyDer::from(der.clone()).into()),
        "RSA PRIVATE KEY" => Content::PrivateKey(PrivatePkcs1KeyDer::from(der.clone()).into()),
        "EC PRIVATE KEY" => Content::PrivateKey(PrivateSec1KeyDer::from(der.clone()).into()),
        _ => Content::Other(label),
    };
    Block { content, der }
}

/// What whole DER value this is.
fn guess(der: &[u8]) -> Option<Content> {
    fn whole<T, E>(parsed: Result<(&[u8], T), E>) -> bool {
        parsed.is_ok_and(|(rest, _)| rest.is_empty())
    }
    if whole(X509Certificate::from_der(der)) {
        return Some(Content::Certificate);
    }
    if whole(CertificateRevocationList::from_der(der)) {
        return Some(Content::List);
    }
    if whole(X509CertificationRequest::from_der(der)) {
        return Some(Content::Request);
    }
    if whole(SubjectPublicKeyInfo::from_der(der)) {
        return Some(Content::PublicKey);
    }
    let keys: [PrivateKeyDer<'static>; 3] = [
        PrivatePkcs8KeyDer::from(der.to_vec()).into(),
        PrivateSec1KeyDer::from(der.to_vec()).into(),
        PrivatePkcs1KeyDer::from(der.to_vec()).into(),
    ];
    let known = |key: &PrivateKeyDer<'_>| key::public_of(key).is_some();
    keys.into_iter().find(known).map(Content::PrivateKey)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_told_in_both_forms() {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let request = rcgen::CertificateParams::default()
            .serialize_request(&made.signing_key)
            .unwrap();
        let public = rcgen::PublicKeyData::subject_public_key_info(&made.signing_key);
        let cases = [
            (made.cert.pem(), made.cert.der().to_vec(), "a certificate"),
            (
                request.pem().unwrap(),
                request.der().to_vec(),
                "a certificate request",
            ),
            (
                made.signing_key.serialize_pem(),
                made.signing_key.serialize_der(),
                "a private key",
            ),
            (made.signing_key.public_key_pem(), public, "a public key"),
        ];
        for (pem, der, expected) in cases {
            assert_eq!(parse(pem.as_bytes()).unwrap()[0].described(), expected);
            let noisy = format!("\u{feff}some text\r\n{}", pem.replace('\n', "\r\n"));
            assert_eq!(parse(noisy.as_bytes()).unwrap()[0].described(), expected);
            assert_eq!(parse(&der).unwrap()[0].described(), expected);
        }
    }

    #[test]
    fn what_is_nothing_is_told_so() {
        assert_eq!(parse(b"").unwrap_err(), Unreadable::Nothing);
        assert_eq!(parse(b"hello").unwrap_err(), Unreadable::Nothing);
        assert_eq!(parse(&[0x30, 0x80, 0, 0]).unwrap_err(), Unreadable::Nothing);
        assert_eq!(
            parse(b"-----BEGIN CERTIFICATE-----\nAAA").unwrap_err(),
            Unreadable::Pem
        );
    }

    #[test]
    fn encrypted_keys_are_told_by_label_or_header() {
        let old = "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA\n-----END EC PRIVATE KEY-----\n";
        assert!(matches!(
            parse(old.as_bytes()).unwrap()[0].content,
            Content::EncryptedKey
        ));
        let new =
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
        assert!(matches!(
            parse(new.as_bytes()).unwrap()[0].content,
            Content::EncryptedKey
        ));
    }
}
