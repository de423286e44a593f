//! What can go wrong, an enum per operation; each names the file it is about.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::facts::Unreadable;
use super::names::NameError;
use super::text::printable;

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
    /// A file to be looked at is nothing that is known.
    #[error("cannot use {}: {source}", printable(&path.display().to_string()))]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Unreadable,
    },
    /// A fingerprint is that of a certificate.
    #[error(
        "{} holds no certificate, but {found}: `sw_listener pki show` says more about it",
        printable(&path.display().to_string())
    )]
    NoCertificate {
        /// The file.
        path: PathBuf,
        /// What it holds instead.
        found: String,
    },
    /// No revocation list can be signed.
    #[error("cannot sign a revocation list with {}", path.display())]
    Crl {
        /// The certificate of the CA.
        path: PathBuf,
        /// What the library says.
        source: rcgen::Error,
    },
    /// Something cannot be revoked.
    #[error(transparent)]
    Revoke(#[from] RevokeError),
    /// Something cannot be renewed.
    #[error(transparent)]
    Renew(#[from] RenewError),
}

/// Why nothing was revoked.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RevokeError {
    /// Nothing of that name or number was issued here.
    #[error(
        "nothing that was issued here is called {what}, or has it as serial number{}: `{list}` shows what there is",
        near_names(near)
    )]
    Unknown {
        /// What was asked for.
        what: String,
        /// Names like it.
        near: Vec<String>,
        /// The command that lists.
        list: String,
    },
    /// The certificate in the file is another CA's.
    #[error("{} was not issued by a CA of {}, but by {issuer}: revoke it there", path.display(), dir.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// The folder.
        dir: PathBuf,
        /// The issuer's name.
        issuer: String,
    },
    /// A root cannot take itself back.
    #[error(
        "{what} is the root, which stands on no list: take it out of the bundles (`ca_path`, `ca_cert_path`) of those that trust it"
    )]
    Root {
        /// What was asked for.
        what: String,
    },
    /// It is a name of one certificate and the serial number of another.
    #[error(
        "{what} is the name of one certificate and the serial number of another: give the file"
    )]
    Ambiguous {
        /// What was asked for.
        what: String,
    },
    /// Only a certificateHold can end.
    #[error(
        "the certificate {serial} ({name}) is not on hold{}: only a certificateHold can be removed from the list",
        reason.as_ref().map(|reason| format!(", but revoked for {reason}")).unwrap_or_default()
    )]
    NotOnHold {
        /// The serial number.
        serial: String,
        /// Whose it is.
        name: String,
        /// Why it is on the list, if it is.
        reason: Option<String>,
    },
    /// The list of the revoked is damaged: nothing that stands on it may be forgotten.
    #[error("{}, line {line}: not a line of the list; mend it, or put the file back from a copy", path.display())]
    Damaged {
        /// The list.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
    },
}

/// Why nothing was renewed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RenewError {
    /// There is no such certificate in the folder.
    #[error("no certificate in {} is called {what}{}: `{list}` shows what there is", dir.display(), near_names(near))]
    Unknown {
        /// What was asked for.
        what: String,
        /// The folder.
        dir: PathBuf,
        /// Names like it.
        near: Vec<String>,
        /// The command that lists.
        list: String,
    },
    /// There are several.
    #[error("{what} can be any of {}: give the file", files.join(", "))]
    Ambiguous {
        /// What was asked for.
        what: String,
        /// The files.
        files: Vec<String>,
    },
    /// A CA is not renewed.
    #[error(
        "{} is a CA, which is not renewed: make another (`{way}`), and give those who trust it both while they change",
        path.display()
    )]
    Ca {
        /// The certificate.
        path: PathBuf,
        /// The command that makes another.
        way: String,
    },
    /// Its issuer is not in the folder.
    #[error("{} was not issued by a CA of this folder, but by {issuer}: ask there, or replace it with --force of `pki server` or `pki client`", path.display())]
    Foreign {
        /// The certificate.
        path: PathBuf,
        /// The issuer's name.
        issuer: String,
    },
    /// It says things that the new one would not.
    #[error(
        "{} has {what} that this command cannot write: replace it with --force of `pki server` or `pki client`",
        path.display()
    )]
    Form {
        /// The certificate.
        path: PathBuf,
        /// What.
        what: String,
    },
    /// The key to keep is not there or damaged.
    #[error("cannot keep {}: {reason}; without --keep-key there is a new key", path.display())]
    Key {
        /// The key.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The key to keep may be in other hands.
    #[error("{} belongs to a certificate that was revoked for {reason}: renew without --keep-key", path.display())]
    Compromised {
        /// The key.
        path: PathBuf,
        /// Why it was revoked.
        reason: String,
    },
}

fn near_names(near: &[String]) -> String {
    match near {
        [] => String::new(),
        names => format!(" (did you mean {}?)", names.join(", ")),
    }
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
    /// It may not have CAs below it.
    #[error(
        "{} allows no CA below it (path length 0): make a root in a folder of its own with --dir",
        path.display()
    )]
    PathLength {
        /// The certificate of the CA.
        path: PathBuf,
    },
    /// Another CA of the folder has the name already, and lists of both could not be told apart.
    #[error("{} has this name already: give another one with --name", path.display())]
    NameTaken {
        /// The certificate of the other CA.
        path: PathBuf,
    },
    /// It was revoked.
    #[error("{} was revoked at {since} ({reason}): issue from another CA", path.display())]
    Revoked {
        /// The certificate of the CA.
        path: PathBuf,
        /// When.
        since: String,
        /// Why.
        reason: String,
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
        "{} is already there, and a CA is never overwritten: choose another folder with --dir (an intermediate CA: another name), or move it away",
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
    /// Another command does not end.
    #[error("another `pki` command is at work in this folder ({} is locked): wait for it, or end it", path.display())]
    Busy {
        /// The lock.
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
