//! Allow and deny lists: who may connect by name, whatever the CA says.
//!
//! Deny wins. Once an allow list is set, who is not on it is refused. A fingerprint allows one certificate, and denies also
//! its twin. The decision is pure; [`ListFiles`] reads.

mod entry;
mod files;
mod twin;

use std::{collections::HashMap, fmt, path::PathBuf, sync::Arc};

use aws_lc_rs::digest::{SHA256, digest};
use thiserror::Error;

pub use self::{
    entry::{Entry, EntryError, Pattern},
    files::{ListFiles, ListProblem},
};
use crate::identity::Identity;

/// Where an entry stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In the setting of this name.
    Setting(&'static str),
    /// In a file.
    File {
        /// Which.
        path: Arc<PathBuf>,
        /// The line, from 1.
        line: usize,
    },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Setting(key) => write!(f, "setting {key}"),
            Self::File { path, line } => write!(f, "{}, line {line}", path.display()),
        }
    }
}

/// Why a connector is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ListFinding {
    /// It is on the deny list.
    #[error("denied by {entry} ({place})")]
    Denied {
        /// The entry.
        entry: Entry,
        /// Where it stands.
        place: Place,
    },
    /// There is an allow list, and it is not on it.
    #[error("not on the allow list: the operator must add its UID, fingerprint or serial number")]
    NotAllowed,
}

impl ListFinding {
    /// Its stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Denied { .. } => "denied_by_list",
            Self::NotAllowed => "not_on_allow_list",
        }
    }
}

/// The entries of one side.
#[derive(Debug, Clone, Default, PartialEq)]
struct Rules {
    /// Those that name one UID, certificate or number.
    exact: HashMap<Entry, Place>,
    patterns: Vec<(Pattern, Place)>,
    /// Whether any names a certificate.
    by_fingerprint: bool,
}

impl Rules {
    fn add(&mut self, entry: Entry, place: Place) {
        if let Entry::Uid(pattern) = &entry
            && pattern.exact().is_none()
        {
            self.patterns.push((pattern.clone(), place));
            return;
        }
        self.by_fingerprint |= matches!(entry, Entry::Fingerprint(_));
        self.exact.entry(entry).or_insert(place);
    }

    fn count(&self) -> usize {
        self.exact.len() + self.patterns.len()
    }

    /// The entry that names this connector.
    fn find(&self, identity: &Identity) -> Option<(Entry, Place)> {
        let fingerprint = entry::hex(&identity.fingerprint).and_then(|bytes| bytes.try_into().ok());
        let names = [
            identity.uid.as_str().parse().ok().map(Entry::Uid),
            fingerprint.map(Entry::Fingerprint),
            entry::serial(&identity.serial).map(Entry::Serial),
        ];
        for name in names.into_iter().flatten() {
            if let Some(place) = self.exact.get(&name) {
                return Some((name, place.clone()));
            }
        }
        let mut patterns = self.patterns.iter();
        let (pattern, place) =
            patterns.find(|(pattern, _)| pattern.matches(identity.uid.as_str()))?;
        Some((Entry::Uid(pattern.clone()), place.clone()))
    }

    /// The entry that names this certificate (DER), spelt differently.
    fn find_twin(&self, leaf: &[u8]) -> Option<(Entry, Place)> {
        if !self.by_fingerprint {
            return None;
        }
        twin::twins(leaf).iter().find_map(|twin| {
            let name = Entry::Fingerprint(digest(&SHA256, twin).as_ref().try_into().ok()?);
            let place = self.exact.get(&name)?.clone();
            Some((name, place))
        })
    }
}

/// The lists in force.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Lists {
    /// `None`: everyone is allowed.
    allow: Option<Rules>,
    deny: Rules,
}

impl Lists {
    /// How many entries allow (`None`: everyone is allowed), and how many deny.
    pub fn counts(&self) -> (Option<usize>, usize) {
        (self.allow.as_ref().map(Rules::count), self.deny.count())
    }
}

/// Decides whether a connector with this leaf (DER) may come in.
///
/// # Errors
/// The [`ListFinding`] against it.
pub fn decide(lists: &Lists, identity: &Identity, leaf: &[u8]) -> Result<(), ListFinding> {
    let deny = &lists.deny;
    if let Some((entry, place)) = deny.find(identity).or_else(|| deny.find_twin(leaf)) {
        return Err(ListFinding::Denied { entry, place });
    }
    match &lists.allow {
        Some(allow) if allow.find(identity).is_none() => Err(ListFinding::NotAllowed),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
