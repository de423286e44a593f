//! The newest list of every CA: which lists are taken, which are refused. Pure: time is an argument.
//!
//! A list counts for a CA (name and key) once its signature by this key was checked. The keys come from the CA bundle and from
//! paths that were verified; a list of a CA whose key is not known yet waits. So nobody can push a list out with one that
//! the CA has not signed, whatever the server or somebody on the way to it says.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
    time::{Duration, SystemTime},
};

use rustls::{crypto::WebPkiSupportedAlgorithms, pki_types::CertificateDer};
use thiserror::Error;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{CrlSnapshot, List};
use crate::policy::{chain::Issuer, revocation_text::minute, signature::SignatureError};

/// How far the clock of a CA may be ahead of ours.
pub(super) const TOLERANCE: Duration = Duration::from_secs(5 * 60);
/// CAs whose keys are remembered. Each has a certificate in the bundle or above a connector.
pub(super) const ISSUERS: usize = 1024;

/// Why a list is not taken. Of each CA the newest list so far stays in force.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// A newer list of this CA is known: somebody may want revocations to be forgotten.
    #[error(
        "the CRL of \"{issuer}\" of {} is older than one seen before, of {}: roll-back refused",
        minute(*.made), minute(*.newest)
    )]
    RolledBack {
        /// The CA.
        issuer: String,
        /// `thisUpdate` of the list.
        made: SystemTime,
        /// `thisUpdate` of the newest one.
        newest: SystemTime,
    },
    /// It is of the future.
    #[error("the CRL of \"{issuer}\" is valid from {} on: check the clocks", minute(*.from))]
    NotYetValid {
        /// The CA.
        issuer: String,
        /// From when on.
        from: SystemTime,
    },
    /// It names a known CA, but is not signed by it.
    #[error("the CRL of \"{issuer}\" does not count: {why}")]
    Signature {
        /// The CA.
        issuer: String,
        /// What is wrong.
        why: SignatureError,
    },
}

/// What became of the lists of a source.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// The CAs that have a newer list now.
    pub newer: Vec<Issuer>,
    /// What was not taken.
    pub refused: Vec<Refusal>,
}

/// A list in force, and where it came from.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) list: Arc<List>,
    pub(super) source: Arc<str>,
}

/// The lists.
#[derive(Debug)]
pub struct Shelf {
    supported: WebPkiSupportedAlgorithms,
    known: HashSet<Issuer>,
    /// CAs whose certificate does not let them sign CRLs.
    barred: HashSet<Issuer>,
    held: HashMap<Issuer, Held>,
    /// By source: lists that do not count for any CA yet.
    waiting: BTreeMap<Arc<str>, Vec<Arc<List>>>,
    /// Grows with every change that a check may notice.
    revision: u64,
}

impl Shelf {
    /// No lists. `supported`: the signatures that count.
    pub fn new(supported: WebPkiSupportedAlgorithms) -> Self {
        Self {
            supported,
            known: HashSet::new(),
            barred: HashSet::new(),
            held: HashMap::new(),
            waiting: BTreeMap::new(),
            revision: 0,
        }
    }

