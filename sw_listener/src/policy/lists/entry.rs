//! One entry of an allow or deny list, parsed once at the edge.

use std::{fmt, str::FromStr};

use thiserror::Error;

/// Longest pattern, in characters: twice a UID.
const MAX_PATTERN: usize = 128;
/// Longest serial number, in bytes: RFC 5280, section 4.1.2.2, allows 20.
const MAX_SERIAL: usize = 32;

/// Whom an entry names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Entry {
    /// `uid:plant-*`, or `plant-7` alone: UIDs, with `*` for any characters and `?` for one.
    Uid(Pattern),
    /// `sha256:HEX`: the SHA-256 of one certificate.
    Fingerprint([u8; 32]),
    /// `serial:HEX`: the serial number of a certificate, whoever has issued it, without leading zeros.
    Serial(Vec<u8>),
}

/// Why a text is not an entry.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EntryError {
    /// Something else in front of the colon.
    #[error("{0:?} is not known: write uid:PATTERN, sha256:HEX or serial:HEX")]
    Kind(String),
    /// Not the characters of a UID.
    #[error("{0:?} is no pattern of UIDs: 1 to {MAX_PATTERN} of A-Z a-z 0-9 . _ @ - * ?")]
    Pattern(String),
    /// Not 32 bytes.
    #[error("a SHA-256 fingerprint is 64 hexadecimal digits, with or without colons")]
    Fingerprint,
    /// Not a number.
    #[error("a serial number is hexadecimal digits, with or without colons")]
    Serial,
}

impl FromStr for Entry {
    type Err = EntryError;

    fn from_str(text: &str) -> Result<Self, EntryError> {
        let Some((kind, value)) = text.split_once(':') else {
            return text.parse().map(Self::Uid);
        };
        match kind {
            "uid" => value.parse().map(Self::Uid),
            "sha256" => fingerprint(value).ok_or(EntryError::Fingerprint),
            "serial" => serial(value).map(Self::Serial).ok_or(EntryError::Serial),
            _ => Err(EntryError::Kind(kind.to_owned())),
        }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, bytes) = match self {
            Self::Uid(pattern) => return write!(f, "uid:{}", pattern.0),
            Self::Fingerprint(bytes) => ("sha256", bytes.as_slice()),
            Self::Serial(bytes) => ("serial", bytes.as_slice()),
        };
        write!(f, "{kind}:")?;
        bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

fn fingerprint(text: &str) -> Option<Entry> {
    let bytes = hex(text)?;
    bytes.try_into().ok().map(Entry::Fingerprint)
}

/// A serial number out of hexadecimal digits, without leading zeros.
pub(super) fn serial(text: &str) -> Option<Vec<u8>> {
    let digits = text.replace(':', "");
    let digits = digits.trim_start_matches('0');
    if text.is_empty() || digits.len() > 2 * MAX_SERIAL {
        return None;
    }
    match digits.len() % 2 {
        0 => hex(digits),
        _ => hex(&format!("0{digits}")),
    }
}

/// Bytes out of pairs of hexadecimal digits; colons between them may be there.
pub(super) fn hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.replace(':', "");
    let mut values = digits.chars().map(|c| c.to_digit(16));
    let mut bytes = Vec::with_capacity(digits.len() / 2);
    while let Some(high) = values.next() {
        let byte = high? * 16 + values.next()??;
        bytes.push(u8::try_from(byte).ok()?);
    }
    Some(bytes)
}

/// UIDs, with `*` for any characters and `?` for one. Case counts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pattern(String);

impl FromStr for Pattern {
    type Err = EntryError;

    fn from_str(text: &str) -> Result<Self, EntryError> {
        let fits = (1..=MAX_PATTERN).contains(&text.len())
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "._@-*?".contains(c));
        if !fits {
            return Err(EntryError::Pattern(
                text.chars().take(MAX_PATTERN).collect(),
            ));
        }
        let mut pattern = String::with_capacity(text.len());
        for c in text.chars() {
            // Several in a row mean the same as one.
            if c != '*' || !pattern.ends_with('*') {
                pattern.push(c);
            }
        }
        Ok(Self(pattern))
    }
}

