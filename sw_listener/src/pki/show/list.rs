//! What revocation lists say (RFC 5280, section 5).

use time::OffsetDateTime;
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::{CertificateRevocationList, RevokedCertificate};
use x509_parser::x509::ReasonCode;

use super::super::facts::serial_text;
use super::super::text::printable;
use super::parts::{self, Entry, RevocationList, Validity};

/// Everything about a list (DER).
///
/// # Errors
///
/// What the parser says.
pub(super) fn describe(der: &[u8], now: OffsetDateTime) -> Result<RevocationList, String> {
    let (_, crl) = CertificateRevocationList::from_der(der).map_err(|error| error.to_string())?;
    let (from, until) = (crl.last_update(), crl.next_update());
    Ok(RevocationList {
        issuer: printable(&crl.issuer().to_string()),
        number: crl.crl_number().map(ToString::to_string),
        this_update: parts::time(from),
        next_update: until.map(parts::time),
        validity: Validity::at(
            now,
            from.to_datetime(),
            until.map(|time| time.to_datetime()),
        ),
        entries: crl.iter_revoked_certificates().map(entry).collect(),
    })
}

fn entry(revoked: &RevokedCertificate<'_>) -> Entry {
    Entry {
        serial: serial_text(revoked.raw_serial()),
        revoked: parts::time(revoked.revocation_date),
        reason: revoked.reason_code().map(|(_, code)| reason(code)),
    }
}

fn reason(code: ReasonCode) -> String {
    match code {
        ReasonCode::Unspecified => "unspecified".to_owned(),
        ReasonCode::KeyCompromise => "keyCompromise".to_owned(),
        ReasonCode::CACompromise => "cACompromise".to_owned(),
        ReasonCode::AffiliationChanged => "affiliationChanged".to_owned(),
        ReasonCode::Superseded => "superseded".to_owned(),
        ReasonCode::CessationOfOperation => "cessationOfOperation".to_owned(),
        ReasonCode::CertificateHold => "certificateHold".to_owned(),
        ReasonCode::RemoveFromCRL => "removeFromCRL".to_owned(),
        ReasonCode::PrivilegeWithdrawn => "privilegeWithdrawn".to_owned(),
        ReasonCode::AACompromise => "aACompromise".to_owned(),
        ReasonCode(other) => other.to_string(),
    }
}
