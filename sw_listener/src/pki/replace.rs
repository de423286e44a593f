//! How a new pair takes the place of another.
//!
//! Two files cannot be renamed in one step, so the change is written down first: the new key as `.STEM.key.new`, then the
//! new certificate as `.STEM.crt.new`, which commits it. Then the pair before is copied to `STEM.key.old` and
//! `STEM.crt.old`, the key is renamed into place, and the certificate. Between the last two the names lead to a pair that
//! does not match: a daemon that looks then keeps what it has. After a crash [`Store::recover`] goes on where it ended.
//! At no moment is there a name without a file.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use time::OffsetDateTime;

use super::authority::Pair;
use super::error::StoreError;
use super::facts::Facts;
use super::names::Stem;
use super::store::{READ_LIMIT, Store, failed, read_bounded};

/// A pair that waits to take its place.
struct Staged {
    certificate: PathBuf,
    key: PathBuf,
}

impl Store {
    /// Puts a pair in the place of the one under `stem`, which stays beside it as `.old`.
    ///
    /// # Errors
    ///
    /// A file cannot be read or written. Either nothing has changed, or the next [`Store::recover`] finishes it.
    pub(super) fn replace(
        &self,
        stem: &Stem,
        pair: &Pair,
        facts: &Facts,
        now: OffsetDateTime,
    ) -> Result<(), StoreError> {
        let staged = self.staged(stem);
        self.write(&staged.key, pair.key.serialize_pem().as_bytes(), 0o600)?;
        self.record(facts, &pair.issuer, stem, now)?;
        self.write(&staged.certificate, pair.chain_pem().as_bytes(), 0o644)?;
        self.finish(stem)
    }

    /// Finishes the replacements that a crash has interrupted, and returns their stems.
    ///
    /// # Errors
    ///
    /// A file cannot be read or written.
    pub(super) fn recover(&self) -> Result<Vec<Stem>, StoreError> {
        let mut finished = Vec::new();
        for name in self.waiting()? {
            if let Some(stem) = Stem::of_certificate(&name) {
                self.finish(&stem)?;
                finished.push(stem);
            }
        }
        // What is left was never committed: keys without a certificate.
        for name in self.waiting()? {
            self.remove(&self.dir().join(format!(".{name}.new")))?;
        }
        Ok(finished)
    }

    /// The names of the files that wait to take their places.
    fn waiting(&self) -> Result<Vec<String>, StoreError> {
        let entries = match fs::read_dir(self.dir()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.and_then(Iterator::collect::<io::Result<Vec<_>>>),
        };
        let entries = entries.map_err(failed("read the folder", self.dir()))?;
        let name = |file: &str| Some(file.strip_prefix('.')?.strip_suffix(".new")?.to_owned());
        let ours = |name: &String| name.ends_with(".crt") || name.ends_with(".key");
        let names = entries
            .iter()
            .filter_map(|entry| name(entry.file_name().to_str()?));
        Ok(names.filter(ours).collect())
    }

    /// Removes the copies of the pair before.
    ///
    /// # Errors
    ///
    /// One is there and cannot be removed.
    pub(super) fn remove_old(&self, stem: &Stem) -> Result<(), StoreError> {
        let (certificate, key) = self.paths(stem);
        self.remove(&old(&key))?;
        self.remove(&old(&certificate)).map(|_| ())
    }

    /// Drops a pair that waits to take its place: another one is about to.
    pub(super) fn discard_staged(&self, stem: &Stem) -> Result<(), StoreError> {
        let staged = self.staged(stem);
        self.remove(&staged.certificate)?;
        self.remove(&staged.key).map(|_| ())
    }

    /// From the commitment to the end; each step may already have been done.
    fn finish(&self, stem: &Stem) -> Result<(), StoreError> {
        let staged = self.staged(stem);
        let (certificate, key) = self.paths(stem);
        if staged.key.exists() {
            self.copy_old(&key, 0o600)?;
            self.copy_old(&certificate, 0o644)?;
            self.rename(&staged.key, &key)?;
        }
        self.rename(&staged.certificate, &certificate)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), StoreError> {
        fs::rename(from, to).map_err(failed("rename the new file to", to))?;
        self.sync()
    }

    fn copy_old(&self, path: &Path, mode: u32) -> Result<(), StoreError> {
        if !path.exists() {
            return Ok(());
        }
        let contents = read_bounded(path, READ_LIMIT)
            .map_err(|error| failed("read", path)(io::Error::other(error.to_string())))?;
        self.write(&old(path), &contents, mode)
    }

    fn staged(&self, stem: &Stem) -> Staged {
        Staged {
            certificate: self.dir().join(format!(".{}.new", stem.certificate())),
            key: self.dir().join(format!(".{}.new", stem.key())),
        }
    }
}

/// Where the file before is kept.
pub(super) fn old(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".old");
    name.into()
}
