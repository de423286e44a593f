//! The rustls configurations of both sides.

use std::sync::Arc;

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    client::Resumption,
    crypto::aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256,
    quic::Suite,
    server::{NoServerSessionStorage, VerifierBuilderError},
    version::TLS13,
};
use thiserror::Error;

use super::{
    Credentials, ListenerChecks, TlsPolicy,
    verify::{ConnectorVerifier, ListenerVerifier},
};
use crate::wire::Protocol;

/// Why the certificates cannot be used together.
#[derive(Debug, Error)]
pub enum TlsError {
    /// Key and certificate do not belong together, or rustls does not support them.
    #[error("certificate and private key cannot be used: {0}")]
    Credentials(rustls::Error),
    /// The CA bundle is empty or unusable.
    #[error("the CA bundle cannot be used: {0}")]
    Ca(#[from] VerifierBuilderError),
    /// The library does not offer what we ask for.
    #[error("TLS 1.3 is not available: {0}")]
    Unavailable(String),
}

/// The listener's side: asks for a client certificate of one of the CAs, remembers nothing.
///
/// Session tickets and 0-RTT are off: a resumed session would skip the verifier.
///
/// # Errors
/// [`TlsError`].
pub fn server_config(
    credentials: Credentials,
    clients: RootCertStore,
    policy: &TlsPolicy,
    legacy: bool,
) -> Result<QuicServerConfig, TlsError> {
    let config = server(credentials, clients, policy, legacy)?;
    QuicServerConfig::with_initial(Arc::new(config), initial()?).map_err(unavailable)
}

/// The connector's side: shows its certificate, verifies the listener's against the CAs, the name and `checks`.
///
/// # Errors
/// [`TlsError`].
pub fn client_config(
    credentials: Credentials,
    servers: RootCertStore,
    policy: &TlsPolicy,
    checks: &ListenerChecks,
    legacy: bool,
) -> Result<QuicClientConfig, TlsError> {
    let config = client(credentials, servers, policy, checks, legacy)?;
    QuicClientConfig::with_initial(Arc::new(config), initial()?).map_err(unavailable)
}

/// [`server_config`] without QUIC.
pub(super) fn server(
    credentials: Credentials,
    clients: RootCertStore,
    policy: &TlsPolicy,
    legacy: bool,
) -> Result<ServerConfig, TlsError> {
    let provider = Arc::new(policy.provider());
    let verifier = ConnectorVerifier::new(clients, &provider, policy.min_rsa_bits)?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .map_err(unavailable)?
        .with_client_cert_verifier(Arc::new(verifier))
        .with_single_cert(credentials.chain, credentials.key)
        .map_err(TlsError::Credentials)?;
    config.alpn_protocols = Protocol::alpn(legacy);
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.max_early_data_size = 0;
    Ok(config)
}

/// [`client_config`] without QUIC.
pub(super) fn client(
    credentials: Credentials,
    servers: RootCertStore,
    policy: &TlsPolicy,
    checks: &ListenerChecks,
    legacy: bool,
) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(policy.provider());
    let checks = checks.clone();
    let verifier = ListenerVerifier::new(servers, &provider, checks, policy.min_rsa_bits)?;
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .map_err(unavailable)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_auth_cert(credentials.chain, credentials.key)
        .map_err(TlsError::Credentials)?;
    config.alpn_protocols = Protocol::alpn(legacy);
    config.resumption = Resumption::disabled();
    config.enable_early_data = false;
    Ok(config)
}

/// What protects QUIC's first packets (RFC 9001, section 5.2), whichever suites are chosen for the rest.
fn initial() -> Result<Suite, TlsError> {
    TLS13_AES_128_GCM_SHA256
        .tls13()
        .and_then(|suite| suite.quic_suite())
        .ok_or_else(|| TlsError::Unavailable("no suite for QUIC's first packets".to_owned()))
}

fn unavailable(error: impl std::fmt::Display) -> TlsError {
    TlsError::Unavailable(error.to_string())
}

#[cfg(test)]
mod tests;