impl Pattern {
    /// The UID, if it names exactly one.
    pub fn exact(&self) -> Option<&str> {
        (!self.0.contains(['*', '?'])).then_some(&self.0)
    }

    /// Whether a UID fits. Never more steps than pattern times UID: only the last `*` is ever tried again, as what an
    /// earlier one has matched need not become longer.
    pub fn matches(&self, uid: &str) -> bool {
        let (pattern, uid) = (self.0.as_bytes(), uid.as_bytes());
        let (mut at, mut seen) = (0, 0);
        // Behind the last `*`, and where in the UID it has ended so far.
        let mut retry = None;
        while seen < uid.len() {
            match pattern.get(at) {
                Some(b'*') => {
                    at += 1;
                    retry = Some((at, seen));
                }
                Some(c) if *c == b'?' || *c == uid[seen] => {
                    at += 1;
                    seen += 1;
                }
                _ => {
                    let Some((behind, ended)) = retry else {
                        return false;
                    };
                    retry = Some((behind, ended + 1));
                    (at, seen) = (behind, ended + 1);
                }
            }
        }
        pattern[at..].iter().all(|c| *c == b'*')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, uid: &str) -> bool {
        pattern.parse::<Pattern>().unwrap().matches(uid)
    }

    #[test]
    fn patterns_match_whole_uids() {
        for (pattern, uid) in [
            ("plant-7", "plant-7"),
            ("plant-*", "plant-"),
            ("plant-*", "plant-7"),
            ("*", "x"),
            ("*-7", "plant-6-7"),
            ("a*b*c", "aXbYbZc"),
            ("p?", "pa"),
            ("*?", "x"),
            ("*a?", "aaab"),
        ] {
            assert!(matches(pattern, uid), "{pattern} {uid}");
        }
        for (pattern, uid) in [
            ("plant-7", "plant-77"),
            ("plant-7", "Plant-7"),
            ("plant-*", "xplant-7"),
            ("*-7", "plant-71"),
            ("a*b*c", "aXcYb"),
            ("p?", "p"),
            ("?", "ab"),
        ] {
            assert!(!matches(pattern, uid), "{pattern} {uid}");
        }
    }

    #[test]
    fn no_pattern_takes_long() {
        let uid = "a".repeat(64);
        assert!(matches(&"*".repeat(64), &uid));
        // With a step for every way to share the UID out among the stars, these would not end.
        assert!(!matches(&"*a".repeat(64).replacen("*a", "*b", 1), &uid));
        assert!(!matches(&format!("{}b", "*a".repeat(60)), &uid));
        assert!(!matches(&format!("{}b", "a*".repeat(60)), &uid));
    }

    #[test]
    fn entries_are_read_and_written() {
        let digest = "ab".repeat(32);
        let colons = vec!["AB"; 32].join(":");
        for (text, expected) in [
            ("plant-7", "uid:plant-7".to_owned()),
            ("uid:plant-**", "uid:plant-*".to_owned()),
            (&format!("sha256:{digest}"), format!("sha256:{digest}")),
            (&format!("sha256:{colons}"), format!("sha256:{digest}")),
            ("serial:00:0A:FF", "serial:0aff".to_owned()),
            ("serial:aff", "serial:0aff".to_owned()),
        ] {
            assert_eq!(text.parse::<Entry>().unwrap().to_string(), expected);
        }
        for bad in [
            "",
            "uid:",
            "a b",
            "plant-é",
            "md5:00",
            "sha256:",
            "sha256:ab",
            "serial:",
            "serial:xy",
            "ab:cd",
            "serial:+1",
            &"a".repeat(129),
            &format!("serial:{}", "1".repeat(65)),
        ] {
            assert!(bad.parse::<Entry>().is_err(), "{bad:?}");
        }
    }
}
