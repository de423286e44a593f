//! The dates of the certificates that a daemon uses.

use std::path::Path;

use super::{Item, Kind};
use crate::tls::{CertificateFiles, Loaded, files::load_facts};

impl Loaded {
    /// What ends of it: own certificate, intermediates, CAs. It goes with what was made of the rest, so that the report is
    /// about what is in force, whatever the files hold since.
    pub fn items(&self, files: &CertificateFiles) -> Vec<Item> {
        let chain = self.chain_facts.iter().enumerate();
        let chain = chain.map(|(index, facts)| match index {
            0 => (Kind::Leaf, &files.chain, facts),
            _ => (Kind::Intermediate, &files.chain, facts),
        });
        let ca = self.ca_facts.iter();
        let ca = ca.map(|facts| (Kind::Ca, &files.ca, facts));
        let items = chain.chain(ca).map(|(kind, file, facts)| Item {
            kind,
            file: file.clone(),
            name: facts.subject.clone(),
            not_after: facts.not_after,
        });
        items.collect()
    }
}

/// The CA certificates of a file that is only looked at: none while it cannot be read, which whoever uses it tells.
pub fn of_cas(file: &Path) -> Vec<Item> {
    let facts = load_facts(file).unwrap_or_default().into_iter();
    let items = facts.map(|facts| Item {
        kind: Kind::Ca,
        file: file.to_owned(),
        name: facts.subject,
        not_after: facts.not_after,
    });
    items.collect()
}
