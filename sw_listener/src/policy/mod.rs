//! Policy: whether a verified certificate gets a session. The answer is a proof, [`Permit`], or a reason.
//!
//! The TLS handshake has verified chain, validity and key usage by the time this runs.

pub mod chain;
pub mod crl;
pub mod fetch;
pub mod lists;
pub mod ocsp;
mod scep;
pub mod signature;

use common::wire::close::CloseCode;
use rustls::pki_types::CertificateDer;
use thiserror::Error;

use self::fetch::{FetchError, Fetcher};
pub use self::scep::{ScepError, ScepUrl, ScepVerifier};
use crate::{
    config::PolicyConfig,
    identity::{self, Identity, IdentityError},
};

/// The proof that a certificate has passed every check. Only [`Policy::evaluate`] makes one, and only with one can a
/// session be registered.
#[derive(Debug)]
pub struct Permit {
    identity: Identity,
}

impl Permit {
    /// Who was let in.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// For tests of what needs one.
    #[cfg(test)]
    pub(crate) fn unchecked(identity: Identity) -> Self {
        Self { identity }
    }
}

/// Why a certificate gets no session.
#[derive(Debug, Error)]
pub enum Denial {
    /// It names nobody.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The SCEP server says no, or nothing usable.
    #[error("SCEP server: {0}")]
    Scep(#[from] ScepError),
}

impl Denial {
    /// What the connector is told.
    pub fn close_code(&self) -> CloseCode {
        match self {
            Self::Identity(_) => CloseCode::PolicyDenied,
            Self::Scep(error) if error.is_definite() => CloseCode::PolicyDenied,
            Self::Scep(_) => CloseCode::VerifierUnavailable,
        }
    }
}

/// The rules in force.
#[derive(Debug)]
pub struct Policy {
    config: PolicyConfig,
    scep: Option<ScepVerifier>,
}

impl Policy {
    /// The rules of these settings. Call it on the runtime that shall ask the SCEP server.
    ///
    /// # Errors
    /// [`FetchError::Client`].
    pub fn new(config: PolicyConfig) -> Result<Self, FetchError> {
        let fetcher = Fetcher::new(None)?;
        let scep = config
            .scep_url
            .clone()
            .map(|url| ScepVerifier::new(url, fetcher));
        Ok(Self { config, scep })
    }

    /// Checks the certificates of a peer, leaf first. Only the leaf counts: the rest is what the peer chose to send.
    ///
    /// # Errors
    /// The [`Denial`].
    pub async fn evaluate(&self, chain: &[CertificateDer<'static>]) -> Result<Permit, Denial> {
        let leaf = chain.first().ok_or(IdentityError::Unreadable)?;
        let identity = identity::read(leaf, self.config.uid_source)?;
        if let Some(scep) = &self.scep {
            scep.verify(leaf, &identity.uid).await?;
        }
        Ok(Permit { identity })
    }
}
