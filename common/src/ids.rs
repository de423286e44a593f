//! Names of things: what is parsed once at the edge and cannot be wrong afterwards.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Longest UID, in characters.
pub const MAX_UID_LEN: usize = 64;

/// The name of a connector: 1 to 64 characters out of `A–Z a–z 0–9 . _ @ -`.
///
/// It is read from the leaf of the verified certificate chain, or from a request of the API.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Uid(String);

/// Why a text is not a UID.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum UidError {
    /// Nothing between the quotes.
    #[error("a UID cannot be empty")]
    Empty,
    /// More than [`MAX_UID_LEN`] characters.
    #[error("a UID has at most {MAX_UID_LEN} characters, not {0}")]
    TooLong(usize),
    /// A character outside the allowed set.
    #[error("a UID consists of A-Z a-z 0-9 . _ @ -, not {0:?}")]
    Character(char),
}

impl Uid {
    /// The UID as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Uid {
    type Err = UidError;

    fn from_str(text: &str) -> Result<Self, UidError> {
        if text.is_empty() {
            return Err(UidError::Empty);
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || ".-_@".contains(c);
        if let Some(c) = text.chars().find(|c| !allowed(*c)) {
            return Err(UidError::Character(c));
        }
        if text.len() > MAX_UID_LEN {
            return Err(UidError::TooLong(text.len()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for Uid {
    type Error = UidError;

    fn try_from(text: String) -> Result<Self, UidError> {
        text.parse()
    }
}

impl From<Uid> for String {
    fn from(uid: Uid) -> Self {
        uid.0
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// Makes a 64-bit identifier that is random, and shown and stored as 16 hexadecimal digits.
macro_rules! random_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(u64);

        impl $name {
            /// A new one, which nobody can guess.
            pub fn random() -> Self {
                Self(rand::random())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:016x}", self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }

        impl TryFrom<String> for $name {
            type Error = std::num::ParseIntError;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                u64::from_str_radix(&text, 16).map(Self)
            }
        }
    };
}

random_id! {
    /// The name of one session, new for each.
    SessionId
}

random_id! {
    /// The name of one opening; it stays the same over restarts of the listener.
    OpeningId
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uid_takes_what_certificates_carry() {
        for text in ["device1", "a", "A.b_c@d-e", &"x".repeat(64)] {
            assert_eq!(text.parse::<Uid>().unwrap().as_str(), text);
        }
    }

    #[test]
    fn uid_refuses_the_rest_with_the_reason() {
        let error = |text: &str| text.parse::<Uid>().unwrap_err();
        assert_eq!(error(""), UidError::Empty);
        assert_eq!(error(&"x".repeat(65)), UidError::TooLong(65));
        assert_eq!(error("a b"), UidError::Character(' '));
        assert_eq!(error("a\nERROR forged line"), UidError::Character('\n'));
        assert_eq!(error("デバイス"), UidError::Character('デ'));
    }

    #[test]
    fn ids_survive_json() {
        let id = OpeningId::random();
        let text = serde_json::to_string(&id).unwrap();
        assert_eq!(text.len(), 18);
        assert_eq!(serde_json::from_str::<OpeningId>(&text).unwrap(), id);
        assert!(serde_json::from_str::<OpeningId>("\"zz\"").is_err());
    }
}
