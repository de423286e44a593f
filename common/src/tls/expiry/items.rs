//! The dates in the certificate files of a daemon.

use std::path::{Path, PathBuf};

use super::{Item, Kind};
use crate::tls::{CertificateFiles, files::load_facts};

/// The certificates in the files of a daemon. A file that cannot be read for now keeps what it held, as it stays in
/// force as well.
#[derive(Debug)]
pub struct CertificateItems {
    files: CertificateFiles,
    chain: Vec<Item>,
    ca: Vec<Item>,
    /// Further files of CAs.
    others: Vec<(PathBuf, Vec<Item>)>,
}

impl CertificateItems {
    /// Nothing has been read yet.
    pub fn new(files: CertificateFiles) -> Self {
        Self {
            files,
            chain: Vec::new(),
            ca: Vec::new(),
            others: Vec::new(),
        }
    }

    /// With these files of CAs too.
    #[must_use]
    pub fn with_cas(mut self, files: impl IntoIterator<Item = PathBuf>) -> Self {
        self.others = files.into_iter().map(|file| (file, Vec::new())).collect();
        self
    }

    /// Reads the files again: own certificate, intermediates, CAs, further CAs.
    pub fn refresh(&mut self) -> Vec<Item> {
        let link = |index| match index {
            0 => Kind::Leaf,
            _ => Kind::Intermediate,
        };
        if let Some(items) = read(&self.files.chain, link) {
            self.chain = items;
        }
        if let Some(items) = read(&self.files.ca, |_| Kind::Ca) {
            self.ca = items;
        }
        for (file, items) in &mut self.others {
            if let Some(new) = read(file, |_| Kind::Ca) {
                *items = new;
            }
        }
        let others = self.others.iter().map(|(_, items)| items.as_slice());
        let own = [self.chain.as_slice(), &self.ca];
        own.into_iter().chain(others).flatten().cloned().collect()
    }
}

/// `None` when the file cannot be used: whoever loads it for use tells why.
fn read(file: &Path, kind: impl Fn(usize) -> Kind) -> Option<Vec<Item>> {
    let facts = load_facts(file).ok()?.into_iter().enumerate();
    let items = facts.map(|(index, facts)| Item {
        kind: kind(index),
        file: file.to_owned(),
        name: facts.subject,
        not_after: facts.not_after,
    });
    Some(items.collect())
}
