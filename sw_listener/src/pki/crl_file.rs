//! A revocation list as it lies in a file: what has to be known of the one before to write the next.

use rustls::pki_types::CertificateRevocationListDer;
use rustls::pki_types::pem::PemObject;
use time::{Duration, OffsetDateTime};
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::CertificateRevocationList;

/// A list of the folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Previous {
    pub(super) der: Vec<u8>,
    /// DER of the issuer's name.
    pub(super) issuer: Vec<u8>,
    /// `None` when it is missing or has more than 64 bits: not one of ours.
    pub(super) number: Option<u64>,
    pub(super) this_update: OffsetDateTime,
    pub(super) next_update: OffsetDateTime,
    pub(super) entries: usize,
}

impl Previous {
    /// How long it is valid in all.
    pub(super) fn window(&self) -> Duration {
        self.next_update - self.this_update
    }
}

/// The first list in PEM text, if it is whole and says when it ends.
pub(super) fn read(text: &[u8]) -> Option<Previous> {
    let der = CertificateRevocationListDer::from_pem_slice(text).ok()?;
    let (_, crl) = CertificateRevocationList::from_der(&der).ok()?;
    Some(Previous {
        issuer: crl.issuer().as_raw().to_vec(),
        number: crl.crl_number().and_then(|number| {
            let digits = number.to_u64_digits();
            (digits.len() <= 1).then(|| digits.first().copied().unwrap_or(0))
        }),
        this_update: crl.last_update().to_datetime(),
        next_update: crl.next_update()?.to_datetime(),
        entries: crl.iter_revoked_certificates().count(),
        der: der.as_ref().to_vec(),
    })
}

/// DER of the name of a list's issuer.
pub(super) fn issuer(der: &[u8]) -> Option<Vec<u8>> {
    let (_, crl) = CertificateRevocationList::from_der(der).ok()?;
    Some(crl.issuer().as_raw().to_vec())
}
