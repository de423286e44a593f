//! `openings.json`: written to a temporary file, synced, renamed, and the folder synced.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{StoreError, StoredOpening};

/// The format that this version writes.
const FORMAT: u64 = 1;
const NAME: &str = "openings.json";
const TEMPORARY: &str = "openings.json.new";
const LOCK: &str = "lock";

/// Keeps openings in a folder, which it locks.
#[derive(Debug)]
pub struct FileStore {
    folder: PathBuf,
    _lock: File,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document<T> {
    format: u64,
    openings: T,
}

impl FileStore {
    /// Takes a folder; makes it if it is not there.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be used, or another listener uses it.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        fs::create_dir_all(folder).map_err(io("make the folder", folder))?;
        let path = folder.join(LOCK);
        let lock = open_private(&path).map_err(io("open", &path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StoreError::Locked { path }),
            Err(TryLockError::Error(error)) => return Err(io("lock", &path)(error)),
        }
        Ok(Self {
            folder: folder.to_owned(),
            _lock: lock,
        })
    }

    /// Reads a folder without taking it: whether a start would succeed, and how many openings are kept.
    ///
    /// # Errors
    /// [`StoreError`] when the openings in it cannot be used.
    pub fn check(folder: &Path) -> Result<usize, StoreError> {
        load(folder).map(|openings| openings.len())
    }

    pub(super) fn load(&self) -> Result<Vec<StoredOpening>, StoreError> {
        load(&self.folder)
    }

    pub(super) fn save(&self, openings: &[StoredOpening]) -> Result<(), StoreError> {
        let temporary = self.folder.join(TEMPORARY);
        let path = self.folder.join(NAME);
        let document = Document {
            format: FORMAT,
            openings,
        };
        let mut bytes = serde_json::to_vec_pretty(&document)
            .map_err(|error| io("write", &temporary)(error.into()))?;
        bytes.push(b'\n');
        write_synced(&temporary, &bytes).map_err(|error| {
            // On a full disk, half a file would take the room that mends it.
            let _ = fs::remove_file(&temporary);
            io("write", &temporary)(error)
        })?;
        let before = fs::read(&path).ok();
        fs::rename(&temporary, &path).map_err(io("rename", &temporary))?;
        let synced = File::open(&self.folder).and_then(|folder| folder.sync_all());
        if synced.is_err() {
            // The caller will say that nothing was changed, so nothing may be found changed after a restart.
            let _ = match before {
                Some(bytes) => {
                    write_synced(&temporary, &bytes).and_then(|()| fs::rename(&temporary, &path))
                }
                None => fs::remove_file(&path),
            };
        }
        synced.map_err(io("sync", &self.folder))
    }
}

fn load(folder: &Path) -> Result<Vec<StoredOpening>, StoreError> {
    let path = folder.join(NAME);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io("read", &path)(error)),
    };
    parse(&bytes).map_err(|problem| problem.at(path))
}

enum ParseProblem {
    Damaged(String),
    Future(u64),
}

impl ParseProblem {
    fn at(self, path: PathBuf) -> StoreError {
        match self {
            Self::Damaged(reason) => StoreError::Damaged { path, reason },
            Self::Future(found) => StoreError::Future {
                path,
                found,
                known: FORMAT,
            },
        }
    }
}

fn parse(bytes: &[u8]) -> Result<Vec<StoredOpening>, ParseProblem> {
    let damaged = |error: serde_json::Error| ParseProblem::Damaged(error.to_string());
    let document: Value = serde_json::from_slice(bytes).map_err(damaged)?;
    match document.get("format").and_then(Value::as_u64) {
        Some(FORMAT) => {}
        Some(found) if found > FORMAT => return Err(ParseProblem::Future(found)),
        _ => return Err(ParseProblem::Damaged("no known format".to_owned())),
    }
    let document: Document<Vec<StoredOpening>> =
        serde_json::from_value(document).map_err(damaged)?;
    let openings = document.openings;
    let mut ports: Vec<_> = openings.iter().map(|opening| opening.port).collect();
    ports.sort_unstable();
    if ports.first() == Some(&0) || ports.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(ParseProblem::Damaged(
            "a port is 0 or stands twice".to_owned(),
        ));
    }
    Ok(openings)
}

fn io<'a>(doing: &'static str, path: &'a Path) -> impl Fn(std::io::Error) -> StoreError + 'a {
    move |source| StoreError::Io {
        doing,
        path: path.to_owned(),
        source,
    }
}

fn open_private(path: &Path) -> std::io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
}

fn write_synced(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = open_private(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use common::ids::OpeningId;

    use super::*;
    use crate::opening::Options;

    fn opening(port: u16) -> StoredOpening {
        StoredOpening {
            id: OpeningId::random(),
            port,
            uid: "device1".parse().unwrap(),
            target: "127.0.0.1:80".parse().unwrap(),
            options: Options::default(),
        }
    }

    #[test]
    fn what_was_saved_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let store = FileStore::open(folder.path()).unwrap();
        assert!(store.load().unwrap().is_empty());
        let openings = [opening(9000), opening(9001)];
        store.save(&openings).unwrap();
        assert_eq!(store.load().unwrap(), openings);
        store.save(&openings[1..]).unwrap();
        assert_eq!(store.load().unwrap(), openings[1..]);
    }

    #[test]
    fn a_damaged_or_future_file_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let store = FileStore::open(folder.path()).unwrap();
        let path = folder.path().join(NAME);
        for (text, expected) in [
            ("{\"format\": 1, \"openi", "damaged"),
            ("", "damaged"),
            ("[]", "damaged"),
            ("{\"format\": 1, \"openings\": [{\"port\": 1}]}", "damaged"),
            ("{\"format\": 2, \"openings\": {}}", "has format 2"),
        ] {
            fs::write(&path, text).unwrap();
            let error = store.load().unwrap_err().to_string();
            assert!(error.contains(expected), "{text:?}: {error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[test]
    fn the_same_port_twice_is_damage() {
        let folder = tempfile::tempdir().unwrap();
        let store = FileStore::open(folder.path()).unwrap();
        store.save(&[opening(9000), opening(9000)]).unwrap();
        assert!(store.load().is_err());
    }

    #[test]
    fn a_folder_has_one_listener() {
        let folder = tempfile::tempdir().unwrap();
        let _store = FileStore::open(folder.path()).unwrap();
        let error = FileStore::open(folder.path()).unwrap_err();
        assert!(matches!(error, StoreError::Locked { .. }), "{error}");
    }
}
