//! The public keys that a chain leads over, and rules about them.

use std::cell::RefCell;

use rustls::{
    RootCertStore,
    crypto::WebPkiSupportedAlgorithms,
    pki_types::{CertificateDer, UnixTime},
};
use webpki::{EndEntityCert, KeyUsage, VerifiedPath};
use x509_parser::asn1_rs::{Header, Tag, ToDer};

use super::Unwanted;
use crate::tls::{Pin, facts, policy::MIN_RSA_BITS};

/// What the keys of a path must be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules<'a> {
    /// One of them must be there; empty: no matter.
    pub(super) pins: &'a [Pin],
    /// The smallest RSA key, in bits.
    pub(super) min_rsa_bits: u32,
}

impl Rules<'_> {
    /// Whether every path passes anyway. Below [`MIN_RSA_BITS`] the library verifies no signature.
    pub(super) fn are_empty(&self) -> bool {
        self.pins.is_empty() && self.min_rsa_bits <= MIN_RSA_BITS
    }

    fn judge(&self, keys: &[Vec<u8>]) -> Result<(), Unwanted> {
        for (index, key) in keys.iter().enumerate() {
            if let Some(bits) = facts::rsa_bits(key).filter(|bits| *bits < self.min_rsa_bits) {
                return Err(Unwanted::SmallKey {
                    position: match index {
                        0 => "the certificate",
                        _ if index + 1 == keys.len() => "its CA",
                        _ => "its intermediate certificate",
                    },
                    bits,
                    minimum: self.min_rsa_bits,
                });
            }
        }
        let seen: Vec<_> = keys.iter().map(|key| Pin::of_spki(key)).collect();
        if self.pins.is_empty() || seen.iter().any(|pin| self.pins.contains(pin)) {
            return Ok(());
        }
        Err(Unwanted::Pins(seen))
    }
}

/// A chain as it was presented, and what it is verified with.
pub(super) struct Presented<'a> {
    pub(super) leaf: &'a CertificateDer<'a>,
    pub(super) intermediates: &'a [CertificateDer<'a>],
    pub(super) roots: &'a RootCertStore,
    pub(super) supported: &'a WebPkiSupportedAlgorithms,
    pub(super) now: UnixTime,
}

impl Presented<'_> {
    /// Looks for a path whose keys are as they should be. Certificates beside the path do not matter.
    ///
    /// # Errors
    /// Why the last path that was found is not wanted.
    pub(super) fn check(&self, usage: KeyUsage, rules: Rules<'_>) -> Result<(), Unwanted> {
        if rules.are_empty() {
            return Ok(());
        }
        let unreadable = |error: webpki::Error| Unwanted::Unreadable(error.to_string());
        let leaf = EndEntityCert::try_from(self.leaf).map_err(unreadable)?;
        let reason = RefCell::new(None);
        let judge = |path: &VerifiedPath<'_>| {
            rules.judge(&keys(path)).map_err(|unwanted| {
                *reason.borrow_mut() = Some(unwanted);
                // Any error sends the search on.
                webpki::Error::UnknownIssuer
            })
        };
        let found = leaf.verify_for_usage(
            self.supported.all,
            &self.roots.roots,
            self.intermediates,
            self.now,
            usage,
            None,
            Some(&judge),
        );
        let reason = reason.take();
        found
            .map(drop)
            .map_err(|error| reason.unwrap_or_else(|| unreadable(error)))
    }
}

/// `SubjectPublicKeyInfo` (DER) of every certificate of a path, leaf first, the CA last.
fn keys(path: &VerifiedPath<'_>) -> Vec<Vec<u8>> {
    let mut keys = vec![path.end_entity().subject_public_key_info().to_vec()];
    keys.extend(
        path.intermediate_certificates()
            .map(|certificate| certificate.subject_public_key_info().to_vec()),
    );
    keys.extend(sequence(&path.anchor().subject_public_key_info));
    keys
}

/// Puts the contents back into their SEQUENCE: trust anchors are kept without.
fn sequence(contents: &[u8]) -> Option<Vec<u8>> {
    let header = Header::new_simple(Tag::Sequence).with_length(contents.len().into());
    let mut der = header.to_der_vec().ok()?;
    der.extend_from_slice(contents);
    Some(der)
}
