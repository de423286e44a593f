//! One writer at a time: two `pki` commands in a folder must not both take the same revocation list a step on.
//!
//! The lock is on the open file `.lock`, not on its being there: the system lets go of it when the process ends, however
//! it ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::error::StoreError;
use super::store::{Store, failed};

/// Held until it is dropped.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "dropping it releases the lock")] File);

/// A command takes milliseconds; whoever holds the lock for longer than this has been stopped.
const PATIENCE: Duration = Duration::from_secs(10);

const PAUSE: Duration = Duration::from_millis(20);

impl Store {
    /// Waits for other commands in the folder to end. `None` when there is no folder.
    ///
    /// # Errors
    ///
    /// They do not end in time, or the lock file cannot be opened.
    pub(super) fn lock(&self) -> Result<Option<Lock>, StoreError> {
        self.lock_within(PATIENCE)
    }

    fn lock_within(&self, patience: Duration) -> Result<Option<Lock>, StoreError> {
        let path = self.dir().join(".lock");
        let opened = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path);
        let file = match opened {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(failed("open", &path)(source)),
        };
        let end = Instant::now() + patience;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Some(Lock(file))),
                Err(TryLockError::WouldBlock) if Instant::now() < end => sleep(PAUSE),
                Err(TryLockError::WouldBlock) => return Err(StoreError::Busy { path }),
                Err(TryLockError::Error(source)) => return Err(failed("lock", &path)(source)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_writer_waits_and_then_gives_up() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path());
        let held = store.lock().unwrap();
        let error = store.lock_within(Duration::ZERO).unwrap_err();
        assert!(matches!(error, StoreError::Busy { .. }), "{error}");
        drop(held);
        assert!(store.lock_within(Duration::ZERO).unwrap().is_some());
    }

    #[test]
    fn without_a_folder_there_is_nothing_to_lock() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(&folder.path().join("nowhere"));
        assert!(store.lock().unwrap().is_none());
    }
}
