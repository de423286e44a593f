//! What is said of each section of a file: the values behind the text and the JSON.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde::Serialize;
use time::OffsetDateTime;

use super::super::text::stamp;
use super::read::{Block, Content};
use super::{certificate, key, list};

/// A file.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
    pub(super) file: String,
    pub(super) parts: Vec<Part>,
    /// The key of the first certificate, or the certificate of the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pair: Option<Pair>,
}

/// A section.
#[derive(Debug, Serialize)]
#[serde(tag = "content", rename_all = "snake_case")]
pub(super) enum Part {
    Certificate(Box<Certificate>),
    RevocationList(RevocationList),
    Request(Request),
    PrivateKey(PrivateKey),
    PublicKey {
        key: String,
        spki_pin: String,
    },
    EncryptedPrivateKey,
    Other {
        label: String,
    },
    /// It is not what it says that it is.
    Damaged {
        #[serde(rename = "claimed")]
        content: String,
        reason: String,
    },
}

#[derive(Debug, Serialize)]
pub(super) struct Certificate {
    pub(super) subject: String,
    /// The UID when `uid_source` is `cn`.
    pub(super) uid_by_cn: Uid,
    /// The UID when `uid_source` is `uid`.
    pub(super) uid_by_uid: Uid,
    pub(super) issuer: String,
    /// Hexadecimal.
    pub(super) serial: String,
    pub(super) not_before: String,
    pub(super) not_after: String,
    pub(super) validity: Validity,
    /// Whole days until the end; negative after it.
    pub(super) days_left: i64,
    pub(super) names: Vec<String>,
    pub(super) ca: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) path_length: Option<u32>,
    pub(super) key_usage: Vec<String>,
    pub(super) extended_key_usage: Vec<String>,
    pub(super) key: String,
    pub(super) sha256: String,
    pub(super) spki_pin: String,
    /// Whether the next certificate of the file has issued it; the last one says whether it has issued itself.
    pub(super) signed_by_next: bool,
    pub(super) self_signed: bool,
}

/// A UID, or why there is none.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Uid {
    Uid(String),
    None(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Validity {
    NotYet,
    Valid,
    Ended,
}

#[derive(Debug, Serialize)]
pub(super) struct RevocationList {
    pub(super) issuer: String,
    /// Decimal; it may have 160 bits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) number: Option<String>,
    pub(super) this_update: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_update: Option<String>,
    pub(super) validity: Validity,
    pub(super) entries: Vec<Entry>,
}

#[derive(Debug, Serialize)]
pub(super) struct Entry {
    pub(super) serial: String,
    pub(super) revoked: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct Request {
    pub(super) subject: String,
    pub(super) names: Vec<String>,
    pub(super) key: String,
    pub(super) spki_pin: String,
    /// Whether it is signed with the key that it asks a certificate for.
    pub(super) signature_good: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct PrivateKey {
    /// `None` when it is damaged, or of a kind that TLS here does not use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) spki_pin: Option<String>,
    /// The permission bits of the file, octal, if others than its owner have some.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) readable_by_others: Option<String>,
}

/// A certificate and a key, and whether they belong together.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Pair {
    /// The other file, or the same.
    pub(super) file: String,
    pub(super) matches: bool,
}

impl Validity {
    /// Whether `now` is between two times.
    pub(super) fn at(
        now: OffsetDateTime,
        from: OffsetDateTime,
        until: Option<OffsetDateTime>,
    ) -> Self {
        if now < from {
            return Self::NotYet;
        }
        match until {
            Some(until) if until <= now => Self::Ended,
            _ => Self::Valid,
        }
    }
}

/// What is said of each section.
pub(super) fn describe(blocks: &[Block], path: &Path, now: OffsetDateTime) -> Vec<Part> {
    let certificates: Vec<&[u8]> = blocks
        .iter()
        .filter(|block| matches!(block.content, Content::Certificate))
        .map(|block| block.der.as_slice())
        .collect();
    let mut above = certificates.iter().copied().skip(1);
    let part = |block: &Block| match &block.content {
        Content::Certificate => certificate::describe(&block.der, above.next(), now).map_or_else(
            |error| Part::damaged(block, &error.to_string()),
            |one| Part::Certificate(Box::new(one)),
        ),
        Content::List => list::describe(&block.der, now)
            .map_or_else(|reason| Part::damaged(block, &reason), Part::RevocationList),
        Content::Request => certificate::request(&block.der)
            .map_or_else(|reason| Part::damaged(block, &reason), Part::Request),
        Content::PrivateKey(private) => {
            let public = key::public_of(private);
            Part::PrivateKey(PrivateKey {
                key: public.as_deref().map(key::kind),
                spki_pin: public.as_deref().map(key::pin),
                readable_by_others: readable_by_others(path),
            })
        }
        Content::EncryptedKey => Part::EncryptedPrivateKey,
        Content::PublicKey => Part::PublicKey {
            key: key::kind(&block.der),
            spki_pin: key::pin(&block.der),
        },
        Content::Other(label) => Part::Other {
            label: super::super::text::printable(label),
        },
    };
    blocks.iter().map(part).collect()
}

fn readable_by_others(path: &Path) -> Option<String> {
    let mode = fs::metadata(path).ok()?.permissions().mode() & 0o777;
    (mode & 0o077 != 0).then(|| format!("{mode:04o}"))
}

/// A time that is to be shown.
pub(super) fn time(time: x509_parser::time::ASN1Time) -> String {
    stamp(time.to_datetime())
}
