//! What a certificate says about itself (RFC 5280, section 4.1.2).

use rustls::pki_types::CertificateDer;
use thiserror::Error;
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Facts of one certificate; all texts are fit for a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The whole subject, as in `CN=device1, O=plant`.
    pub subject: String,
    /// The first common name, unless it has control characters.
    pub common_name: Option<String>,
    /// The serial number, hexadecimal with colons.
    pub serial: String,
    /// From when on it is valid.
    pub not_before: OffsetDateTime,
    /// Until when it is valid.
    pub not_after: OffsetDateTime,
}

/// It is no X.509 certificate.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("not an X.509 certificate: {0}")]
pub struct NotACertificate(String);

impl Facts {
    /// Reads a certificate.
    ///
    /// # Errors
    /// [`NotACertificate`].
    pub fn of(certificate: &CertificateDer<'_>) -> Result<Self, NotACertificate> {
        let (_, parsed) = X509Certificate::from_der(certificate)
            .map_err(|error| NotACertificate(error.to_string()))?;
        let mut names = parsed.subject().iter_common_name();
        let common_name = names.next().and_then(|name| name.as_str().ok());
        Ok(Self {
            subject: parsed.subject().to_string().escape_debug().to_string(),
            common_name: common_name
                .filter(|name| !name.contains(char::is_control))
                .map(str::to_owned),
            serial: parsed.raw_serial_as_string(),
            not_before: parsed.validity().not_before.to_datetime(),
            not_after: parsed.validity().not_after.to_datetime(),
        })
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
    use time::macros::datetime;

    use super::*;

    fn certificate(name: &str) -> CertificateDer<'static> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = datetime!(2026-01-02 03:04:05 UTC);
        params.not_after = datetime!(2026-02-03 04:05:06 UTC);
        params.serial_number = Some(vec![1, 0xab].into());
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().clone()
    }

    #[test]
    fn they_are_read() {
        let facts = Facts::of(&certificate("device1")).unwrap();
        assert_eq!(facts.subject, "CN=device1");
        assert_eq!(facts.common_name.as_deref(), Some("device1"));
        assert_eq!(facts.serial, "01:ab");
        assert_eq!(facts.not_before, datetime!(2026-01-02 03:04:05 UTC));
        assert_eq!(facts.not_after, datetime!(2026-02-03 04:05:06 UTC));
        assert!(Facts::of(&CertificateDer::from(vec![0x30, 0])).is_err());
    }

    #[test]
    fn no_control_character_gets_out() {
        let facts = Facts::of(&certificate("a\nERROR b\u{1b}[31m")).unwrap();
        assert!(!facts.subject.contains(char::is_control), "{facts:?}");
        assert_eq!(facts.common_name, None);
    }
}
