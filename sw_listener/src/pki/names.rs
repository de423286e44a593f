//! The names that a user gives, parsed once at the edge (clap calls `from_str`): nothing behind this file sees a name
//! that could leave the folder or damage a certificate or a line of the index.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use common::ids::Uid;
use rcgen::string::Ia5String;
use rustls::pki_types::DnsName;
use thiserror::Error;

/// The upper bound of a common name in characters: `ub-common-name` in RFC 5280, appendix A.1.
pub(super) const COMMON_NAME_LENGTH: usize = 64;

/// Why a name was refused.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum NameError {
    /// Not a common name for a CA.
    #[error("the name of a CA is 1 to 64 characters, none of them a control character")]
    CaName,
    /// Neither a DNS name nor an IP address.
    #[error(
        "neither a DNS name nor an IP address: no scheme, port, brackets or dot at the end; international names as xn--..."
    )]
    Host,
    /// An address that can be listened on, but not dialled.
    #[error("an address to listen on, not one that connectors can dial")]
    Unspecified,
    /// The first name is also the common name, which is shorter.
    #[error("{name} is too long for a common name (64 characters): give a shorter name before it")]
    FirstHost {
        /// The name.
        name: String,
    },
    /// Not a file stem.
    #[error(
        "a file stem is 1 to 64 of A-Z a-z 0-9 . _ - and does not start with a dot or a hyphen"
    )]
    Stem,
    /// A stem whose files are a CA's or a client's.
    #[error("`ca`, `ca-...` and `client-...` are names for other files of the folder")]
    ReservedStem,
    /// Not a name for an intermediate CA.
    #[error(
        "the name of an intermediate CA is 1 to 48 of A-Z a-z 0-9 _ - and does not start with a hyphen or `ca-`; `ca` is the root"
    )]
    CaLabel,
}

/// The common name of a CA.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CaName(String);

impl FromStr for CaName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let fits = (1..=COMMON_NAME_LENGTH).contains(&text.chars().count());
        if !fits || text.chars().any(char::is_control) {
            return Err(NameError::CaName);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for CaName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A name under which the listener is dialled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Host {
    /// A DNS name; the first label may be `*`.
    Dns(Ia5String),
    /// An IPv4 or IPv6 address.
    Ip(IpAddr),
}

impl FromStr for Host {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return match address.is_unspecified() {
                true => Err(NameError::Unspecified),
                false => Ok(Self::Ip(address)),
            };
        }
        let name = text.strip_prefix("*.").unwrap_or(text);
        if name.ends_with('.') || text.len() > 253 || DnsName::try_from(name).is_err() {
            return Err(NameError::Host);
        }
        Ia5String::try_from(text)
            .map(Self::Dns)
            .map_err(|_| NameError::Host)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => f.write_str(name.as_str()),
            Self::Ip(address) => address.fmt(f),
        }
    }
}

/// What an intermediate CA is called in `--issuer` and in its files: a plain word other than `ca`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct CaLabel(String);

impl CaLabel {
    /// As a common name: it is shorter than one, and without control characters.
    pub(super) fn to_name(&self) -> CaName {
        CaName(self.0.clone())
    }
}

impl FromStr for CaLabel {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let lower = text.to_ascii_lowercase();
        let taken = lower == "ca" || lower.starts_with("ca-");
        if taken || text.len() > 48 || !is_word(text, "_-") || text.starts_with('-') {
            return Err(NameError::CaLabel);
        }
        Ok(Self(text.to_owned()))
    }
}

/// A CA of the folder; the root comes first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum CaId {
    /// `ca.crt`, signed by itself.
    Root,
    /// `ca-NAME.crt`, signed by the root.
    Intermediate(CaLabel),
}

impl CaId {
    /// What its files are called.
    pub(super) fn stem(&self) -> Stem {
        match self {
            Self::Root => Stem::ca(),
            Self::Intermediate(label) => Stem(format!("ca-{}", label.0)),
        }
    }
}

/// `ca`, a name, or the stem of its files.
impl FromStr for CaId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text == "ca" {
            return Ok(Self::Root);
        }
        let label = text.strip_prefix("ca-").unwrap_or(text);
        label.parse().map(Self::Intermediate)
    }
}

impl fmt::Display for CaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => f.write_str("ca"),
            Self::Intermediate(label) => f.write_str(&label.0),
        }
    }
}

/// What the names of a certificate file and its key file have in common: a single path component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stem(String);

impl Stem {
    /// The CA's own.
    pub(super) fn ca() -> Self {
        Self("ca".to_owned())
    }

