//! The CAs of the folder, as far as their certificates tell: enough to say who has issued something.

use std::path::PathBuf;

use rustls::pki_types::CertificateDer;
use time::OffsetDateTime;

use super::error::{CaError, PkiError};
use super::facts::{Unreadable, first_der, parse, serial_text};
use super::names::{CaId, Stem};
use super::store::{READ_LIMIT, Store, read_bounded};
use super::text::{ca_command, init_command, printable};
use crate::policy::signature::{self, Signed};

/// The certificate of a CA.
#[derive(Clone, Debug)]
pub(super) struct Ca {
    pub(super) id: CaId,
    pub(super) path: PathBuf,
    /// For people.
    pub(super) name: String,
    /// DER.
    pub(super) subject: Vec<u8>,
    /// DER.
    spki: Vec<u8>,
    /// Hexadecimal.
    pub(super) serial: String,
    pub(super) not_after: OffsetDateTime,
    /// Whether its key is in the folder, too.
    pub(super) has_key: bool,
}

impl Ca {
    /// Whether it has issued `der`.
    pub(super) fn has_issued(&self, der: &[u8]) -> bool {
        let named = parse(der).is_ok_and(|x509| x509.issuer().as_raw() == self.subject);
        let supported =
            rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms;
        let signed = |der| signature::verify(&supported, &self.spki, Signed::split(der)?).ok();
        named && signed(der).is_some()
    }
}

/// Those of the folder, the root first.
///
/// # Errors
///
/// There is no root, or the certificate of a CA cannot be read.
pub(super) fn all(store: &Store) -> Result<Vec<Ca>, PkiError> {
    let root = store.paths(&Stem::ca()).0;
    if !root.exists() {
        return Err(CaError::Missing {
            path: root,
            init: init_command(store.dir()),
        }
        .into());
    }
    let mut cas = Vec::new();
    for path in store.certificates()? {
        let file = path.file_name().and_then(|name| name.to_str());
        let Some(stem) = file.and_then(Stem::of_certificate) else {
            continue;
        };
        if stem != Stem::ca() && !stem.as_str().starts_with("ca-") {
            continue;
        }
        let Ok(id) = stem.as_str().parse() else {
            continue;
        };
        cas.extend(read(store, id)?);
    }
    cas.sort_by(|one, other| one.id.cmp(&other.id));
    Ok(cas)
}

/// The CA that has issued `der`.
pub(super) fn issuer_of<'a>(cas: &'a [Ca], der: &[u8]) -> Option<&'a Ca> {
    cas.iter().find(|ca| ca.has_issued(der))
}

/// `None` for the certificate of something else.
fn read(store: &Store, id: CaId) -> Result<Option<Ca>, PkiError> {
    let (path, key) = store.paths(&id.stem());
    let unreadable = |source: Unreadable| CaError::Certificate {
        path: path.clone(),
        init: ca_command(&id, store.dir()),
        source,
    };
    let bytes = read_bounded(&path, READ_LIMIT).map_err(unreadable)?;
    let der: CertificateDer<'_> = first_der(&bytes).map_err(unreadable)?;
    let x509 = parse(&der).map_err(unreadable)?;
    if !x509.is_ca() {
        return Ok(None);
    }
    Ok(Some(Ca {
        name: printable(&x509.subject().to_string()),
        subject: x509.subject().as_raw().to_vec(),
        spki: x509.public_key().raw.to_vec(),
        serial: serial_text(x509.raw_serial()),
        not_after: x509.validity().not_after.to_datetime(),
        has_key: key.exists(),
        id,
        path,
    }))
}
