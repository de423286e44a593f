//! Who else could read or replace a private key.

use std::{
    fs::{self, Metadata},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use thiserror::Error;

/// What to do about a private key that others can read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyPermissions {
    /// Refuse it.
    Strict,
    /// Take it; for containers whose secrets cannot have other modes.
    AllowInsecure,
}

impl From<bool> for KeyPermissions {
    /// The setting `allow_insecure_key_permissions`.
    fn from(allow_insecure: bool) -> Self {
        if allow_insecure {
            Self::AllowInsecure
        } else {
            Self::Strict
        }
    }
}

/// Why a key is not safe in its file.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PermissionError {
    /// Others can read it.
    #[error("{path} is readable by others (mode {mode:04o}): chmod 600 {path}")]
    Mode {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Another user can change its mode, and read it then.
    #[error(
        "{path} belongs to user {owner}, who is neither root nor the user of this process ({user}): chown {user} {path}"
    )]
    Owner {
        /// The file.
        path: PathBuf,
        /// Its owner.
        owner: u32,
        /// The process's effective user.
        user: u32,
    },
}

/// What matters of a key file.
#[derive(Debug, Clone, Copy)]
struct Standing {
    mode: u32,
    owner: u32,
    user: u32,
    /// Whether systemd has put it there (`LoadCredential=`). Such files belong to root and are opened to the service by an
    /// ACL, whose mask shows as the group's permission to read.
    credential: bool,
}

/// Looks at a key file's mode and owner.
///
/// # Errors
/// [`PermissionError`] with the command that mends it.
pub(super) fn check(path: &Path, metadata: &Metadata) -> Result<(), PermissionError> {
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    let credential = credentials.is_some_and(|folder| is_within(path, &folder));
    let standing = Standing {
        mode: metadata.mode() & 0o777,
        owner: metadata.uid(),
        user: rustix::process::geteuid().as_raw(),
        credential,
    };
    judge(path, standing)
}

/// Whether a file is in this folder or below it, wherever links and `..` lead. A folder that is not named absolutely is
/// none of systemd's.
fn is_within(path: &Path, folder: &Path) -> bool {
    if !folder.is_absolute() {
        return false;
    }
    let (Ok(path), Ok(folder)) = (fs::canonicalize(path), fs::canonicalize(folder)) else {
        return false;
    };
    path.starts_with(folder)
}

/// What to say when anyone may put another file in the key's place.
pub(super) fn folder_warning(path: &Path) -> Option<String> {
    let folder = match path.parent()? {
        empty if empty == Path::new("") => Path::new("."),
        folder => folder,
    };
    let mode = fs::metadata(folder).ok()?.mode() & 0o7777;
    open_to_all(mode).then(|| {
        let folder = folder.display();
        format!("everybody can replace files in {folder} (mode {mode:04o}): chmod o-w {folder}")
    })
}

/// Whether everybody may remove others' files from a folder with this mode: in one with the sticky bit they may not.
fn open_to_all(mode: u32) -> bool {
    mode & 0o002 != 0 && mode & 0o1000 == 0
}

fn judge(path: &Path, standing: Standing) -> Result<(), PermissionError> {
    let Standing {
        mode, owner, user, ..
    } = standing;
    let path = path.to_owned();
    let forbidden = if standing.credential { 0o037 } else { 0o077 };
    if mode & forbidden != 0 {
        return Err(PermissionError::Mode { path, mode });
    }
    if owner != user && owner != 0 {
        return Err(PermissionError::Owner { path, owner, user });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_process_and_root_may_read_a_key() {
        let good = Standing {
            mode: 0o600,
            owner: 7,
            user: 7,
            credential: false,
        };
        let judge = |standing| judge(Path::new("k"), standing).map_err(|error| error.to_string());
        assert_eq!(judge(good), Ok(()));
        assert_eq!(judge(Standing { owner: 0, ..good }), Ok(()));
        assert_eq!(
            judge(Standing {
                mode: 0o400,
                ..good
            }),
            Ok(())
        );
        for mode in [0o640, 0o604, 0o620, 0o601] {
            let error = judge(Standing { mode, ..good }).unwrap_err();
            assert!(error.contains("chmod 600 k"), "{error}");
        }
        let error = judge(Standing { owner: 8, ..good }).unwrap_err();
        assert!(error.ends_with("chown 7 k"), "{error}");
        let as_root = Standing {
            owner: 8,
            user: 0,
            ..good
        };
        assert!(judge(as_root).is_err());
    }

    #[test]
    fn credentials_of_systemd_may_show_an_acl() {
        let credential = |mode| Standing {
            mode,
            owner: 0,
            user: 61_000,
            credential: true,
        };
        assert_eq!(judge(Path::new("k"), credential(0o440)), Ok(()));
        assert!(judge(Path::new("k"), credential(0o444)).is_err());
        let elsewhere = Standing {
            credential: false,
            ..credential(0o440)
        };
        assert!(judge(Path::new("k"), elsewhere).is_err());
    }

    #[test]
    fn only_what_is_in_the_folder_of_systemd_is_a_credential() {
        let place = tempfile::tempdir().unwrap();
        let path = |name: &str| place.path().join(name);
        for folder in ["credentials", "elsewhere"] {
            fs::create_dir(path(folder)).unwrap();
            fs::write(path(folder).join("k"), "").unwrap();
        }
        std::os::unix::fs::symlink(path("elsewhere/k"), path("credentials/link")).unwrap();
        std::os::unix::fs::symlink(path("credentials"), path("other")).unwrap();
        let folder = path("credentials");
        assert!(is_within(&path("credentials/k"), &folder));
        assert!(is_within(&path("other/k"), &folder));
        assert!(is_within(&path("credentials/k"), &path("other")));
        assert!(!is_within(&path("credentials/../elsewhere/k"), &folder));
        assert!(!is_within(&path("credentials/link"), &folder));
        assert!(!is_within(&path("elsewhere/k"), &folder));
        for nowhere in ["", ".", "/nowhere"] {
            assert!(!is_within(&path("elsewhere/k"), Path::new(nowhere)));
        }
    }

    #[test]
    fn a_folder_where_everybody_may_rename_is_told() {
        assert!(open_to_all(0o777));
        assert!(open_to_all(0o2772));
        assert!(!open_to_all(0o1777));
        assert!(!open_to_all(0o775));
    }
}
