//! Policy: whether a certificate gets a session, and may keep it. The answer is a proof, [`Permit`], or a reason.
//!
//! [`Policy::evaluate`] collects what the checks say (path, lists, CRLs, OCSP, SCEP), and [`decision`] decides; both for a
//! new session and, every [`RulesConfig::recheck`] and whenever lists, CRLs or the CA bundle change, for a live one.

pub mod chain;
pub mod crl;
mod decision;
mod denial;
mod der;
pub mod fetch;
mod file;
mod keeper;
pub mod lists;
mod live;
pub mod ocsp;
mod revocation_text;
mod scep;
mod scep_ca;
pub mod signature;

use std::{sync::Arc, time::SystemTime};

use rustls::{crypto::WebPkiSupportedAlgorithms, pki_types::CertificateDer};
use tokio::sync::{Semaphore, watch};

use self::{
    chain::{Authorities, Path},
    crl::CrlHandle,
    decision::{Answers, Findings, decide},
    lists::Lists,
    ocsp::{Demand, OcspVerifier},
};
pub use self::{
    denial::Denial,
    file::FileError,
    keeper::{Keeper, PolicyError, Started, start},
    scep::{ScepError, ScepUrl, ScepVerifier},
    scep_ca::ScepCaError,
};
use crate::{
    config::RulesConfig,
    identity::{self, Identity, IdentityError},
};

/// Live sessions about which the servers are asked at the same time. Looking at what is known here takes no turn.
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

/// A certificate whose holder and path are known, and what is known against it here.
#[derive(Debug)]
struct Known {
    leaf: CertificateDer<'static>,
    identity: Identity,
    path: Path,
    findings: Findings,
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
        let mut known = self.look(chain)?;
        if !known.findings.are_final() {
            let answers = self.ask(&known, OcspVerifier::for_new).await;
            known.findings.add(answers);
        }
        decide(known.findings)?;
        Ok(Permit {
            identity: known.identity,
        })
    }

    /// What is known here, without asking anybody.
    ///
    /// # Errors
    /// The [`Denial`] of a certificate that has no holder or no path.
    fn look(&self, chain: &[CertificateDer<'static>]) -> Result<Known, Denial> {
        let now = SystemTime::now();
        let leaf = chain.first().ok_or(IdentityError::Unreadable)?;
        let identity = identity::read(leaf, self.rules.uid_source)?;
        let authorities = self.authorities.borrow().clone();
        let path = chain::verify(&self.supported, &authorities.roots, chain, now)?;
        let findings = Findings {
            lists: lists::decide(&self.lists.borrow().clone(), &identity, leaf),
            crl: self
                .crl
                .as_ref()
                .map_or(Ok(()), |crl| crl.check(&path, now)),
            ocsp: Ok(()),
            scep: Ok(()),
        };
        Ok(Known {
            leaf: leaf.clone(),
            identity,
            path,
            findings,
        })
    }

    /// Whether there are servers to ask.
    fn has_servers(&self) -> bool {
        self.ocsp.is_some() || self.scep.is_some()
    }

    /// Asks the servers; `demand` is on what the OCSP responder says.
    async fn ask(&self, known: &Known, demand: fn(&OcspVerifier) -> Demand) -> Answers {
        let (ocsp, scep) = tokio::join!(
            self.ask_ocsp(&known.path, demand),
            self.ask_scep(&known.leaf, &known.identity)
        );
        Answers { ocsp, scep }
    }

    async fn ask_ocsp(
        &self,
        path: &Path,
        demand: fn(&OcspVerifier) -> Demand,
    ) -> Result<(), ocsp::OcspFinding> {
        match &self.ocsp {
            Some(ocsp) => ocsp.check(path, SystemTime::now(), demand(ocsp)).await,
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
