//! What goes into a certificate. Pure: the time and the serial number are arguments.

use common::ids::Uid;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyUsagePurpose, SanType, SerialNumber,
};
use time::{Duration, OffsetDateTime};

use super::names::{COMMON_NAME_LENGTH, CaName, Host, NameError};

/// A certificate is valid from this long before its issue: the clock of a peer may be behind ours.
pub(super) const BACKDATE: Duration = Duration::minutes(5);

/// When a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) not_before: OffsetDateTime,
    pub(super) not_after: OffsetDateTime,
}

impl Validity {
    /// `days` from `now`, to the whole second as X.509 has it.
    pub(super) fn new(now: OffsetDateTime, days: u16) -> Self {
        let now = now.truncate_to_second();
        Self {
            not_before: now.saturating_sub(BACKDATE),
            not_after: now.saturating_add(Duration::days(i64::from(days))),
        }
    }

    /// The part of it before `end`, and whether that is less than all of it.
    pub(super) fn clamped(self, end: OffsetDateTime) -> (Self, bool) {
        let not_after = self.not_after.min(end);
        (Self { not_after, ..self }, not_after < self.not_after)
    }
}

/// Makes a serial number of 16 bytes out of random ones: positive (RFC 5280, section 4.1.2.2), never with a leading
/// zero byte, and 126 of its bits random.
pub(super) fn serial(mut random: [u8; 16]) -> SerialNumber {
    random[0] = (random[0] & 0x7f) | 0x40;
    SerialNumber::from_slice(&random)
}

/// A CA below which there may be one more level.
pub(super) fn ca(name: &CaName, validity: Validity, serial: SerialNumber) -> CertificateParams {
    authority(name, 1, validity, serial)
}

/// A CA that issues to connectors and listeners alone.
pub(super) fn intermediate(
    name: &CaName,
    validity: Validity,
    serial: SerialNumber,
) -> CertificateParams {
    let mut params = authority(name, 0, validity, serial);
    params.use_authority_key_identifier_extension = true;
    params
}

fn authority(
    name: &CaName,
    levels_below: u8,
    validity: Validity,
    serial: SerialNumber,
) -> CertificateParams {
    let mut params = with_subject(&name.to_string(), validity, serial);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(levels_below));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// A listener that is dialled under `names`; the first is also the common name.
///
/// # Errors
///
/// The first name is longer than a common name may be.
pub(super) fn server(
    names: &[Host],
    validity: Validity,
    serial: SerialNumber,
) -> Result<CertificateParams, NameError> {
    let first = names.first().map(Host::to_string).unwrap_or_default();
    if first.len() > COMMON_NAME_LENGTH {
        return Err(NameError::FirstHost { name: first });
    }
    let mut params = leaf(
        &first,
        ExtendedKeyUsagePurpose::ServerAuth,
        validity,
        serial,
    );
    for name in names.iter().map(alternative_name) {
        if !params.subject_alt_names.contains(&name) {
            params.subject_alt_names.push(name);
        }
    }
    Ok(params)
}

/// A connector, known by its UID.
pub(super) fn client(uid: &Uid, validity: Validity, serial: SerialNumber) -> CertificateParams {
    leaf(
        uid.as_str(),
        ExtendedKeyUsagePurpose::ClientAuth,
        validity,
        serial,
    )
}

fn leaf(
    subject: &str,
    usage: ExtendedKeyUsagePurpose,
    validity: Validity,
    serial: SerialNumber,
) -> CertificateParams {
    let mut params = with_subject(subject, validity, serial);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![usage];
    params.use_authority_key_identifier_extension = true;
    params
}

fn with_subject(common_name: &str, validity: Validity, serial: SerialNumber) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    params.not_before = validity.not_before;
    params.not_after = validity.not_after;
    params.serial_number = Some(serial);
    params
}

fn alternative_name(host: &Host) -> SanType {
    match host {
        Host::Dns(name) => SanType::DnsName(name.clone()),
        Host::Ip(address) => SanType::IpAddress(*address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serials_are_positive_and_of_one_length() {
        for byte in [0x00, 0x7f, 0x80, 0xff] {
            let bytes = serial([byte; 16]).to_bytes();
            assert_eq!(bytes.len(), 16);
            assert!((0x40..0x80).contains(&bytes[0]));
        }
    }

    #[test]
    fn validity_is_backdated_and_clamped() {
        let now = OffsetDateTime::UNIX_EPOCH + Duration::milliseconds(1_000_000_999);
        let validity = Validity::new(now, 2);
        assert_eq!(validity.not_before.unix_timestamp(), 1_000_000 - 300);
        assert_eq!(validity.not_after.unix_timestamp(), 1_000_000 + 2 * 86_400);
        assert_eq!(validity.clamped(validity.not_after), (validity, false));
        let (shorter, clamped) = validity.clamped(now);
        assert_eq!((shorter.not_after, clamped), (now, true));
    }

    #[test]
    fn a_first_name_longer_than_a_common_name_is_refused() {
        let long: Host = format!("{}.example", "a".repeat(60)).parse().unwrap();
        let short: Host = "a.example".parse().unwrap();
        let validity = Validity::new(OffsetDateTime::UNIX_EPOCH, 1);
        let refused = server(&[long.clone(), short.clone()], validity, serial([1; 16]));
        assert_eq!(
            refused.unwrap_err(),
            NameError::FirstHost {
                name: long.to_string()
            }
        );
        let params = server(&[short.clone(), long, short], validity, serial([1; 16])).unwrap();
        assert_eq!(params.subject_alt_names.len(), 2);
    }
}
