//! Bytes of a file into what they hold: PEM (RFC 7468) with whatever noise people's tools leave in it, or DER.
//!
//! The one place that uses `rustls-pemfile`. Pure.

use std::borrow::Cow;

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls_pemfile::Item;
use thiserror::Error;

use super::{der, found::Found};

/// One thing in a file.
#[derive(Debug)]
pub(super) enum Piece {
    Certificate(CertificateDer<'static>),
    Crl,
    Key(PrivateKeyDer<'static>),
    Other(Found),
}

/// Where PEM is damaged.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("damaged PEM in line {line}: {what}")]
pub struct PemError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong there.
    pub what: String,
}

impl Piece {
    /// What it is, for an error.
    pub(super) fn found(&self) -> Found {
        match self {
            Self::Certificate(_) => Found::Certificate,
            Self::Crl => Found::Crl,
            Self::Key(_) => Found::PrivateKey,
            Self::Other(found) => found.clone(),
        }
    }
}

/// Everything in a file; without a PEM block, the one thing that the file is.
///
/// A byte order mark, line ends of any kind, indentation and text around the blocks are no faults.
///
/// # Errors
/// [`PemError`]: a block that is not whole, even beside others that are.
pub(super) fn parse(bytes: &[u8]) -> Result<Vec<Piece>, PemError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    // The first byte of a SEQUENCE is also the digit 0, with which a text may begin.
    if bytes.first() == Some(&0x30) {
        let piece = der::recognise(bytes);
        if !matches!(piece, Piece::Other(Found::Binary)) {
            return Ok(vec![piece]);
        }
    }
    let text = String::from_utf8_lossy(bytes)
        .replace("\r\n", "\n")
        .replace('\r', "\n");
    let pieces: Vec<_> = blocks(&text)?
        .iter()
        .map(Block::piece)
        .collect::<Result<_, _>>()?;
    if pieces.is_empty() {
        return Ok(vec![Piece::Other(without_blocks(bytes))]);
    }
    Ok(pieces)
}

/// A PEM block, whole but not decoded.
#[derive(Debug)]
struct Block<'a> {
    label: &'a str,
    /// Line of its BEGIN, from 1.
    line: usize,
    encrypted: bool,
    base64: Vec<&'a str>,
}

impl Block<'_> {
    fn piece(&self) -> Result<Piece, PemError> {
        let label = match self.label {
            _ if self.encrypted => return Ok(Piece::Other(Found::EncryptedKey)),
            "X509 CERTIFICATE" => "CERTIFICATE",
            label @ ("CERTIFICATE" | "X509 CRL" | "PRIVATE KEY" | "RSA PRIVATE KEY"
            | "EC PRIVATE KEY") => label,
            other => return Ok(Piece::Other(Found::by_label(other))),
        };
        let clean = format!(
            "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
            self.base64.join("\n")
        );
        match rustls_pemfile::read_one_from_slice(clean.as_bytes()) {
            Ok(Some((item, _))) => Ok(piece(item)),
            Ok(None) | Err(_) => Err(PemError {
                line: self.line,
                what: format!(
                    "the block {label} that begins there is not whole: its base64 cannot be decoded"
                ),
            }),
        }
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "rustls-pemfile's enum is non-exhaustive"
)]
fn piece(item: Item) -> Piece {
    // Some tools write a key under the label of another format.
    let key =
        |key: PrivateKeyDer<'static>| Piece::Key(der::private_key(key.secret_der()).unwrap_or(key));
    match item {
        Item::X509Certificate(certificate) => Piece::Certificate(certificate),
        Item::Crl(_) => Piece::Crl,
        Item::Pkcs1Key(pkcs1) => key(pkcs1.into()),
        Item::Pkcs8Key(pkcs8) => key(pkcs8.into()),
        Item::Sec1Key(sec1) => key(sec1.into()),
        _ => Piece::Other(Found::Binary),
    }
}

