//! `pki show` and `pki fingerprint`: what is in a file, wherever it was made. Secrets are never part of the answer, and
//! foreign text is escaped.

mod beside;
mod certificate;
mod key;
mod list;
mod parts;
mod read;
mod write;

use std::path::Path;

use rustls::pki_types::CertificateDer;
use time::OffsetDateTime;

use self::parts::{Part, Shown};
use self::read::{Block, Content};
use super::args::{FingerprintArgs, ShowArgs};
use super::error::PkiError;
use super::text::printable_json;

/// Everything in a file, for people or as JSON.
///
/// # Errors
///
/// It cannot be read, or holds nothing that is known.
pub(super) fn show(args: &ShowArgs, now: OffsetDateTime) -> Result<String, PkiError> {
    let blocks = blocks(&args.file)?;
    let shown = Shown {
        file: args.file.display().to_string(),
        parts: parts::describe(&blocks, &args.file, now),
        pair: beside::find(&args.file, &blocks),
    };
    match args.json {
        false => Ok(write::text(&shown)),
        // A value of these types, all of them text and numbers, always has a JSON form.
        true => Ok(printable_json(
            &serde_json::to_string_pretty(&shown).unwrap_or_default(),
        )),
    }
}

/// Two lines: the SHA-256 of the first certificate, and the pin of its key.
///
/// # Errors
///
/// The file cannot be read, or holds no certificate.
pub(super) fn fingerprint(args: &FingerprintArgs) -> Result<String, PkiError> {
    let der = leaf(&args.file)?;
    let unreadable = |source| PkiError::File {
        path: args.file.clone(),
        source,
    };
    let x509 = super::facts::parse(&der).map_err(unreadable)?;
    let (sha256, pin) = (key::fingerprint(&der), key::pin(x509.public_key().raw));
    Ok(format!("{sha256}\n{pin}"))
}

/// The first certificate of a file.
///
/// # Errors
///
/// It cannot be read, or holds none.
pub(super) fn leaf(path: &Path) -> Result<CertificateDer<'static>, PkiError> {
    let blocks = blocks(path)?;
    let certificate = blocks.iter().find_map(|block| match &block.content {
        Content::Certificate => Some(CertificateDer::from(block.der.clone())),
        Content::List
        | Content::Request
        | Content::PrivateKey(_)
        | Content::EncryptedKey
        | Content::PublicKey
        | Content::Other(_) => None,
    });
    certificate.ok_or_else(|| PkiError::NoCertificate {
        path: path.to_owned(),
        found: blocks.first().map(Block::described).unwrap_or_default(),
    })
}

fn blocks(path: &Path) -> Result<Vec<Block>, PkiError> {
    read::file(path).map_err(|source| PkiError::File {
        path: path.to_owned(),
        source,
    })
}

impl Part {
    /// A section that is not what it says that it is.
    fn damaged(block: &Block, reason: &str) -> Self {
        Self::Damaged {
            content: block.described(),
            reason: super::text::printable(reason),
        }
    }
}
