//! Whether a certificate and a key belong together: both in one file, or side by side as `NAME.crt` and `NAME.key`.

use std::path::{Path, PathBuf};

use super::super::facts::parse;
use super::key;
use super::parts::Pair;
use super::read::{self, Block, Content};

/// The other half of a certificate or of a key, if there is one.
pub(super) fn find(path: &Path, blocks: &[Block]) -> Option<Pair> {
    let (certificate, private) = (certified(blocks), private(blocks));
    let pair = |file: &Path, one: &[u8], other: &[u8]| Pair {
        file: file.display().to_string(),
        matches: one == other,
    };
    match (certificate, private) {
        (Some(certificate), Some(private)) => Some(pair(path, &certificate, &private)),
        (Some(certificate), None) => {
            let (file, blocks) = read_beside(path, &["key"])?;
            Some(pair(&file, &certificate, &self::private(&blocks)?))
        }
        (None, Some(private)) => {
            let (file, blocks) = read_beside(path, &["crt", "pem", "cer"])?;
            Some(pair(&file, &certified(&blocks)?, &private))
        }
        (None, None) => None,
    }
}

/// The first file of the same name with one of the endings that can be read.
fn read_beside(path: &Path, endings: &[&str]) -> Option<(PathBuf, Vec<Block>)> {
    endings.iter().find_map(|ending| {
        // `with_extension` would take `edge.plant` for a name with an ending.
        let name = path.file_name()?.to_str()?;
        let (stem, own) = name.rsplit_once('.')?;
        let beside = path.with_file_name(format!("{stem}.{ending}"));
        let blocks = (own != *ending).then(|| read::file(&beside).ok())??;
        Some((beside, blocks))
    })
}

/// The public key (SPKI, DER) of the first certificate.
fn certified(blocks: &[Block]) -> Option<Vec<u8>> {
    let first = blocks
        .iter()
        .find(|block| matches!(block.content, Content::Certificate))?;
    Some(parse(&first.der).ok()?.public_key().raw.to_vec())
}

/// The public half (SPKI, DER) of the first private key.
fn private(blocks: &[Block]) -> Option<Vec<u8>> {
    blocks.iter().find_map(|block| {
        if let Content::PrivateKey(private) = &block.content {
            return key::public_of(private);
        }
        None
    })
}
