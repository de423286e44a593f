//! `STATE_DIR/crl`: the newest list of every CA, over restarts.
//!
//! One PEM file per CA: its public key and the list. The list says itself how new it is, so it is the watermark against
//! roll-backs too; its signature is checked again when it is read.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use aws_lc_rs::digest;
use pem::Pem;
use thiserror::Error;

use super::{List, parse::ParseError, source};
use crate::policy::chain::Issuer;

const FOLDER: &str = "crl";
const EXTENSION: &str = "pem";
const TEMPORARY: &str = "new";
const KEY_LABEL: &str = "PUBLIC KEY";
/// Longest file, in bytes: the longest list as PEM.
const MAX_FILE: u64 = 96 << 20;
/// Files that are read.
const MAX_FILES: usize = super::shelf::ISSUERS;

/// Why a list is not kept, or a kept one not used.
#[derive(Debug, Error)]
pub enum CacheError {
    /// A file or folder cannot be used.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// With what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is not what was written.
    #[error("{} is damaged ({reason}): it is not used, and will be written anew", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// The folder.
#[derive(Debug, Clone)]
pub struct Cache {
    folder: PathBuf,
}

/// A kept list, with the CA for which it counted.
#[derive(Debug)]
pub struct Kept {
    /// The file.
    pub path: PathBuf,
    /// The CA.
    pub issuer: Issuer,
    /// The list; its signature is to be checked.
    pub list: List,
}

impl Cache {
    /// Takes the folder `crl` in `state_dir`; makes it if it is not there.
    ///
    /// # Errors
    /// [`CacheError::Io`].
    pub fn open(state_dir: &Path) -> Result<Self, CacheError> {
        let folder = state_dir.join(FOLDER);
        fs::create_dir_all(&folder).map_err(failed("make the folder", &folder))?;
        Ok(Self { folder })
    }

    /// What was kept, and what is wrong with the rest.
    pub fn load(&self) -> (Vec<Kept>, Vec<CacheError>) {
        let mut kept = Vec::new();
        let mut problems = Vec::new();
        let paths = match self.paths() {
            Ok(paths) => paths,
            Err(source) => return (kept, vec![failed("read", &self.folder)(source)]),
        };
        for path in paths {
            match read(&path) {
                Ok(one) => kept.push(one),
                Err(problem) => problems.push(problem),
            }
        }
        (kept, problems)
    }

    fn paths(&self) -> io::Result<Vec<PathBuf>> {
        let mut paths = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|end| end == EXTENSION) && paths.len() < MAX_FILES {
                paths.push(path);
            }
        }
        Ok(paths)
    }

    /// Keeps the list of a CA in place of the one before: written aside, synced, renamed, and the folder synced.
    ///
    /// # Errors
    /// [`CacheError::Io`]; the one before is still there then.
    pub fn save(&self, issuer: &Issuer, list: &List) -> Result<(), CacheError> {
        let path = self.folder.join(file_name(issuer));
        let temporary = path.with_extension(TEMPORARY);
        let key = Pem::new(KEY_LABEL, issuer.spki.as_slice());
        let list = Pem::new(source::LABEL, list.der());
        let text = pem::encode_many(&[key, list]);
        write_synced(&temporary, text.as_bytes()).map_err(|error| {
            // On a full disk, half a file would take the room that mends it.
            let _ = fs::remove_file(&temporary);
            failed("write", &temporary)(error)
        })?;
        fs::rename(&temporary, &path).map_err(failed("rename", &temporary))?;
        File::open(&self.folder)
            .and_then(|folder| folder.sync_all())
            .map_err(failed("sync", &self.folder))
    }
}

/// The beginning of the SHA-256 of name and key.
fn file_name(issuer: &Issuer) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(&issuer.name);
    context.update(&issuer.spki);
    let digest = context.finish();
    let stem: String = digest.as_ref()[..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{stem}.{EXTENSION}")
}

fn read(path: &Path) -> Result<Kept, CacheError> {
    let damaged = |reason: String| CacheError::Damaged {
        path: path.to_owned(),
        reason,
    };
    let length = fs::metadata(path).map_err(failed("read", path))?.len();
    if length > MAX_FILE {
        return Err(damaged(format!("longer than {MAX_FILE} bytes")));
    }
    let text = fs::read(path).map_err(failed("read", path))?;
    let blocks = pem::parse_many(text).map_err(|error| damaged(error.to_string()))?;
    let blocks: Result<[Pem; 2], _> = blocks.try_into();
    let [key, list] = blocks.map_err(|_| damaged("not a key and a list".to_owned()))?;
    if key.tag() != KEY_LABEL || list.tag() != source::LABEL {
        return Err(damaged("not a key and a list".to_owned()));
    }
    let list = List::parse(list.into_contents())
        .map_err(|error: ParseError| damaged(error.to_string()))?;
    let issuer = Issuer {
        name: list.issuer().to_vec(),
        spki: key.into_contents(),
    };
    let path = path.to_owned();
    Ok(Kept { path, issuer, list })
}

fn failed<'a>(doing: &'static str, path: &'a Path) -> impl Fn(io::Error) -> CacheError + 'a {
    move |source| CacheError::Io {
        doing,
        path: path.to_owned(),
        source,
    }
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
