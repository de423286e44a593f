//! Why certificate files cannot be used, in sentences that a person can act on.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use rustix::process::geteuid;
use thiserror::Error;

use super::{
    Finding, Wanted,
    files::MAX_FILE,
    found::Found,
    pem::{PemError, Piece},
    permissions::PermissionError,
};

/// Every file that cannot be used, and everything that is wrong with those that were read.
#[derive(Debug, Error)]
pub struct LoadErrors(pub Vec<LoadError>);

impl fmt::Display for LoadErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

/// Why a file cannot be used.
#[derive(Debug, Error)]
pub enum LoadError {
    /// It cannot be read.
    #[error("cannot read {path}: {source}{}", advice(.path, .source))]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is a folder, a pipe or a device.
    #[error("{path} is {what}: name the file itself")]
    NoFile {
        /// The path.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// It is no certificate or key file.
    #[error("{path} is larger than {MAX_FILE} bytes: that is no certificate or key")]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// It holds something else.
    #[error("{path} holds no {wanted}, but {found}")]
    Missing {
        /// The file.
        path: PathBuf,
        /// What belongs there.
        wanted: Wanted,
        /// What it holds instead, and what to do.
        found: String,
    },
    /// A PEM block in it is damaged.
    #[error("{path}: {source}")]
    Pem {
        /// The file.
        path: PathBuf,
        /// Where and how.
        source: PemError,
    },
    /// A certificate or key in it is damaged.
    #[error("{path}: {reason}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Others can read the key.
    #[error(transparent)]
    Permissions(#[from] PermissionError),
    /// It can be read, but not be used.
    #[error("{0}")]
    Unfit(Finding),
}

impl LoadError {
    /// That a file holds other things than the wanted one.
    pub(super) fn missing(path: PathBuf, wanted: Wanted, pieces: &[Piece]) -> Self {
        let telling = pieces.iter().map(Piece::found);
        // Parameters and other companions say less than what stands beside them.
        let found = telling
            .min_by_key(|found| matches!(found, Found::EcParameters | Found::Pem(_)))
            .unwrap_or(Found::Nothing);
        let found = match found.advice(&path, wanted) {
            Some(advice) => format!("{found}: {advice}"),
            None => found.to_string(),
        };
        Self::Missing {
            path,
            wanted,
            found,
        }
    }
}

/// The way out of what the system said.
fn advice(path: &Path, error: &io::Error) -> String {
    if error.kind() != io::ErrorKind::PermissionDenied {
        return String::new();
    }
    let (user, path) = (geteuid().as_raw(), path.display());
    format!(
        ": this process runs as user {user}, who must be able to read the file and to enter its folders: chown {user} \
         {path}, or let systemd hand it over (LoadCredential=)"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_may_not_be_read_is_told_with_the_user_and_the_way_out() {
        let error = LoadError::Read {
            path: "/etc/x.key".into(),
            source: io::ErrorKind::PermissionDenied.into(),
        };
        let text = error.to_string();
        let user = geteuid().as_raw();
        assert!(text.contains(&format!("runs as user {user}")), "{text}");
        assert!(text.contains(&format!("chown {user} /etc/x.key")), "{text}");
    }
}
