//! TLS 1.3 (RFC 8446) with client certificates: files, suites, and the two configurations.

mod config;
pub mod expiry;
mod facts;
mod load;

/// Whether a certificate can be verified for this text: a DNS name or an IP address.
pub fn is_server_name(text: &str) -> bool {
    rustls::pki_types::ServerName::try_from(text).is_ok()
}

pub use self::{
    config::{TlsError, client_config, server_config},
    facts::{Facts, NotACertificate},
    load::{CertificateFiles, Credentials, KeyPermissions, LoadError, LoadErrors},
};