/// The blocks of a text, in order; what stands between them is skipped.
fn blocks(text: &str) -> Result<Vec<Block<'_>>, PemError> {
    let mut blocks = Vec::new();
    let mut open: Option<Block<'_>> = None;
    let mut last = 0;
    for (number, raw) in (1..).zip(text.split('\n')) {
        let line = raw.trim();
        last = number;
        let error = |what: String| PemError { line: number, what };
        match open.take() {
            None => open = begin(line, number).map_err(error)?,
            Some(block) if line.contains("-----END ") => {
                let ended = line
                    .strip_prefix("-----END ")
                    .and_then(|rest| rest.strip_suffix("-----"));
                if ended != Some(block.label) {
                    let label = block.label;
                    return Err(error(format!("-----END {label}----- should stand there")));
                }
                blocks.push(block);
            }
            Some(mut block) => {
                block.take(line).map_err(error)?;
                open = Some(block);
            }
        }
    }
    match open {
        Some(block) => Err(PemError {
            line: last,
            what: format!(
                "the file ends within the block {} that began in line {}: it was cut off",
                block.label, block.line
            ),
        }),
        None => Ok(blocks),
    }
}

/// A block that begins in this line, if one does.
fn begin(line: &str, number: usize) -> Result<Option<Block<'_>>, String> {
    let Some(rest) = line.strip_prefix("-----BEGIN ") else {
        if line.starts_with("--") && line.contains("BEGIN ") {
            return Err(
                "five dashes, BEGIN, the kind, and five dashes belong into the first line of a block"
                    .to_owned(),
            );
        }
        return Ok(None);
    };
    let Some((label, behind)) = rest.split_once("-----") else {
        return Err("five dashes are missing at the end of the line".to_owned());
    };
    if !behind.is_empty() {
        return Err(match behind.starts_with("\\n") {
            true => "the line breaks are written as \\n: put real line breaks there",
            false => "a line break is missing behind the five dashes",
        }
        .to_owned());
    }
    Ok(Some(Block {
        label,
        line: number,
        encrypted: false,
        base64: Vec::new(),
    }))
}

impl<'a> Block<'a> {
    /// A line within the block: base64, or a header (RFC 1421, section 4.6).
    fn take(&mut self, line: &'a str) -> Result<(), String> {
        if line.starts_with("-----BEGIN ") {
            return Err(format!(
                "another block begins before -----END {}-----: something was cut out",
                self.label
            ));
        }
        if let Some((name, value)) = line.split_once(':') {
            self.encrypted |= name == "Proc-Type" && value.contains("ENCRYPTED");
            return Ok(());
        }
        let strange = |c: &char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '='));
        // SSH's own blocks and lines that go on do not matter: they are not decoded.
        if let Some(c) = line.chars().find(strange)
            && !self.encrypted
            && self.label != "SSH2 PUBLIC KEY"
        {
            return Err(format!("{c:?} does not belong into base64"));
        }
        self.base64.push(line);
        Ok(())
    }
}

/// What a file is that holds no PEM block and is not DER.
fn without_blocks(bytes: &[u8]) -> Found {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim();
    let lower: Cow<'_, str> = text.chars().take(200).collect::<String>().into();
    let lower = lower.to_ascii_lowercase();
    if text.is_empty() {
        return Found::Nothing;
    }
    let zeros = bytes.iter().take(64).filter(|byte| **byte == 0).count();
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) || zeros > 16 {
        return Found::Utf16;
    }
    if bytes.starts_with(&[0xfe, 0xed, 0xfe, 0xed]) {
        return Found::KeyStore;
    }
    if lower.starts_with("<!doctype") || lower.starts_with("<html") {
        return Found::Html;
    }
    if lower.starts_with("putty-user-key-file") {
        return Found::PuttyKey;
    }
    if ["ssh-", "ecdsa-sha2-"].iter().any(|s| lower.starts_with(s))
        || lower.starts_with("---- begin ssh2 public key")
    {
        return Found::PublicKey;
    }
    // "MI" is how base64 shows the start of a SEQUENCE with a long length.
    if text.starts_with("MI")
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c.is_whitespace() || "+/=".contains(c))
    {
        return Found::Base64;
    }
    match bytes.contains(&0) || std::str::from_utf8(bytes).is_err() {
        true => Found::Binary,
        false => Found::Text,
    }
}

#[cfg(test)]
mod tests;
