//! Endpoint keys that survive a restart.
//!
//! A restarted listener answers packets of forgotten sessions with a stateless reset (RFC 9000, section 10.3), so that
//! connectors come back at their next keep-alive instead of waiting for the idle timeout. Both sides of a reset token
//! must come from the same key, so the keys are derived from the private key of the certificate.

use std::sync::Arc;

use aws_lc_rs::{hkdf, hmac};
use quinn::{EndpointConfig, ServerConfig};
use quinn_proto::HashedConnectionIdGenerator;
use rustls::pki_types::PrivateKeyDer;
use thiserror::Error;

/// The derivation failed; the library gives no reason.
#[derive(Debug, Error)]
#[error("cannot derive the endpoint's keys")]
pub struct KeyDerivationError;

/// Keys of an endpoint: for stateless resets, connection IDs and Retry tokens.
#[derive(Debug)]
pub struct EndpointKeys {
    reset: [u8; 32],
    connection_id: u64,
    token: [u8; 32],
}

impl EndpointKeys {
    /// Derives the keys (HKDF-SHA-256, RFC 5869) from a private key; the same key gives the same result.
    ///
    /// # Errors
    /// [`KeyDerivationError`].
    pub fn derive(key: &PrivateKeyDer<'_>) -> Result<Self, KeyDerivationError> {
        let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, b"socket-warp endpoint keys");
        let secret = salt.extract(key.secret_der());
        let id: [u8; 8] = expand(&secret, b"connection id")?;
        Ok(Self {
            reset: expand(&secret, b"stateless reset")?,
            connection_id: u64::from_be_bytes(id),
            token: expand(&secret, b"retry token")?,
        })
    }

    /// The configuration of an endpoint with these keys.
    pub fn endpoint_config(&self) -> EndpointConfig {
        let id = self.connection_id;
        let mut config =
            EndpointConfig::new(Arc::new(hmac::Key::new(hmac::HMAC_SHA256, &self.reset)));
        config.cid_generator(move || Box::new(HashedConnectionIdGenerator::from_key(id)));
        config
    }

    /// Puts the key of the Retry tokens into a server configuration.
    pub fn protect_tokens(&self, config: &mut ServerConfig) {
        let key = hkdf::Salt::new(hkdf::HKDF_SHA256, &[]).extract(&self.token);
        config.token_key(Arc::new(key));
    }
}

fn expand<const N: usize>(secret: &hkdf::Prk, label: &[u8]) -> Result<[u8; N], KeyDerivationError> {
    struct Length(usize);
    impl hkdf::KeyType for Length {
        fn len(&self) -> usize {
            self.0
        }
    }
    let mut bytes = [0; N];
    secret
        .expand(&[label], Length(N))
        .and_then(|okm| okm.fill(&mut bytes))
        .map_err(|_| KeyDerivationError)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_key_gives_the_same_keys_and_another_gives_others() {
        let key = |byte: u8| PrivateKeyDer::Pkcs8(vec![byte; 48].into());
        let first = EndpointKeys::derive(&key(1)).unwrap();
        let again = EndpointKeys::derive(&key(1)).unwrap();
        let other = EndpointKeys::derive(&key(2)).unwrap();
        assert_eq!(first.reset, again.reset);
        assert_eq!(first.connection_id, again.connection_id);
        assert_ne!(first.reset, other.reset);
        assert_ne!(first.reset, first.token);
        assert_ne!(first.connection_id, other.connection_id);
    }
}