    /// Takes the CAs of the bundle (DER). One whose certificate has a key usage without `cRLSign` (RFC 5280, section 4.2.1.3)
    /// gets no list.
    pub fn set_authorities(&mut self, bundle: &[CertificateDer<'_>], now: SystemTime) -> Received {
        let parsed = bundle.iter().filter_map(|der| {
            let (_, certificate) = X509Certificate::from_der(der).ok()?;
            let issuer = Issuer {
                name: certificate.subject().as_raw().to_vec(),
                spki: certificate.public_key().raw.to_vec(),
            };
            Some((issuer, may_sign(&certificate)))
        });
        let (may, may_not): (Vec<_>, Vec<_>) = parsed.partition(|(_, may)| *may);
        let may: HashSet<_> = may.into_iter().map(|(issuer, _)| issuer).collect();
        self.barred = may_not.into_iter().map(|(issuer, _)| issuer).collect();
        // The same CA may have a newer certificate that lets it.
        self.barred.retain(|issuer| !may.contains(issuer));
        self.known.extend(may);
        self.revision += 1;
        self.settle(now)
    }

    /// Takes the CA of a verified path: lists that wait for its key count from now on.
    pub fn learn(&mut self, issuer: Issuer, now: SystemTime) -> Received {
        if self.known.len() >= ISSUERS || !self.known.insert(issuer) {
            return Received::default();
        }
        self.revision += 1;
        self.settle(now)
    }

    /// Takes what a source has given, instead of what it gave before. Lists that count stay until there is a newer one, even
    /// when the source does not give them any more.
    pub fn receive(
        &mut self,
        source: &Arc<str>,
        lists: Vec<Arc<List>>,
        now: SystemTime,
    ) -> Received {
        let before = self.waiting.remove(source).unwrap_or_default();
        let mut received = Received::default();
        for list in lists {
            self.place(source, list, now, &mut received);
        }
        let after = self.waiting.get(source).map_or(&[][..], Vec::as_slice);
        let same = before.len() == after.len() && before.iter().zip(after).all(|(a, b)| a.is(b));
        if !same {
            self.revision += 1;
        }
        received
    }

    /// Tries the lists that wait again: a key was learned, or time has passed.
    pub fn settle(&mut self, now: SystemTime) -> Received {
        let mut received = Received::default();
        for (source, lists) in std::mem::take(&mut self.waiting) {
            for list in lists {
                self.place(&source, list, now, &mut received);
            }
        }
        received
    }

    fn place(
        &mut self,
        source: &Arc<str>,
        list: Arc<List>,
        now: SystemTime,
        received: &mut Received,
    ) {
        match self.owner(&list) {
            Ok(owner) if list.this_update() <= now + TOLERANCE => {
                match self.put(owner.clone(), source, list) {
                    Ok(true) => received.newer.push(owner),
                    Ok(false) => {}
                    Err(refusal) => received.refused.push(refusal),
                }
                return;
            }
            Ok(_) => received.refused.push(Refusal::NotYetValid {
                issuer: list.issuer_text(),
                from: list.this_update(),
            }),
            Err(None) => {}
            Err(Some(why)) => received.refused.push(Refusal::Signature {
                issuer: list.issuer_text(),
                why,
            }),
        }
        self.waiting.entry(source.clone()).or_default().push(list);
    }

    /// The known CA that has signed a list; `None` when no known CA has its name.
    fn owner(&self, list: &List) -> Result<Issuer, Option<SignatureError>> {
        let mut problem = None;
        for issuer in self
            .known
            .iter()
            .filter(|known| known.name == list.issuer())
        {
            match list.verify(&self.supported, issuer) {
                Ok(()) => return Ok(issuer.clone()),
                Err(error) => problem = Some(error),
            }
        }
        Err(problem)
    }

    /// Whether the list is newer than the one before.
    fn put(&mut self, owner: Issuer, source: &Arc<str>, list: Arc<List>) -> Result<bool, Refusal> {
        if let Some(held) = self.held.get(&owner) {
            let before = &held.list;
            if list.is(before) {
                return Ok(false);
            }
            let older = match list.age(before) {
                Ordering::Less => true,
                // Two lists of one second: revocations must not become fewer.
                Ordering::Equal => list.len() < before.len(),
                Ordering::Greater => false,
            };
            if older {
                return Err(Refusal::RolledBack {
                    issuer: list.issuer_text(),
                    made: list.this_update(),
                    newest: before.this_update(),
                });
            }
        }
        let source = source.clone();
        self.held.insert(owner, Held { list, source });
        self.revision += 1;
        Ok(true)
    }

    /// A list that was kept from before a restart, with the CA for which it counted. Whether its signature is right.
    pub fn restore(&mut self, source: &Arc<str>, issuer: Issuer, list: List) -> bool {
        let signed = list.verify(&self.supported, &issuer).is_ok();
        if signed {
            self.known.insert(issuer.clone());
            // An older copy changes nothing.
            let _ = self.put(issuer, source, Arc::new(list));
        }
        signed
    }

    /// The list in force of a CA.
    pub fn list(&self, issuer: &Issuer) -> Option<&Arc<List>> {
        self.held.get(issuer).map(|held| &held.list)
    }

    /// The known CAs.
    pub fn known(&self) -> &HashSet<Issuer> {
        &self.known
    }

    /// Another number after every change that a check may notice.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The lists, for checks.
    pub fn snapshot(&self) -> CrlSnapshot {
        let waiting = self.waiting.values().flatten().cloned().collect();
        CrlSnapshot {
            supported: self.supported,
            known: self.known.clone(),
            barred: self.barred.clone(),
            held: self.held.clone(),
            waiting,
        }
    }
}

/// Whether a CA's certificate lets it sign CRLs.
pub(super) fn may_sign(certificate: &X509Certificate<'_>) -> bool {
    match certificate.key_usage() {
        Ok(Some(usage)) => usage.value.crl_sign(),
        Ok(None) => true,
        Err(_) => false,
    }
}
