//! TLS 1.3 (RFC 8446) with client certificates: files and what is in them, whether they are fit for use, suites and groups,
//! and the two configurations.

mod check;
mod config;
mod der;
mod error;
pub mod expiry;
mod facts;
mod files;
mod found;
mod name;
mod pem;
mod permissions;
mod pin;
mod policy;
#[cfg(test)]
mod testing;
mod verify;

use std::path::PathBuf;

/// Whether a certificate can be verified for this text: a DNS name or an IP address.
pub fn is_server_name(text: &str) -> bool {
    rustls::pki_types::ServerName::try_from(text).is_ok()
}

pub use self::{
    check::{Demands, Finding, Occasion, Role, Weight},
    config::{TlsError, client_config, server_config},
    error::{LoadError, LoadErrors},
    facts::{CertificateFacts, FactsError, KeyFacts, Purposes, SignatureFacts},
    files::{CertificateFiles, Credentials, Loaded, load_certificates, log_findings},
    found::Wanted,
    name::ListenerName,
    pem::PemError,
    permissions::{KeyPermissions, PermissionError},
    pin::{Pin, PinError},
    policy::{Group, MIN_RSA_BITS, Suite, TlsPolicy},
    verify::{ExpectedName, ListenerChecks},
};

impl CertificateFiles {
    /// All of them, for a [watch](crate::watch).
    pub fn paths(&self) -> [PathBuf; 3] {
        [self.chain.clone(), self.key.clone(), self.ca.clone()]
    }
}
