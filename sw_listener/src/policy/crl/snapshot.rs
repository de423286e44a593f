//! The check of a path against the lists of one moment. Pure, and shared by all sessions.

use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
    str::FromStr,
    sync::Arc,
    time::SystemTime,
};

use common::tls::expiry::{Item, Kind};
use rustls::{crypto::WebPkiSupportedAlgorithms, pki_types::CertificateDer};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{
    CrlFinding, List,
    shelf::{Held, ISSUERS, TOLERANCE, may_sign},
    text,
};
use crate::policy::chain::{Issuer, Link, Path};

/// Which certificates of a path must be on the lists' good side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CrlScope {
    /// The leaf.
    Leaf,
    /// Every certificate below the CA of the bundle.
    #[default]
    Chain,
}

impl FromStr for CrlScope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "leaf" => Ok(Self::Leaf),
            "chain" => Ok(Self::Chain),
            _ => Err(format!("must be \"leaf\" or \"chain\", not {text:?}")),
        }
    }
}

/// The lists of one moment. Cheap to keep: the lists themselves are shared.
#[derive(Debug)]
pub struct CrlSnapshot {
    pub(super) supported: WebPkiSupportedAlgorithms,
    pub(super) known: HashSet<Issuer>,
    pub(super) barred: HashSet<Issuer>,
    pub(super) held: HashMap<Issuer, Held>,
    pub(super) waiting: Vec<Arc<List>>,
}

/// A list that is in force, for warnings about its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrlFact {
    /// The CA.
    pub issuer: String,
    /// When the list was made.
    pub this_update: SystemTime,
    /// When it is over.
    pub next_update: SystemTime,
    /// Certificates that it revokes.
    pub revoked: usize,
    /// The file or address that it came from.
    pub source: Arc<str>,
}

impl CrlFact {
    /// The end of the list as something to warn of: only once less than a quarter of its time is left. Lists live for days,
    /// and their CAs replace them shortly before the end.
    fn end(&self, now: SystemTime) -> Option<Item> {
        let life = self.next_update.duration_since(self.this_update);
        let left = self.next_update.duration_since(now).unwrap_or_default();
        (left < life.unwrap_or_default() / 4).then(|| Item {
            kind: Kind::Crl,
            file: PathBuf::from(&*self.source),
            name: self.issuer.clone(),
            not_after: self.next_update.into(),
        })
    }
}

impl CrlSnapshot {
    /// The lists whose end is near.
    pub fn ends(&self, now: SystemTime) -> Vec<Item> {
        let facts = self.facts();
        facts.iter().filter_map(|fact| fact.end(now)).collect()
    }

    /// Checks the certificates of a path against the list of their CAs (RFC 5280, section 6.3).
    ///
    /// # Errors
    /// The first definite [`CrlFinding`], or else the first.
    pub fn check(&self, path: &Path, scope: CrlScope, now: SystemTime) -> Result<(), CrlFinding> {
        let links = match scope {
            CrlScope::Leaf => path.links.get(..1).unwrap_or_default(),
            CrlScope::Chain => &path.links,
        };
        let mut first = Ok(());
        for (depth, link) in links.iter().enumerate() {
            let above = path.links.get(depth + 1).map(|link| &link.certificate);
            let Err(finding) = self.check_link(link, depth == 0, above, now) else {
                continue;
            };
            if finding.is_definite() {
                return Err(finding);
            }
            first = first.and(Err(finding));
        }
        first
    }

    /// The CAs of a path whose keys are not known here: [`super::Shelf::learn`] them.
    pub fn strangers<'a>(&self, path: &'a Path) -> impl Iterator<Item = &'a Issuer> {
        let full = self.known.len() >= ISSUERS;
        let issuers = path.links.iter().map(|link| &link.issuer);
        issuers.filter(move |issuer| !full && !self.known.contains(issuer))
    }

    /// Whether there is a list of this CA.
    pub fn covers(&self, issuer: &Issuer) -> bool {
        self.held.contains_key(issuer)
    }

    /// The lists in force.
    pub fn facts(&self) -> Vec<CrlFact> {
        let facts = self.held.values().map(|Held { list, source }| CrlFact {
            issuer: list.issuer_text(),
            this_update: list.this_update(),
            next_update: list.next_update(),
            revoked: list.len(),
            source: source.clone(),
        });
        facts.collect()
    }

    fn check_link(
        &self,
        link: &Link,
        leaf: bool,
        above: Option<&CertificateDer<'_>>,
        now: SystemTime,
    ) -> Result<(), CrlFinding> {
        let issuer = || text::name(&link.issuer.name);
        let bad = |why: String| CrlFinding::BadSignature {
            issuer: issuer(),
            why,
        };
        let (_, certificate) = X509Certificate::from_der(&link.certificate)
            .map_err(|_| bad("the certificate to look up cannot be read".to_owned()))?;
        if self.barred.contains(&link.issuer) || above.is_some_and(|der| !der_may_sign(der)) {
            return Err(bad(
                "the CA's certificate does not let it sign CRLs (key usage)".to_owned(),
            ));
        }
        let list = self.find(&link.issuer).map_err(|problem| match problem {
            Some(why) => bad(why),
            None => CrlFinding::Missing { issuer: issuer() },
        })?;
        // What the CA has signed once stays true when the list is over.
        if let Some(revocation) = list.find(certificate.raw_serial()) {
            return Err(CrlFinding::Revoked {
                issuer: issuer(),
                date: revocation.date,
                reason: revocation.reason,
                serial: certificate.raw_serial_as_string(),
                leaf,
            });
        }
        if list.this_update() > now + TOLERANCE {
            return Err(CrlFinding::NotYetValid {
                issuer: issuer(),
                from: list.this_update(),
            });
        }
        if list.next_update() < now {
            return Err(CrlFinding::Expired {
                issuer: issuer(),
                since: list.next_update(),
            });
        }
        Ok(())
    }

    /// The newest list that this CA has signed; else what is wrong with those of its name, if there are any.
    fn find(&self, issuer: &Issuer) -> Result<&List, Option<String>> {
        if let Some(held) = self.held.get(issuer) {
            return Ok(&held.list);
        }
        let mut problem = None;
        let mut newest: Option<&List> = None;
        for list in self
            .waiting
            .iter()
            .filter(|list| list.issuer() == issuer.name)
        {
            match list.verify(&self.supported, issuer) {
                Ok(()) if newest.is_none_or(|newest| list.age(newest).is_gt()) => {
                    newest = Some(list);
                }
                Ok(()) => {}
                Err(error) => problem = Some(error.to_string()),
            }
        }
        newest.ok_or(problem)
    }
}

fn der_may_sign(der: &CertificateDer<'_>) -> bool {
    X509Certificate::from_der(der).is_ok_and(|(_, certificate)| may_sign(&certificate))
}
