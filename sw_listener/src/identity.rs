//! Who a certificate names: the UID, read from the leaf and from nothing else.

use std::{fmt, str::FromStr};

use aws_lc_rs::digest;
use common::ids::{Uid, UidError};
use thiserror::Error;
use x509_parser::{
    oid_registry::{OID_X509_COMMON_NAME, Oid, asn1_rs::oid},
    prelude::{FromDer, X509Certificate},
};

/// Where the UID stands in the subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UidSource {
    /// The common name (2.5.4.3): what the SCEP server issues.
    CommonName,
    /// The userid attribute (0.9.2342.19200300.100.1.1, RFC 4519, section 2.39).
    UserId,
}

impl FromStr for UidSource {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "cn" => Ok(Self::CommonName),
            "uid" => Ok(Self::UserId),
            _ => Err(format!("must be \"cn\" or \"uid\", not {text:?}")),
        }
    }
}

impl fmt::Display for UidSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CommonName => "CN",
            Self::UserId => "UID",
        })
    }
}

/// What the leaf says of its holder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The connector's name.
    pub uid: Uid,
    /// The serial number, hexadecimal with colons.
    pub serial: String,
    /// The start of its validity, seconds since 1970.
    pub not_before: i64,
    /// The end of its validity, seconds since 1970.
    pub not_after: i64,
    /// SHA-256 of the certificate, hexadecimal.
    pub fingerprint: String,
}

/// Why a leaf names nobody.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum IdentityError {
    /// There is no leaf, or it cannot be parsed.
    #[error("the client certificate cannot be read")]
    Unreadable,
    /// Not exactly one attribute of the kind.
    #[error("the certificate's subject has {count} {attribute} attributes instead of one")]
    Count {
        /// CN or UID.
        attribute: UidSource,
        /// How many.
        count: usize,
    },
    /// The attribute shares its RDN with another.
    #[error("the certificate's {0} is part of a multi-valued RDN")]
    MultiValued(UidSource),
    /// The value is not a UID.
    #[error("the certificate's {attribute} is not a UID: {source}")]
    Value {
        /// CN or UID.
        attribute: UidSource,
        /// Why not.
        source: UidError,
    },
    /// The value is not text.
    #[error("the certificate's {0} is not text")]
    NotText(UidSource),
}

/// Reads the identity out of a verified leaf (DER).
///
/// # Errors
/// [`IdentityError`] for everything but exactly one attribute, alone in its RDN, whose value is a UID.
pub fn read(leaf: &[u8], source: UidSource) -> Result<Identity, IdentityError> {
    let (rest, certificate) =
        X509Certificate::from_der(leaf).map_err(|_| IdentityError::Unreadable)?;
    if !rest.is_empty() {
        return Err(IdentityError::Unreadable);
    }
    let digest = digest::digest(&digest::SHA256, leaf);
    Ok(Identity {
        uid: read_uid(&certificate, source)?,
        serial: certificate.raw_serial_as_string(),
        not_before: certificate.validity().not_before.timestamp(),
        not_after: certificate.validity().not_after.timestamp(),
        fingerprint: digest.as_ref().iter().map(|b| format!("{b:02x}")).collect(),
    })
}

fn read_uid(certificate: &X509Certificate<'_>, source: UidSource) -> Result<Uid, IdentityError> {
    let wanted: Oid<'static> = match source {
        UidSource::CommonName => OID_X509_COMMON_NAME,
        UidSource::UserId => oid!(0.9.2342.19200300.100.1.1),
    };
    let mut found = Vec::new();
    for rdn in certificate.subject().iter() {
        let count = rdn.iter().count();
        for attribute in rdn.iter().filter(|a| *a.attr_type() == wanted) {
            found.push((attribute, count));
        }
    }
    let [(attribute, in_rdn)] = found.as_slice() else {
        return Err(IdentityError::Count {
            attribute: source,
            count: found.len(),
        });
    };
    if *in_rdn != 1 {
        return Err(IdentityError::MultiValued(source));
    }
    let text = attribute
        .as_str()
        .map_err(|_| IdentityError::NotText(source))?;
    text.parse().map_err(|error| IdentityError::Value {
        attribute: source,
        source: error,
    })
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DistinguishedName, DnType, DnValue, KeyPair};

    use super::*;

    fn leaf(attributes: &[(DnType, &str)]) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        for (kind, value) in attributes {
            let value = DnValue::Utf8String((*value).to_owned());
            params.distinguished_name.push(kind.clone(), value);
        }
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    fn user_id() -> DnType {
        DnType::CustomDnType(vec![0, 9, 2342, 19_200_300, 100, 1, 1])
    }

    #[test]
    fn the_uid_stands_where_the_setting_says() {
        let der = leaf(&[(DnType::CommonName, "device1"), (user_id(), "device2")]);
        let uid = |source| read(&der, source).unwrap().uid.to_string();
        assert_eq!(uid(UidSource::CommonName), "device1");
        assert_eq!(uid(UidSource::UserId), "device2");
    }

    #[test]
    fn anything_else_is_refused_with_the_reason() {
        let der = leaf(&[(DnType::OrganizationName, "x")]);
        let error = read(&der, UidSource::CommonName).unwrap_err();
        assert!(error.to_string().contains("has 0 CN attributes"), "{error}");
        let der = leaf(&[(DnType::CommonName, "device 1")]);
        let error = read(&der, UidSource::CommonName).unwrap_err();
        assert!(error.to_string().contains("not a UID"), "{error}");
        let error = read(b"garbage", UidSource::CommonName).unwrap_err();
        assert_eq!(error, IdentityError::Unreadable);
    }

    #[test]
    fn facts_of_the_certificate_come_along() {
        let der = leaf(&[(DnType::CommonName, "device1")]);
        let identity = read(&der, UidSource::CommonName).unwrap();
        assert_eq!(identity.fingerprint.len(), 64);
        assert!(identity.not_after > 1_700_000_000);
        assert!(!identity.serial.is_empty());
    }
}
