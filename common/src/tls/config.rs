//! The rustls configurations of both sides.

use std::sync::Arc;

use rustls::{
    CipherSuite, ClientConfig, RootCertStore, ServerConfig,
    client::Resumption,
    crypto::{CryptoProvider, aws_lc_rs},
    server::{NoServerSessionStorage, WebPkiClientVerifier},
    version::TLS13,
};
use thiserror::Error;

use super::Credentials;
use crate::wire::Protocol;

/// Why the certificates cannot be used together.
#[derive(Debug, Error)]
pub enum TlsError {
    /// Key and certificate do not belong together, or rustls does not support them.
    #[error("certificate and private key cannot be used: {}", credentials(.0))]
    Credentials(rustls::Error),
    /// The CA bundle is empty or unusable.
    #[error("the CA bundle cannot be used: {0}")]
    Ca(String),
    /// The library does not offer what we ask for.
    #[error("TLS 1.3 is not available: {0}")]
    Unavailable(String),
}

/// The mistake that openssl makes easy: without an extension file it signs X.509 version 1.
fn credentials(error: &rustls::Error) -> String {
    let text = error.to_string();
    if text.contains("UnsupportedCertVersion") {
        return "the certificate is X.509 version 1; sign it with extensions (openssl x509 -req ... -extfile FILE)"
            .to_owned();
    }
    text
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
    legacy: bool,
) -> Result<quinn::crypto::rustls::QuicServerConfig, TlsError> {
    let provider = Arc::new(provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(clients), provider.clone())
        .build()
        .map_err(|error| TlsError::Ca(error.to_string()))?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .map_err(|error| TlsError::Unavailable(error.to_string()))?
        .with_client_cert_verifier(verifier)
        .with_single_cert(credentials.chain, credentials.key)
        .map_err(TlsError::Credentials)?;
    config.alpn_protocols = Protocol::alpn(legacy);
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.max_early_data_size = 0;
    config
        .try_into()
        .map_err(|error| TlsError::Unavailable(format!("{error}")))
}

/// The connector's side: shows its certificate, verifies the listener's against the CAs and the name.
///
/// # Errors
/// [`TlsError`].
pub fn client_config(
    credentials: Credentials,
    servers: RootCertStore,
    legacy: bool,
) -> Result<quinn::crypto::rustls::QuicClientConfig, TlsError> {
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider()))
        .with_protocol_versions(&[&TLS13])
        .map_err(|error| TlsError::Unavailable(error.to_string()))?
        .with_root_certificates(servers)
        .with_client_auth_cert(credentials.chain, credentials.key)
        .map_err(TlsError::Credentials)?;
    config.alpn_protocols = Protocol::alpn(legacy);
    config.resumption = Resumption::disabled();
    config.enable_early_data = false;
    config
        .try_into()
        .map_err(|error| TlsError::Unavailable(format!("{error}")))
}

/// aws-lc-rs with AES-128-GCM first: on processors with AES instructions it is the fastest suite of TLS 1.3.
fn provider() -> CryptoProvider {
    let mut provider = aws_lc_rs::default_provider();
    provider
        .cipher_suites
        .retain(|suite| suite.tls13().is_some());
    provider
        .cipher_suites
        .sort_by_key(|suite| suite.suite() != CipherSuite::TLS13_AES_128_GCM_SHA256);
    provider
}
