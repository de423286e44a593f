//! The bytes of a file or an answer as lists: DER, or PEM with several.

use std::path::{Path, PathBuf};

use reqwest::StatusCode;
use thiserror::Error;

use super::{List, parse::ParseError};
use crate::policy::{
    fetch::FetchError,
    file::{self, FileError},
};

/// Longest file, in bytes: more than a million entries.
const MAX_FILE: usize = 64 << 20;
/// Lists in one file or answer.
const MAX_LISTS: usize = 256;
/// The label of a CRL (RFC 7468, section 6).
pub(super) const LABEL: &str = "X509 CRL";

/// Why a source gives no lists.
#[derive(Debug, Error)]
pub enum SourceError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: FileError,
    },
    /// Nothing in it.
    #[error("empty: expected a CRL, DER or PEM")]
    Empty,
    /// PEM that cannot be decoded.
    #[error("not valid PEM: {0}")]
    Pem(String),
    /// Other things than CRLs.
    #[error("no CRL in it, but {0}")]
    NoCrl(String),
    /// Too many of them.
    #[error("more than {MAX_LISTS} CRLs in it")]
    TooMany,
    /// One of the lists cannot be used.
    #[error("CRL {number} in it is not usable: {source}")]
    List {
        /// Which, counted from 1.
        number: usize,
        /// Why.
        source: ParseError,
    },
    /// The server has no list.
    #[error("the server answered with status {status}{advice}", status = .0, advice = redirect(*.0))]
    Status(StatusCode),
    /// No answer.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The list is over.
    #[error("the CRL of \"{0}\" that the server gives has expired")]
    Expired(String),
    /// A fault of ours.
    #[error("fetching it broke: please report this")]
    Broken,
    /// The process is ending.
    #[error("given up")]
    GivenUp,
}

fn redirect(status: StatusCode) -> &'static str {
    match status.is_redirection() {
        true => " (redirects are not followed: give the address that they lead to)",
        false => "",
    }
}

/// Reads a file.
///
/// # Errors
/// [`SourceError`].
pub fn read_file(path: &Path) -> Result<Vec<List>, SourceError> {
    let bytes = file::read(path, MAX_FILE).map_err(|source| SourceError::Io {
        path: path.to_owned(),
        source,
    })?;
    read(bytes)
}

/// Takes bytes as lists.
///
/// # Errors
/// [`SourceError`] when there is none, or any of them cannot be used.
pub fn read(bytes: Vec<u8>) -> Result<Vec<List>, SourceError> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(SourceError::Empty);
    }
    // A CRL is a SEQUENCE of more than 127 bytes: no text begins like that.
    let der = matches!(bytes[..], [0x30, 0x80..=0xff, ..]);
    let begun = count(&bytes, "-----BEGIN ");
    if der || begun == 0 {
        return Ok(vec![list(1, bytes)?]);
    }
    let blocks = pem::parse_many(&bytes).map_err(|error| SourceError::Pem(error.to_string()))?;
    if blocks.len() != begun {
        return Err(SourceError::Pem("a block has no end".to_owned()));
    }
    let (lists, others): (Vec<_>, Vec<_>) =
        blocks.into_iter().partition(|block| block.tag() == LABEL);
    if lists.is_empty() {
        let found: Vec<_> = others.iter().take(3).map(pem::Pem::tag).collect();
        return Err(SourceError::NoCrl(format!("{found:?}")));
    }
    if lists.len() > MAX_LISTS {
        return Err(SourceError::TooMany);
    }
    let numbered = lists.into_iter().zip(1..);
    numbered
        .map(|(block, number)| list(number, block.into_contents()))
        .collect()
}

fn count(bytes: &[u8], text: &str) -> usize {
    let windows = bytes.windows(text.len());
    windows.filter(|window| *window == text.as_bytes()).count()
}

fn list(number: usize, der: Vec<u8>) -> Result<List, SourceError> {
    List::parse(der).map_err(|source| SourceError::List { number, source })
}
