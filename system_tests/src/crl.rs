//! CRLs of a test CA.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use rcgen::{
    CertificateRevocationListParams, KeyIdMethod, RevocationReason, RevokedCertParams, SerialNumber,
};
use time::{Date, Duration, Month, OffsetDateTime, Time};

use crate::pki::{Ca, Issued};

/// The day on which certificates are revoked, and its text.
pub const REVOKED_ON: &str = "2025-11-02";

impl Ca {
    /// A list for a day that revokes these certificates; newer than every list before it.
    pub fn crl(&self, revoked: &[&Issued]) -> String {
        self.crl_for(revoked, Duration::DAY)
    }

    /// The same, over after this time.
    pub fn crl_for(&self, revoked: &[&Issued], left: Duration) -> String {
        let serials: Vec<_> = revoked.iter().map(|issued| issued.serial()).collect();
        self.crl_of(&serials, left)
    }

    /// The same for serial numbers.
    pub fn crl_of(&self, revoked: &[Vec<u8>], left: Duration) -> String {
        static NUMBER: AtomicI64 = AtomicI64::new(1);
        let number = NUMBER.fetch_add(1, Relaxed);
        let now = OffsetDateTime::now_utc();
        let params = CertificateRevocationListParams {
            this_update: now - Duration::hours(2) + Duration::seconds(number),
            next_update: now + left,
            crl_number: SerialNumber::from(number.unsigned_abs()),
            issuing_distribution_point: None,
            revoked_certs: revoked.iter().map(|serial| entry(serial)).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.issuer).unwrap().pem().unwrap()
    }
}

fn entry(serial: &[u8]) -> RevokedCertParams {
    let day = Date::from_calendar_date(2025, Month::November, 2).unwrap();
    RevokedCertParams {
        serial_number: SerialNumber::from_slice(serial),
        revocation_time: OffsetDateTime::new_utc(day, Time::MIDNIGHT),
        reason_code: Some(RevocationReason::Unspecified),
        invalidity_date: None,
    }
}
