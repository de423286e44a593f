//! Where openings are kept over a restart.

mod file;

use std::{io, path::PathBuf};

use common::{
    ids::{OpeningId, Uid},
    target::Target,
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use self::file::FileStore;
use crate::opening::Options;

/// What is kept of an opening.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredOpening {
    /// Its name.
    pub id: OpeningId,
    /// The port, never 0.
    pub port: u16,
    /// Whose connector dials.
    pub uid: Uid,
    /// What it dials.
    pub target: Target,
    /// The rest of the request.
    pub options: Options,
}

/// Why openings could not be kept or found.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The folder or a file in it cannot be used.
    #[error("cannot {doing} {path}: {source}")]
    Io {
        /// "read", "write", …
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not what was written.
    #[error(
        "{path} is damaged ({reason}): it was left as it is; restore it from a backup, or move it away to start with \
         no openings"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A later version wrote it.
    #[error(
        "{path} has format {found}, and this version knows {known}: it was left as it is; use the version that wrote \
         it, or move it away to start with no openings"
    )]
    Future {
        /// The file.
        path: PathBuf,
        /// The format in the file.
        found: u64,
        /// Ours.
        known: u64,
    },
    /// Another listener uses the folder.
    #[error("{path} is locked: is another listener running with this state_dir?")]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
}

/// Keeps openings.
#[derive(Debug)]
pub enum Store {
    /// In memory only: they are gone after a restart.
    Memory,
    /// In a folder.
    File(FileStore),
}

impl Store {
    /// The openings of the last run.
    ///
    /// # Errors
    /// [`StoreError`]; the file is then untouched.
    pub fn load(&self) -> Result<Vec<StoredOpening>, StoreError> {
        match self {
            Self::Memory => Ok(Vec::new()),
            Self::File(store) => store.load(),
        }
    }

    /// Keeps these openings instead of all before. When it returns, they survive a power cut. Blocks.
    ///
    /// # Errors
    /// [`StoreError`]; the ones before are then still kept.
    pub fn save(&self, openings: &[StoredOpening]) -> Result<(), StoreError> {
        match self {
            Self::Memory => Ok(()),
            Self::File(store) => store.save(openings),
        }
    }
}
