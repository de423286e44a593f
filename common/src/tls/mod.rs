//! TLS 1.3 (RFC 8446) with client certificates: files, suites, and the two configurations.

mod config;
mod load;

use std::path::PathBuf;

/// Whether a certificate can be verified for this text: a DNS name or an IP address.
pub fn is_server_name(text: &str) -> bool {
    rustls::pki_types::ServerName::try_from(text).is_ok()
}

pub use self::{
    config::{TlsError, client_config, server_config},
    load::{CertificateFiles, Credentials, KeyPermissions, LoadError, LoadErrors},
};

impl CertificateFiles {
    /// All of them, for a [watch](crate::watch).
    pub fn paths(&self) -> [PathBuf; 3] {
        [self.chain.clone(), self.key.clone(), self.ca.clone()]
    }
}
