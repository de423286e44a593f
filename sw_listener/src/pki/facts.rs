//! What a certificate says about itself, for the list and the index.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use aws_lc_rs::digest;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject};
use thiserror::Error;
use time::OffsetDateTime;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

use super::text::{hex, printable};

/// Why a file is not a certificate.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unreadable {
    /// There is no PEM section of a certificate.
    #[error("there is no PEM certificate in it")]
    NoPem,
    /// The PEM section is cut off, or not base64.
    #[error("its PEM text is damaged")]
    Pem,
    /// The PEM text is whole, what it holds is not an X.509 certificate.
    #[error("it is not an X.509 certificate: {reason}")]
    X509 {
        /// What the parser says.
        reason: String,
    },
    /// It is a folder, a pipe, or something else that is not read.
    #[error("it is not a regular file")]
    NotAFile,
    /// Neither PEM nor the DER of anything that is known here.
    #[error(
        "there is neither PEM text in it nor the DER of a certificate, a CRL, a request or a key"
    )]
    Nothing,
    /// It is far larger than a certificate.
    #[error("it is larger than {limit} bytes")]
    TooLarge {
        /// The most that is read, in bytes.
        limit: u64,
    },
    /// The system refuses to read it.
    #[error("it cannot be read: {reason}")]
    Io {
        /// What the system says.
        reason: String,
    },
}

/// What a certificate may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Ca,
    Server,
    Client,
    ServerAndClient,
    Other,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ca => "ca",
            Self::Server => "server",
            Self::Client => "client",
            Self::ServerAndClient => "server+client",
            Self::Other => "other",
        })
    }
}

/// What the user wants to know about a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) kind: Kind,
    /// The alternative names joined by commas, or else the common name; without control characters.
    pub(super) name: String,
    /// Hexadecimal.
    pub(super) serial: String,
    pub(super) not_after: OffsetDateTime,
    /// SHA-256 of the DER, hexadecimal.
    pub(super) fingerprint: String,
}

impl Facts {
    /// The facts of the certificate `der`.
    ///
    /// # Errors
    ///
    /// It is not exactly one X.509 certificate.
    pub(super) fn from_der(der: &[u8]) -> Result<Self, Unreadable> {
        let certificate = parse(der)?;
        Ok(Self {
            kind: kind(&certificate),
            name: printable(&name(&certificate)),
            serial: serial_text(certificate.raw_serial()),
            not_after: certificate.validity().not_after.to_datetime(),
            fingerprint: hex(digest::digest(&digest::SHA256, der).as_ref()),
        })
    }
}

/// A serial number as lowercase hexadecimal digits, without the byte that only says that it is positive.
pub(super) fn serial_text(bytes: &[u8]) -> String {
    match bytes {
        [0, rest @ ..] if !rest.is_empty() => hex(rest),
        _ => hex(bytes),
    }
}

/// The first certificate in PEM text.
///
/// # Errors
///
/// There is none, or the text is damaged.
pub(super) fn first_der(text: &[u8]) -> Result<CertificateDer<'static>, Unreadable> {
    CertificateDer::from_pem_slice(text).map_err(|error| {
        match matches!(error, pem::Error::NoItemsFound) {
            true => Unreadable::NoPem,
            false => Unreadable::Pem,
        }
    })
}

/// Parses one certificate.
///
/// # Errors
///
/// It is not one, or there are bytes behind it.
pub(super) fn parse(der: &[u8]) -> Result<X509Certificate<'_>, Unreadable> {
    let (rest, certificate) = X509Certificate::from_der(der).map_err(|error| Unreadable::X509 {
        reason: error.to_string(),
    })?;
    match rest.len() {
        0 => Ok(certificate),
        extra => Err(Unreadable::X509 {
            reason: format!("{extra} bytes too many"),
        }),
    }
}

/// What it may be used for.
pub(super) fn kind(certificate: &X509Certificate<'_>) -> Kind {
    if certificate.is_ca() {
        return Kind::Ca;
    }
    let Ok(Some(usage)) = certificate.extended_key_usage() else {
        return Kind::Other;
    };
    match (usage.value.server_auth, usage.value.client_auth) {
        (true, true) => Kind::ServerAndClient,
        (true, false) => Kind::Server,
        (false, true) => Kind::Client,
        (false, false) => Kind::Other,
    }
}

fn name(certificate: &X509Certificate<'_>) -> String {
    if let Ok(Some(names)) = certificate.subject_alternative_name() {
        return names
            .value
            .general_names
            .iter()
            .map(general_name)
            .collect::<Vec<_>>()
            .join(",");
    }
    let common_name = certificate
        .subject()
        .iter_common_name()
        .next()
        .and_then(|name| name.as_str().ok());
    common_name.map_or_else(|| certificate.subject().to_string(), str::to_owned)
}

/// A name as a user would write it.
pub(super) fn general_name(name: &GeneralName<'_>) -> String {
    let GeneralName::IPAddress(bytes) = name else {
        return if let GeneralName::DNSName(name) = name {
            (*name).to_owned()
        } else {
            name.to_string()
        };
    };
    if let Ok(four) = <[u8; 4]>::try_from(*bytes) {
        return Ipv4Addr::from(four).to_string();
    }
    <[u8; 16]>::try_from(*bytes).map_or_else(
        |_| hex(bytes),
        |sixteen| Ipv6Addr::from(sixteen).to_string(),
    )
}
