//! API tokens: a name for the logs, a role, and the SHA-256 of the secret, which itself is stored nowhere.

use std::str::FromStr;

use aws_lc_rs::{constant_time, digest};

/// What a caller may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Look.
    Read,
    /// Look and change.
    Write,
}

/// One token, `NAME:ROLE:SHA256` with the digest in hexadecimal.
#[derive(Debug, Clone)]
pub struct ApiToken {
    name: String,
    role: Role,
    digest: [u8; 32],
}

impl ApiToken {
    /// For the logs.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What its holder may do.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Whether this is the secret; takes the same time whatever the answer.
    pub fn matches(&self, secret: &[u8]) -> bool {
        let digest = digest::digest(&digest::SHA256, secret);
        constant_time::verify_slices_are_equal(digest.as_ref(), &self.digest).is_ok()
    }
}

impl FromStr for ApiToken {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = || "must be NAME:ROLE:SHA256 (printf %s \"$TOKEN\" | sha256sum)".to_owned();
        let mut parts = text.split(':');
        let (Some(name), Some(role), Some(digest), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(form());
        };
        let role = match role {
            "read" => Role::Read,
            "write" => Role::Write,
            _ => return Err("the role must be read or write".to_owned()),
        };
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(form());
        }
        Ok(Self {
            name: name.to_owned(),
            role,
            digest: hexadecimal(digest).ok_or_else(form)?,
        })
    }
}

fn hexadecimal(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        let pair = std::str::from_utf8(pair).ok()?;
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SHA-256 of "secret".
    const DIGEST: &str = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";

    #[test]
    fn a_token_knows_its_secret_and_no_other() {
        let token: ApiToken = format!("ops:write:{DIGEST}").parse().unwrap();
        assert_eq!((token.name(), token.role()), ("ops", Role::Write));
        assert!(token.matches(b"secret"));
        assert!(!token.matches(b"secret "));
        assert!(!token.matches(b""));
    }

    #[test]
    fn what_is_not_a_token_is_refused_without_repeating_it() {
        for text in ["secret", "ops:admin:00", "ops:write:zz", ":write:00"] {
            assert!(text.parse::<ApiToken>().is_err());
        }
        let long = format!("ops:write:{DIGEST}00");
        assert!(!long.parse::<ApiToken>().unwrap_err().contains(DIGEST));
    }
}
