//! The name of a listener.

use std::{fmt, str::FromStr};

use rustls::pki_types::ServerName;

/// A DNS name or an IP address that a certificate can be verified for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerName(ServerName<'static>);

impl ListenerName {
    pub(super) fn as_server_name(&self) -> &ServerName<'static> {
        &self.0
    }
}

impl FromStr for ListenerName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        ServerName::try_from(text.to_owned())
            .map(Self)
            .map_err(|_| "must be a DNS name or an IP address")
    }
}

impl fmt::Display for ListenerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_str())
    }
}
