//! The files of the folder.
//!
//! A pair appears in this order: its line in the index, its key, its certificate, each on disk before the next. An
//! interruption leaves at worst a key (perhaps still empty) without a certificate, never the reverse, and never half a
//! certificate: contents are written to a hidden temporary file (`.NAME.HEX.tmp`, which a crash may leave behind),
//! synchronized, and renamed. Whatever writes holds [`Lock`](super::lock::Lock); how a pair replaces another without a
//! moment in which there is none is in `replace`.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use time::OffsetDateTime;

use super::authority::Pair;
use super::error::StoreError;
use super::facts::{Facts, Unreadable};
use super::issued::{self, Entry};
use super::names::{CaId, Stem};
use super::text::hex;

/// The most that is read of a certificate or key file, in bytes: hundreds of certificates, and no danger to memory.
pub(super) const READ_LIMIT: u64 = 1 << 20;

/// The most that is read of a table or a revocation list, in bytes: some 100,000 lines.
pub(super) const TABLE_LIMIT: u64 = 16 << 20;

const INDEX: &str = "issued.tsv";

/// What to do if a file of a pair is already there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overwrite {
    /// Fail: a CA is never replaced.
    Never,
    /// Fail, and tell of `--force`.
    Refuse,
    /// Replace both files.
    Force,
}

/// A folder that holds a CA, or will.
#[derive(Clone, Debug)]
pub(super) struct Store {
    dir: PathBuf,
}

impl Store {
    /// Touches nothing yet.
    pub(super) fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
        }
    }

    /// The folder.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where the certificate and the key of `stem` are.
    pub(super) fn paths(&self, stem: &Stem) -> (PathBuf, PathBuf) {
        (self.dir.join(stem.certificate()), self.dir.join(stem.key()))
    }

    /// The file with a line for each certificate ever issued.
    pub(super) fn index(&self) -> PathBuf {
        self.dir.join(INDEX)
    }

    /// Makes the folder for its owner alone; one that is there stays as it is.
    ///
    /// # Errors
    ///
    /// It cannot be made.
    pub(super) fn make_dir(&self) -> Result<(), StoreError> {
        let made = DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.dir);
        made.map_err(failed("make the folder", &self.dir))
    }

    /// The files that end in `.crt`, hidden ones aside, in no order.
    ///
    /// # Errors
    ///
    /// The folder cannot be read.
    pub(super) fn certificates(&self) -> Result<Vec<PathBuf>, StoreError> {
        let entries = fs::read_dir(&self.dir).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let paths = entries
            .map_err(failed("read the folder", &self.dir))?
            .into_iter()
            .map(|entry| entry.path());
        let hidden = |path: &Path| {
            path.file_name()
                .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
        };
        Ok(paths
            .filter(|path| path.extension().is_some_and(|end| end == "crt") && !hidden(path))
            .collect())
    }

    /// Stores a pair under `stem`, and returns whether it replaced a certificate.
    ///
    /// # Errors
    ///
    /// A file is there and may not be replaced, or one cannot be written.
    pub(super) fn save(
        &self,
        stem: &Stem,
        pair: &Pair,
        facts: &Facts,
        overwrite: Overwrite,
        now: OffsetDateTime,
    ) -> Result<bool, StoreError> {
        self.discard_staged(stem)?;
        let (certificate, key) = self.paths(stem);
        if overwrite != Overwrite::Force {
            refuse_if_there(&certificate, overwrite)?;
            refuse_if_there(&key, overwrite)?;
        }
        let new_key = self.write_aside(&stem.key(), pair.key.serialize_pem().as_bytes(), 0o600)?;
        let new_certificate =
            self.write_aside(&stem.certificate(), pair.chain_pem().as_bytes(), 0o644)?;
        // Two runs at once: only one of them gets to make the empty file that its key then replaces.
        let claim = match overwrite {
            Overwrite::Never | Overwrite::Refuse => Some(claim(&key, overwrite)?),
            Overwrite::Force => None,
        };
        self.record(facts, &pair.issuer, stem, now)?;
        let replaced = overwrite == Overwrite::Force && self.remove(&certificate)?;
        self.put(new_key, &key)?;
        if let Some(claim) = claim {
            claim.keep();
        }
        self.put(new_certificate, &certificate)?;
        Ok(replaced)
    }

    /// Writes and synchronizes a hidden file beside the one that it is to become.
    pub(super) fn write_aside(
        &self,
        name: &str,
        contents: &[u8],
        mode: u32,
    ) -> Result<Transient, StoreError> {
        let suffix = hex(&rand::random::<[u8; 8]>());
        let aside = Transient::new(self.dir.join(format!(".{name}.{suffix}.tmp")));
        let write = || {
            let mut file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(mode)
                .open(&aside.path)?;
            file.set_permissions(Permissions::from_mode(mode))?; // the umask may have taken from it
            file.write_all(contents)?;
            file.sync_all()
        };
        write().map_err(failed("write", &aside.path))?;
        Ok(aside)
    }

    /// Gives a file its name, on disk before it returns.
    pub(super) fn put(&self, from: Transient, to: &Path) -> Result<(), StoreError> {
        fs::rename(&from.path, to).map_err(failed("rename the new file to", to))?;
        from.keep();
        self.sync()
    }

    /// Removes a file, and returns whether it was there.
    pub(super) fn remove(&self, path: &Path) -> Result<bool, StoreError> {
        match fs::remove_file(path) {
            Ok(()) => self.sync().map(|()| true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(source) => Err(failed("remove", path)(source)),
        }
    }

    /// Appends a line to the index. Names have no tabs or line ends: see `names` and `Facts`.
    pub(super) fn record(
        &self,
        facts: &Facts,
        issuer: &CaId,
        stem: &Stem,
        now: OffsetDateTime,
    ) -> Result<(), StoreError> {
        let line = issued::line(facts, issuer, stem, now);
        let append = || {
            let mut index = OpenOptions::new()
                .read(true)
                .append(true)
                .create(true)
                .mode(0o644)
                .open(self.index())?;
            let before = match last_byte(&mut index)? {
                None => issued::HEAD,
                Some(b'\n') => "",
                // A crash has cut the last line off.
                Some(_) => "\n",
            };
            index.write_all(format!("{before}{line}").as_bytes())?;
            index.sync_all()
        };
        append().map_err(failed("append to", &self.index()))
    }

    /// What the index says was ever issued; nothing without an index.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub(super) fn issued(&self) -> Result<Vec<Entry>, StoreError> {
        let text = self.read_table(&self.index())?;
        Ok(text.map(|text| issued::parse(&text)).unwrap_or_default())
    }

    /// A text file of the folder; `None` without one.
    ///
    /// # Errors
    ///
    /// It is there and cannot be read, or is not text.
    pub(super) fn read_table(&self, path: &Path) -> Result<Option<String>, StoreError> {
        if fs::symlink_metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            return Ok(None);
        }
        let unreadable = |reason: String| failed("read", path)(io::Error::other(reason));
        let bytes =
            read_bounded(path, TABLE_LIMIT).map_err(|error| unreadable(error.to_string()))?;
        String::from_utf8(bytes)
            .map(Some)
            .map_err(|_| unreadable("it is not UTF-8".to_owned()))
    }

    /// Writes a whole file: whoever reads it finds the contents before or these.
    ///
    /// # Errors
    ///
    /// It cannot be written.
    pub(super) fn write(&self, path: &Path, contents: &[u8], mode: u32) -> Result<(), StoreError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let aside = self.write_aside(&name, contents, mode)?;
        self.put(aside, path)
    }

    /// Puts the names of the folder on disk.
    pub(super) fn sync(&self) -> Result<(), StoreError> {
        File::open(&self.dir)
            .and_then(|dir| dir.sync_all())
            .map_err(failed("synchronize", &self.dir))
    }
}

