//! How a revocation is told, whether a CRL or OCSP says it.

use std::time::SystemTime;

use time::{OffsetDateTime, macros::format_description};
use x509_parser::x509::ReasonCode;

/// What is revoked, since when, why (RFC 5280, section 5.3.1), who says so, and what to do.
pub(super) fn revoked(what: &str, when: SystemTime, reason: ReasonCode, by: &str) -> String {
    let date = day(when);
    if reason == ReasonCode::CertificateHold {
        return format!("{what} on hold since {date} ({by}): ask the operator to release it");
    }
    let why = words(reason)
        .map(|words| format!(", {words}"))
        .unwrap_or_default();
    format!("{what} revoked on {date}{why} ({by}): ask the operator for a new one")
}

/// The reason in words; `None` when none is given.
fn words(reason: ReasonCode) -> Option<&'static str> {
    match reason {
        ReasonCode::KeyCompromise => Some("key compromised"),
        ReasonCode::CACompromise => Some("CA compromised"),
        ReasonCode::AffiliationChanged => Some("affiliation changed"),
        ReasonCode::Superseded => Some("superseded"),
        ReasonCode::CessationOfOperation => Some("no longer in operation"),
        ReasonCode::PrivilegeWithdrawn => Some("privilege withdrawn"),
        ReasonCode::AACompromise => Some("attribute authority compromised"),
        _ => None,
    }
}

/// The day, UTC: `2026-11-02`.
pub(super) fn day(time: SystemTime) -> String {
    let format = format_description!("[year]-[month]-[day]");
    let time = OffsetDateTime::from(time);
    time.format(format).unwrap_or_else(|_| time.to_string())
}

/// The minute, UTC: `2026-11-02 13:05 UTC`.
pub(super) fn minute(time: SystemTime) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute] UTC");
    let time = OffsetDateTime::from(time);
    time.format(format).unwrap_or_else(|_| time.to_string())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn words_that_one_can_act_on() {
        let when = SystemTime::UNIX_EPOCH + Duration::from_secs(1_793_664_000);
        let told = |reason| revoked("certificate", when, reason, "OCSP");
        assert_eq!(
            told(ReasonCode::Unspecified),
            "certificate revoked on 2026-11-03 (OCSP): ask the operator for a new one"
        );
        assert_eq!(
            told(ReasonCode::KeyCompromise),
            "certificate revoked on 2026-11-03, key compromised (OCSP): ask the operator for a new one"
        );
        assert_eq!(
            told(ReasonCode::CertificateHold),
            "certificate on hold since 2026-11-03 (OCSP): ask the operator to release it"
        );
        assert_eq!(minute(when), "2026-11-03 00:00 UTC");
    }
}
