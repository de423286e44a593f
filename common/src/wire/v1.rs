//! The head of a protocol 1 stream: exactly 1,024 bytes, `ID|ADDRESS:PORT` in ASCII, padded with NUL.
//!
//! ```text
//! 31 34 30 2d 30 7c 31 32 37 2e 30 2e 30 2e 31 3a 38 30 00 00 00 …
//! 1  4  0  -  0  |  1  2  7  .  0  .  0  .  1  :  8  0  padding
//! ```

use thiserror::Error;

use crate::target::{Target, TargetError};

/// Bytes of the header.
pub const HEADER: usize = 1024;

/// Why 1,024 bytes are not a header.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HeaderError {
    /// A byte other than NUL after the padding has begun, or a byte outside ASCII.
    #[error("the header has bytes that do not belong there")]
    Bytes,
    /// Not exactly `ID|ADDRESS:PORT`.
    #[error("the header is not ID|ADDRESS:PORT")]
    Parts,
    /// The part behind `|` is not a target.
    #[error("the header names no target: {0}")]
    Target(#[from] TargetError),
}

/// The header for a stream. `connection` and `stream` are numbers for the other side's log.
pub fn encode(connection: u64, stream: u64, target: &Target) -> [u8; HEADER] {
    let text = format!("{connection}-{stream}|{target}");
    let mut header = [0; HEADER];
    // A target has at most 253 + 6 characters and the numbers at most 41, so the text is never cut.
    header[..text.len()].copy_from_slice(text.as_bytes());
    header
}

/// The ID and the target of a header.
///
/// # Errors
/// [`HeaderError`] for anything but exactly two parts, a target with a port that fits, and NUL to the end.
pub fn decode(header: &[u8; HEADER]) -> Result<(String, Target), HeaderError> {
    let end = header.iter().position(|b| *b == 0).unwrap_or(HEADER);
    let (text, padding) = header.split_at(end);
    if padding.iter().any(|b| *b != 0) || !text.iter().all(u8::is_ascii_graphic) {
        return Err(HeaderError::Bytes);
    }
    let text = std::str::from_utf8(text).map_err(|_| HeaderError::Bytes)?;
    let mut parts = text.split('|');
    let (Some(id), Some(target), None) = (parts.next(), parts.next(), parts.next()) else {
        return Err(HeaderError::Parts);
    };
    if id.is_empty() {
        return Err(HeaderError::Parts);
    }
    Ok((id.to_owned(), target.parse()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(text: &[u8]) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..text.len()].copy_from_slice(text);
        bytes
    }

    #[test]
    fn headers_round_trip() {
        for text in ["127.0.0.1:80", "[fe80::1]:8443", "db.example.com:5432"] {
            let target: Target = text.parse().unwrap();
            let bytes = encode(140_001, 7, &target);
            assert_eq!(decode(&bytes), Ok(("140001-7".into(), target)));
        }
    }

    #[test]
    fn the_longest_target_is_written_whole() {
        let name = ["a".repeat(63).as_str(); 4].join(".")[..253].to_owned();
        let target = Target::new(&name, 65535).unwrap();
        let (_, read) = decode(&encode(u64::MAX, u64::MAX, &target)).unwrap();
        assert_eq!(read, target);
    }

    #[test]
    fn strict_about_everything_else() {
        for text in [
            &b""[..],
            b"1-1",
            b"1-1|127.0.0.1",
            b"1-1|127.0.0.1:99999",
            b"1-1|127.0.0.1:80|x",
            b"|127.0.0.1:80",
            b"1-1|::1:80",
            b"1-1|127.0.0.1:80\0x",
            b"1-1|12\xff:80",
            b"1-1|127.0.0.1 :80",
        ] {
            assert!(decode(&header(text)).is_err(), "{text:?} was taken");
        }
    }

    #[test]
    fn a_full_header_without_padding_is_no_target() {
        assert!(decode(&[b'7'; HEADER]).is_err());
    }
}