fn last_byte(file: &mut File) -> io::Result<Option<u8>> {
    if file.metadata()?.len() == 0 {
        return Ok(None);
    }
    let mut byte = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut byte)?;
    Ok(Some(byte[0]))
}

/// Reads a whole file of at most `limit` bytes.
///
/// # Errors
///
/// It is something else, larger, or cannot be read.
pub(super) fn read_bounded(path: &Path, limit: u64) -> Result<Vec<u8>, Unreadable> {
    let io = |error: io::Error| Unreadable::Io {
        reason: error.to_string(),
    };
    // Looked at before it is opened: opening a pipe waits for its other end.
    if !fs::metadata(path).map_err(io)?.is_file() {
        return Err(Unreadable::NotAFile);
    }
    let mut contents = Vec::new();
    let read = File::open(path).and_then(|file| file.take(limit + 1).read_to_end(&mut contents));
    match read.map_err(io)? as u64 > limit {
        true => Err(Unreadable::TooLarge { limit }),
        false => Ok(contents),
    }
}

/// A file that is removed on drop, unless it is kept.
pub(super) struct Transient {
    path: PathBuf,
    kept: bool,
}

impl Transient {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, kept: false }
    }

    fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Transient {
    fn drop(&mut self) {
        if !self.kept {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn claim(path: &Path, overwrite: Overwrite) -> Result<Transient, StoreError> {
    match OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
    {
        Ok(_) => Ok(Transient::new(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(in_the_way(path, overwrite))
        }
        Err(source) => Err(failed("write", path)(source)),
    }
}

/// A link that leads nowhere is there, too.
fn refuse_if_there(path: &Path, overwrite: Overwrite) -> Result<(), StoreError> {
    match fs::symlink_metadata(path) {
        Ok(_) => Err(in_the_way(path, overwrite)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(failed("look at", path)(source)),
    }
}

fn in_the_way(path: &Path, overwrite: Overwrite) -> StoreError {
    let path = path.to_owned();
    match overwrite {
        Overwrite::Never => StoreError::CaExists { path },
        Overwrite::Refuse | Overwrite::Force => StoreError::Exists { path },
    }
}

/// An error of the system with what was tried, as in "cannot read".
pub(super) fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Io {
        action,
        path,
        source,
    }
}
