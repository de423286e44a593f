//! A look at files: what they hold, as one digest.

use std::{
    fs::{self, File, Metadata},
    io::Read,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::digest::{Context, SHA256};

/// Bytes of a file that are looked at; a longer one is also judged by its age.
const MAX_BYTES: u64 = 64 << 20;

/// A file that was changed so shortly before a look may change again without showing it: clocks of file systems are
/// coarse (2 s on FAT).
const COARSE: Duration = Duration::from_secs(2);

/// What the files held. Two looks are equal when contents and permission bits are.
#[derive(Debug, Clone)]
pub(super) struct Look {
    digest: [u8; 32],
    marks: Vec<Option<Mark>>,
    /// Whether the marks tell for sure that nothing has changed since.
    firm: bool,
}

/// What changes with a file, without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mark {
    device: u64,
    inode: u64,
    size: u64,
    mode: u32,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl PartialEq for Look {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl Look {
    /// Reads the files.
    pub(super) fn at(paths: &[PathBuf]) -> Self {
        let now = SystemTime::now();
        // Before the contents: what changes in between shows in the next marks.
        let marks = marks(paths);
        let firm = marks.iter().flatten().all(|mark| mark.is_old(now));
        let mut all = Context::new(&SHA256);
        for path in paths {
            all.update(&digest(path));
        }
        Self {
            digest: finish(all),
            marks,
            firm,
        }
    }

    /// Looks again, and reads only if something may have changed since.
    pub(super) fn again(&self, paths: &[PathBuf]) -> Self {
        if self.firm && marks(paths) == self.marks {
            return self.clone();
        }
        Self::at(paths)
    }
}

impl Mark {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            mode: metadata.mode(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    fn is_old(&self, now: SystemTime) -> bool {
        let seconds = u64::try_from(self.changed.0).unwrap_or_default();
        let changed = UNIX_EPOCH + Duration::from_secs(seconds);
        now.duration_since(changed).is_ok_and(|age| age > COARSE)
    }
}

fn marks(paths: &[PathBuf]) -> Vec<Option<Mark>> {
    let mark = |path: &PathBuf| fs::metadata(path).ok().as_ref().map(Mark::of);
    paths.iter().map(mark).collect()
}

/// The digest of one file: its permission bits and its bytes, or why it has none.
fn digest(path: &Path) -> [u8; 32] {
    let mut digest = Context::new(&SHA256);
    match read(path, &mut digest) {
        Ok(()) => digest.update(b"+"),
        Err(error) => digest.update(error.kind().to_string().as_bytes()),
    }
    finish(digest)
}

fn read(path: &Path, digest: &mut Context) -> std::io::Result<()> {
    // Opening a pipe would wait for a writer.
    let metadata = fs::metadata(path)?;
    digest.update(&metadata.mode().to_be_bytes());
    if !metadata.is_file() {
        return Ok(());
    }
    let mut file = File::open(path)?.take(MAX_BYTES);
    let mut buffer = vec![0; 64 << 10];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            count => digest.update(&buffer[..count]),
        }
    }
    if metadata.size() > MAX_BYTES {
        digest.update(&metadata.size().to_be_bytes());
        digest.update(&metadata.mtime().to_be_bytes());
    }
    Ok(())
}

fn finish(digest: Context) -> [u8; 32] {
    let digest = digest.finish();
    let bytes = digest.as_ref().try_into();
    bytes.expect("SHA-256 has 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_contents_and_permissions_count() {
        let folder = tempfile::tempdir().unwrap();
        let paths = [folder.path().join("a"), folder.path().join("b")];
        let absent = Look::at(&paths);
        fs::write(&paths[0], "x").unwrap();
        let there = Look::at(&paths);
        assert!(absent != there);
        fs::rename(&paths[0], &paths[1]).unwrap();
        assert!(Look::at(&paths) != there);
        fs::write(&paths[0], "x").unwrap();
        fs::remove_file(&paths[1]).unwrap();
        assert!(Look::at(&paths) == there);
        assert!(there.again(&paths) == there);
    }

    #[test]
    fn a_folder_in_place_of_a_file_and_an_empty_file_are_different() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, "").unwrap();
        let empty = Look::at(std::slice::from_ref(&path));
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(Look::at(&[path]) != empty);
    }
}
