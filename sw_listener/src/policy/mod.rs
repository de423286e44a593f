//! Policy: whether a certificate gets a session, and may keep it. The answer is a proof, [`Permit`], or a reason.
//!
//! [`Policy::evaluate`] collects what the checks say (path, lists, CRLs, OCSP, SCEP), and [`decision`] decides; both for a
//! new session and, every [`RulesConfig::recheck`] and whenever lists, CRLs or the CA bundle change, for a live one.

pub mod chain;
pub mod crl;
mod decision;
mod denial;
pub mod fetch;
mod keeper;
pub mod lists;
mod live;
pub mod ocsp;
mod scep;
pub mod signature;

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use rustls::{crypto::WebPkiSupportedAlgorithms, pki_types::CertificateDer};
use tokio::sync::{Semaphore, watch};

use self::{
    chain::{Authorities, Path},
    crl::CrlHandle,
    decision::{Depth, Findings, decide},
    lists::Lists,
    ocsp::OcspVerifier,
};
pub use self::{
    denial::Denial,
    keeper::{Keeper, PolicyError, Started, start},
    scep::{ScepError, ScepUrl, ScepVerifier},
};
use crate::{
    config::RulesConfig,
    identity::{self, Identity, IdentityError},
};

/// How old what the OCSP responder said may be for a live session. With the longest time between two checks and what an
/// answer takes it stays within a minute.
const LIVE_OCSP_AGE: Duration = Duration::from_secs(10);
/// Live sessions that are checked at the same time.
const AT_ONCE: usize = 32;

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

    /// A proof of nothing, for tests of what comes after.
    #[cfg(test)]
    pub(crate) fn unchecked(identity: Identity) -> Self {
        Self { identity }
    }
}

/// The rules in force. What changes while the listener runs comes from the [`keeper`].
#[derive(Debug)]
pub struct Policy {
    rules: RulesConfig,
    supported: WebPkiSupportedAlgorithms,
    authorities: watch::Receiver<Arc<Authorities>>,
    lists: watch::Receiver<Arc<Lists>>,
    crl: Option<CrlHandle>,
    ocsp: Option<OcspVerifier>,
    scep: Option<ScepVerifier>,
    turns: Semaphore,
}

impl Policy {
    /// Checks the certificates of a peer, leaf first. Only the leaf names it; the rest is what the peer chose to send for
    /// the path to a CA.
    ///
    /// # Errors
    /// The [`Denial`].
    pub async fn evaluate(&self, chain: &[CertificateDer<'static>]) -> Result<Permit, Denial> {
        let fresh = self
            .ocsp
            .as_ref()
            .map_or(Duration::ZERO, OcspVerifier::refresh);
        let identity = self.examine(chain, Depth::Full, fresh).await?;
        Ok(Permit { identity })
    }

    /// Asks everyone whom `depth` allows; OCSP answers may be so old.
    async fn examine(
        &self,
        chain: &[CertificateDer<'static>],
        depth: Depth,
        ocsp_age: Duration,
    ) -> Result<Identity, Denial> {
        let now = SystemTime::now();
        let leaf = chain.first().ok_or(IdentityError::Unreadable)?;
        let identity = identity::read(leaf, self.rules.uid_source)?;
        let authorities = self.authorities.borrow().clone();
        let path = chain::verify(&self.supported, &authorities.roots, chain, now)?;
        let mut findings = Findings {
            lists: lists::decide(&self.lists.borrow().clone(), &identity),
            crl: self
                .crl
                .as_ref()
                .map_or(Ok(()), |crl| crl.check(&path, now)),
            ocsp: Ok(()),
            scep: Ok(()),
        };
        if depth == Depth::Full && !findings.are_final() {
            (findings.ocsp, findings.scep) = tokio::join!(
                self.ask_ocsp(&path, now, ocsp_age),
                self.ask_scep(leaf, &identity)
            );
        }
        decide(findings)?;
        Ok(identity)
    }

    async fn ask_ocsp(
        &self,
        path: &Path,
        now: SystemTime,
        age: Duration,
    ) -> Result<(), ocsp::OcspFinding> {
        match &self.ocsp {
            Some(ocsp) => ocsp.check(path, now, age).await,
            None => Ok(()),
        }
    }

    async fn ask_scep(&self, leaf: &[u8], identity: &Identity) -> Result<(), ScepError> {
        match &self.scep {
            Some(scep) => scep.verify(leaf, &identity.uid).await,
            None => Ok(()),
        }
    }
}
