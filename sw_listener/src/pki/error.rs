//! What can go wrong, an enum per operation; each names the file it is about.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::facts::Unreadable;
use super::names::NameError;

/// Why a `pki` command failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PkiError {
    /// The CA cannot be used.
    #[error(transparent)]
    Ca(#[from] CaError),
    /// The files cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A name has no place in a certificate.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The cryptographic library made no key or certificate.
    #[error("cannot make a key and certificate for {subject}")]
    Make {
        /// The common name asked for.
        subject: String,
        /// What the library says.
        source: rcgen::Error,
    },
    /// The certificate just made cannot be read back; nothing was stored.
    #[error("the certificate made for {subject} cannot be read back")]
    ReadBack {
        /// The common name asked for.
        subject: String,
        /// What is wrong with it.
        source: Unreadable,
    },
}

/// Why the CA in the folder cannot issue.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CaError {
    /// There is no CA yet.
    #[error("{} is missing: make a CA first with `{init}`", path.display())]
    Missing {
        /// The certificate of the CA.
        path: PathBuf,
        /// The command that makes one.
        init: String,
    },
    /// One file of the pair is missing.
    #[error(
        "{} is missing, although {} is there: put it back from a copy, or move the other away and run `{init}`",
        path.display(), present.display()
    )]
    Half {
        /// The missing file.
        path: PathBuf,
        /// The other one.
        present: PathBuf,
        /// The command that makes a new CA.
        init: String,
    },
    /// The certificate of the CA is damaged.
    #[error("{} is not a usable CA certificate: put it back from a copy, or move the CA away and run `{init}`", path.display())]
    Certificate {
        /// The certificate of the CA.
        path: PathBuf,
        /// The command that makes a new CA.
        init: String,
        /// What is wrong with it.
        source: Unreadable,
    },
    /// The certificate may not sign others.
    #[error("{} is not the certificate of a CA (no CA:TRUE, or no keyCertSign): run `{init}` in a folder of its own", path.display())]
    NotCa {
        /// The certificate.
        path: PathBuf,
        /// The command that makes a CA.
        init: String,
    },
    /// The key of the CA is damaged, or of a kind that is not supported.
    #[error("{} is not a usable PKCS#8 private key: put it back from a copy, or move the CA away and run `{init}`", path.display())]
    Key {
        /// The key of the CA.
        path: PathBuf,
        /// The command that makes a new CA.
        init: String,
        /// What the library says.
        source: rcgen::Error,
    },
    /// The certificate and the key are not a pair.
    #[error(
        "{} is not the key of {}: put the right one back from a copy, or move both away and run `{init}`",
        key.display(), certificate.display()
    )]
    Mismatch {
        /// The certificate of the CA.
        certificate: PathBuf,
        /// The key beside it.
        key: PathBuf,
        /// The command that makes a new CA.
        init: String,
    },
    /// The CA has expired, or the clock is wrong.
    #[error(
        "{} is valid from {not_before} until {not_after}, and now is {now}: check the clock, or move the CA away and run `{init}`",
        path.display()
    )]
    NotValid {
        /// The certificate of the CA.
        path: PathBuf,
        /// Start of its validity.
        not_before: String,
        /// End of its validity.
        not_after: String,
        /// The time of the attempt.
        now: String,
        /// The command that makes a new CA.
        init: String,
    },
    /// The subject of a CA made elsewhere cannot be written as an issuer without changing it.
    #[error("the subject of {} has a form that cannot be copied into the certificates it issues", path.display())]
    Subject {
        /// The certificate of the CA.
        path: PathBuf,
    },
}

/// Why files were not read or written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A CA is never overwritten.
    #[error(
        "{} is already there, and a CA is never overwritten: choose another folder with --dir, or move it away",
        path.display()
    )]
    CaExists {
        /// The file in the way.
        path: PathBuf,
    },
    /// A certificate or key is only overwritten on demand.
    #[error("{} is already there: add --force to replace the certificate and its key", path.display())]
    Exists {
        /// The file in the way.
        path: PathBuf,
    },
    /// An operation on a file or folder failed.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried, as in "cannot read".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}
