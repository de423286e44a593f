//! Targets: `host:port` that the connector dials.

use std::{fmt, net::IpAddr, num::NonZeroU16, str::FromStr};

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Longest host name (RFC 1035, section 2.3.4, without the root label).
const MAX_NAME_LEN: usize = 253;
/// Longest label of a host name.
const MAX_LABEL_LEN: usize = 63;

/// A host: an address, or a name for the connector's resolver.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// An IP address.
    Ip(IpAddr),
    /// A host name, as it was written.
    Name(String),
}

/// Where the connector dials: a host and a port other than 0.
///
/// Shown as `host:port`, an IPv6 address in brackets (RFC 3986, section 3.2.2).
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Target {
    host: Host,
    port: NonZeroU16,
}

/// Why a text is not a host or a target.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TargetError {
    /// No host.
    #[error("the host cannot be empty")]
    EmptyHost,
    /// Neither an IP address nor a host name.
    #[error("{0:?} is neither an IP address nor a host name")]
    Host(String),
    /// No `:port` at the end.
    #[error("{0:?} is not host:port (an IPv6 address stands in brackets)")]
    NoPort(String),
    /// Not a number from 1 to 65535.
    #[error("the port must be a number from 1 to 65535, not {0:?}")]
    Port(String),
}

impl FromStr for Host {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        if text.is_empty() {
            return Err(TargetError::EmptyHost);
        }
        let bare = text
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        if let Some(inner) = bare {
            return match inner.parse::<std::net::Ipv6Addr>() {
                Ok(ip) => Ok(Self::Ip(ip.into())),
                Err(_) => Err(TargetError::Host(text.to_owned())),
            };
        }
        if let Ok(ip) = text.parse::<IpAddr>() {
            return Ok(Self::Ip(ip));
        }
        if is_host_name(text) {
            return Ok(Self::Name(text.to_owned()));
        }
        Err(TargetError::Host(text.to_owned()))
    }
}

/// Host names of RFC 1123 with underscores, as containers and AD use them. A name whose last label is a number
/// is a mistyped IPv4 address, which some resolvers would read in surprising ways.
fn is_host_name(text: &str) -> bool {
    let name = text.strip_suffix('.').unwrap_or(text);
    let label_ok = |label: &str| {
        !label.is_empty()
            && label.len() <= MAX_LABEL_LEN
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    let last_is_number = name
        .rsplit('.')
        .next()
        .is_some_and(|label| label.bytes().all(|b| b.is_ascii_digit()));
    name.len() <= MAX_NAME_LEN && !last_is_number && name.split('.').all(label_ok)
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(ip) => ip.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl Target {
    /// A target out of its two parts. `address` may be an IP address (IPv6 with or without brackets) or a host name.
    ///
    /// # Errors
    /// [`TargetError`] when `address` is neither, or the port is 0.
    pub fn new(address: &str, port: u16) -> Result<Self, TargetError> {
        let host = address.parse()?;
        let port = NonZeroU16::new(port).ok_or_else(|| TargetError::Port(port.to_string()))?;
        Ok(Self { host, port })
    }

    /// The host.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The port, 1 to 65535.
    pub fn port(&self) -> u16 {
        self.port.get()
    }
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let no_port = || TargetError::NoPort(text.to_owned());
        let (host, port) = text.rsplit_once(':').ok_or_else(no_port)?;
        if host.contains(':') && !host.starts_with('[') {
            return Err(no_port());
        }
        let digits = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
        match port.parse() {
            Ok(number) if digits => Self::new(host, number),
            _ => Err(TargetError::Port(port.to_owned())),
        }
    }
}

impl TryFrom<String> for Target {
    type Error = TargetError;

    fn try_from(text: String) -> Result<Self, TargetError> {
        text.parse()
    }
}

impl From<Target> for String {
    fn from(target: Target) -> Self {
        target.to_string()
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]:{}", self.port),
            Host::Ip(IpAddr::V4(_)) | Host::Name(_) => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_round_trip() {
        for text in [
            "127.0.0.1:80",
            "[::1]:65535",
            "db.example.com:5432",
            "my_host:1",
        ] {
            assert_eq!(text.parse::<Target>().unwrap().to_string(), text);
        }
        assert_eq!(Target::new("::1", 8).unwrap().to_string(), "[::1]:8");
        assert_eq!(Target::new("[::1]", 8).unwrap().to_string(), "[::1]:8");
    }

    #[test]
    fn what_is_not_a_target_is_refused() {
        for text in [
            "",
            ":80",
            "host",
            "host:",
            "host:0",
            "host:65536",
            "host:+80",
            "::1:80",
            "[::1:80",
            "a b:80",
            "-a:80",
            "256.1.1.1:80",
            "127.1:80",
            "a..b:80",
            "[1.2.3.4]:80",
            "x|y:80",
        ] {
            assert!(text.parse::<Target>().is_err(), "{text:?} was taken");
        }
        assert!(Target::new(&"a.".repeat(128), 80).is_err());
    }
}
