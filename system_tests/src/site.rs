//! A temporary folder with a CA, a listener's certificate, and whatever files a test adds.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use crate::pki::{Ca, Issued};

/// The folder; it is gone when this is dropped.
pub struct Site {
    folder: TempDir,
    /// Signs listeners and connectors.
    pub ca: Ca,
}

impl Default for Site {
    fn default() -> Self {
        Self::new()
    }
}

impl Site {
    /// A folder with `ca.crt`, `server.crt` and `server.key`.
    pub fn new() -> Self {
        let site = Self {
            folder: tempfile::tempdir().unwrap(),
            ca: Ca::root("socket-warp test CA"),
        };
        site.write("ca.crt", &site.ca.pem());
        site.issue("server", &site.ca.server());
        site
    }

    /// A file or folder in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The same as text.
    pub fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// Writes a file that only its owner can read.
    pub fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        set_mode(&path, 0o600);
        path
    }

    /// Writes `NAME.crt` and `NAME.key`.
    pub fn issue(&self, name: &str, issued: &Issued) {
        self.write(&format!("{name}.crt"), &issued.chain_pem());
        self.write(&format!("{name}.key"), &issued.key_pem());
    }
}

/// `chmod`.
pub fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}
