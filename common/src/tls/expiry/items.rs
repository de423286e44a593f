//! The dates in the certificate files of a daemon.

use std::path::Path;

use super::{Item, Kind};
use crate::tls::{CertificateFiles, files::load_facts};

/// The certificates in the files of a daemon. A file that cannot be read for now keeps what it held, as it stays in
/// force as well.
#[derive(Debug)]
pub struct CertificateItems {
    files: CertificateFiles,
    chain: Vec<Item>,
    ca: Vec<Item>,
}

impl CertificateItems {
    /// Nothing has been read yet.
    pub fn new(files: CertificateFiles) -> Self {
        Self {
            files,
            chain: Vec::new(),
            ca: Vec::new(),
        }
    }

    /// Reads the files again: own certificate, intermediates, CAs.
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
        [self.chain.as_slice(), &self.ca].concat()
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