    /// A connector's. The prefix keeps it a plain file name whatever the UID looks like: a UID has no separator.
    pub(super) fn client(uid: &Uid) -> Self {
        Self(format!("client-{uid}"))
    }

    /// That of a certificate file in the folder.
    pub(super) fn of_certificate(file: &str) -> Option<Self> {
        let stem = file.strip_suffix(".crt")?;
        let plain = !stem.is_empty() && !stem.starts_with('.') && !stem.contains(['/', '\0']);
        plain.then(|| Self(stem.to_owned()))
    }

    /// It as text.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of the revocation list, if it is a CA's.
    pub(super) fn crl(&self) -> String {
        format!("{}.crl", self.0)
    }

    /// The name of the same as DER.
    pub(super) fn der_crl(&self) -> String {
        format!("{}.der.crl", self.0)
    }

    /// The name of the certificate file.
    pub(super) fn certificate(&self) -> String {
        format!("{}.crt", self.0)
    }

    /// The name of the private key file.
    pub(super) fn key(&self) -> String {
        format!("{}.key", self.0)
    }
}

/// A stem of the user's choice. Case is ignored for reserved ones: there are file systems that do.
impl FromStr for Stem {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if !is_word(text, "._-") || text.starts_with(['.', '-']) {
            return Err(NameError::Stem);
        }
        let lower = text.to_ascii_lowercase();
        if lower == "ca" || lower.starts_with("ca-") || lower.starts_with("client-") {
            return Err(NameError::ReservedStem);
        }
        Ok(Self(text.to_owned()))
    }
}

/// 1 to 64 ASCII letters, digits and `others`.
fn is_word(text: &str, others: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || others.contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_stem_stays_in_the_folder_whatever_the_uid() {
        for uid in ["a", ".", "..", "-x", "edge-1.site_2@example"] {
            let stem = Stem::client(&uid.parse().unwrap());
            assert_eq!(stem.certificate(), format!("client-{uid}.crt"));
        }
    }

    #[test]
    fn hosts_are_dns_names_or_addresses() {
        for good in [
            "localhost",
            "tunnel.example",
            "*.example",
            "xn--bcher-kva.example",
            "10.0.0.1",
            "::1",
            "a_b.c",
        ] {
            assert_eq!(good.parse::<Host>().unwrap().to_string(), good);
        }
        for bad in [
            "",
            "*",
            "*.",
            "a.*.b",
            "a.",
            "a..b",
            "-a",
            "bücher",
            "10.0.0.300",
            "a:443",
            "[::1]",
            "https://a",
        ] {
            assert_eq!(bad.parse::<Host>(), Err(NameError::Host), "{bad:?}");
        }
        assert_eq!("0.0.0.0".parse::<Host>(), Err(NameError::Unspecified));
        assert_eq!("::".parse::<Host>(), Err(NameError::Unspecified));
    }

    #[test]
    fn stems_are_one_plain_component_and_not_taken() {
        for bad in ["", ".", "..", ".hidden", "-x", "a/b", "../a", "a b"] {
            assert_eq!(bad.parse::<Stem>(), Err(NameError::Stem), "{bad:?}");
        }
        for taken in ["ca", "CA", "ca-x", "client-a", "Client-a"] {
            assert_eq!(
                taken.parse::<Stem>(),
                Err(NameError::ReservedStem),
                "{taken:?}"
            );
        }
        assert_eq!(
            "listener-2".parse::<Stem>().unwrap().key(),
            "listener-2.key"
        );
    }

    #[test]
    fn a_ca_is_named_as_its_files_or_without_the_prefix() {
        assert_eq!("ca".parse(), Ok(CaId::Root));
        let plant: CaId = "plant-1".parse().unwrap();
        assert_eq!("ca-plant-1".parse(), Ok(plant.clone()));
        assert_eq!(plant.stem().key(), "ca-plant-1.key");
        assert_eq!(plant.to_string(), "plant-1");
        for bad in ["", "CA", "ca-ca", "../x", "x.der", "-x", &"a".repeat(49)] {
            assert_eq!(bad.parse::<CaId>(), Err(NameError::CaLabel), "{bad:?}");
        }
    }

    #[test]
    fn ca_names_fit_a_common_name() {
        assert!("ソケット CA".parse::<CaName>().is_ok());
        for bad in ["", "a\tb", &"a".repeat(65)] {
            assert_eq!(bad.parse::<CaName>(), Err(NameError::CaName), "{bad:?}");
        }
    }
}
