//! Pins: SHA-256 of a `SubjectPublicKeyInfo` (RFC 7469, section 2.4), written `sha256/BASE64`.

use std::{fmt, str::FromStr};

use aws_lc_rs::digest;
use data_encoding::BASE64;
use thiserror::Error;

/// Why a text is no pin.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "must be sha256/ and 44 characters of base64: openssl x509 -in CERTIFICATE -noout -pubkey | openssl pkey -pubin \
     -outform DER | openssl dgst -sha256 -binary | base64"
)]
pub struct PinError;

/// A public key, by its SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pin([u8; 32]);

impl Pin {
    /// The pin of a public key: DER of its `SubjectPublicKeyInfo`, with the SEQUENCE.
    pub fn of_spki(spki: &[u8]) -> Self {
        let digest = digest::digest(&digest::SHA256, spki);
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest.as_ref());
        Self(bytes)
    }
}

impl FromStr for Pin {
    type Err = PinError;

    fn from_str(text: &str) -> Result<Self, PinError> {
        let encoded = text.strip_prefix("sha256/").ok_or(PinError)?;
        let bytes = BASE64.decode(encoded.as_bytes()).map_err(|_| PinError)?;
        bytes.try_into().map(Self).map_err(|_| PinError)
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256/{}", BASE64.encode(&self.0))
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back() {
        let pin = Pin::of_spki(b"key");
        assert_eq!(pin.to_string().parse(), Ok(pin));
        let text = pin.to_string();
        for wrong in [
            "",
            "sha256/",
            &text["sha256/".len()..],
            &text[..text.len() - 4],
            &text.replace("sha256", "sha1"),
            &format!("{text} "),
        ] {
            assert_eq!(wrong.parse::<Pin>(), Err(PinError), "{wrong:?}");
        }
    }
}
