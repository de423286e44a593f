//! Reading the files that the rules come from: a bounded number of bytes of a regular file.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::Path,
};

use thiserror::Error;

/// Why a file is not read. Whoever reads it knows its path.
#[derive(Debug, Error)]
pub enum FileError {
    /// The system does not let us.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A folder, a pipe, a device.
    #[error("it is no regular file")]
    NotRegular,
    /// It is too long.
    #[error("it is longer than {0} bytes")]
    TooLong(usize),
}

/// All of a regular file of at most `limit` bytes. It blocks, on a file system that has gone for as long as that has.
///
/// # Errors
/// [`FileError`].
pub(super) fn read(path: &Path, limit: usize) -> Result<Vec<u8>, FileError> {
    // Opening a pipe would wait for a writer.
    if !fs::metadata(path)?.is_file() {
        return Err(FileError::NotRegular);
    }
    let mut bytes = Vec::new();
    let more = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    File::open(path)?.take(more).read_to_end(&mut bytes)?;
    match bytes.len() > limit {
        true => Err(FileError::TooLong(limit)),
        false => Ok(bytes),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn only_regular_files_of_the_length_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        assert!(matches!(read(&path, 3), Err(FileError::Io(_))));
        fs::write(&path, "abc").unwrap();
        assert_eq!(read(&path, 3).unwrap(), b"abc");
        assert!(matches!(read(&path, 2), Err(FileError::TooLong(2))));
        let folder = folder.path();
        assert!(matches!(read(folder, 3), Err(FileError::NotRegular)));
        let pipe = folder.join("pipe");
        let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        assert!(matches!(read(&pipe, 3), Err(FileError::NotRegular)));
    }
}
