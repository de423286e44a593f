//! The SCEP server's verify API: `GET` with the leaf in `X-Mtls-Clientcert`, as 1.x asks it.
//!
//! Only a 200 whose `uid` equals the leaf's byte for byte is a yes; 401 is a no; anything else says nothing about the
//! certificate.

use std::str::FromStr;

use common::ids::Uid;
use pem::{EncodeConfig, LineEnding, Pem};
use reqwest::{StatusCode, Url};
use serde::Deserialize;
use thiserror::Error;
use tokio::sync::watch;

use super::fetch::{FetchError, Fetcher, Limits};

/// Longest answer that is read, in bytes.
const MAX_BODY: usize = 64 * 1024;
/// Longest text of the server that is shown, in characters: the length of a UID.
const SHOWN: usize = 64;
/// The header that carries the certificate.
const HEADER: &str = "X-Mtls-Clientcert";

/// The verify address, e.g. `http://127.0.0.1:3000/api/cert/verify`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScepUrl(Url);

impl ScepUrl {
    /// The address.
    pub fn as_url(&self) -> &Url {
        &self.0
    }
}

impl FromStr for ScepUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let url: Url = text
            .parse()
            .map_err(|error| format!("must be an http or https address: {error}"))?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err("must be an http or https address".to_owned());
        }
        // The address stands in logs.
        if !url.username().is_empty() || url.password().is_some() {
            return Err("must not contain a user name or password".to_owned());
        }
        Ok(Self(url))
    }
}

/// Why the SCEP server did not vouch for a certificate.
#[derive(Debug, Error)]
pub enum ScepError {
    /// 401: expired, revoked, or not from this CA.
    #[error("it says that the certificate is not valid (401): ask the operator for a new one")]
    Refused,
    /// 200, but about somebody else.
    #[error("it vouches for {0:?}, which is not the UID of the certificate")]
    OtherUid(String),
    /// Any other status.
    #[error("it answered with status {0}")]
    Status(StatusCode),
    /// The answer is too long or not the expected JSON.
    #[error("its answer is not usable: {0}")]
    Answer(String),
    /// No answer.
    #[error(transparent)]
    Fetch(#[from] FetchError),
}

impl ScepError {
    /// Stable, for programs that read the log.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused => "scep_refused",
            Self::OtherUid(_) => "scep_other_uid",
            Self::Status(_) | Self::Answer(_) | Self::Fetch(_) => "scep_unavailable",
        }
    }

    /// Whether it is a verdict on the certificate, rather than on the server's health.
    pub fn is_definite(&self) -> bool {
        matches!(self, Self::Refused | Self::OtherUid(_))
    }
}

#[derive(Deserialize)]
struct Vouched {
    uid: String,
}

/// Asks one SCEP server.
#[derive(Debug)]
pub struct ScepVerifier {
    fetcher: watch::Sender<Fetcher>,
    url: Url,
}

impl ScepVerifier {
    /// A verifier that asks through `fetcher`.
    pub fn new(url: ScepUrl, fetcher: Fetcher) -> Self {
        Self {
            fetcher: watch::Sender::new(fetcher),
            url: url.0,
        }
    }

    /// What it asks through, to be replaced.
    pub(super) fn fetcher(&self) -> watch::Sender<Fetcher> {
        self.fetcher.clone()
    }

    /// Whether the server vouches for this leaf (DER) under this UID.
    ///
    /// # Errors
    /// [`ScepError`].
    pub async fn verify(&self, leaf: &[u8], uid: &Uid) -> Result<(), ScepError> {
        let fetcher = self.fetcher.borrow().clone();
        let request = fetcher
            .get(self.url.clone())
            .header(HEADER, percent_encode(&pem(leaf)));
        let answer = fetcher.send(request, Limits::short(MAX_BODY)).await?;
        match answer.status {
            StatusCode::OK => {}
            StatusCode::UNAUTHORIZED => return Err(ScepError::Refused),
            other => return Err(ScepError::Status(other)),
        }
        judge(&answer.body, uid)
    }
}

/// Whether the body of a 200 vouches for this UID.
fn judge(body: &[u8], uid: &Uid) -> Result<(), ScepError> {
    let vouched: Vouched = serde_json::from_slice(body)
        .map_err(|error| ScepError::Answer(shown(&error.to_string())))?;
    if vouched.uid != uid.as_str() {
        return Err(ScepError::OtherUid(shown(&vouched.uid)));
    }
    Ok(())
}

/// What the server says goes into the log once per check, and must not fill it.
fn shown(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}

/// The certificate as PEM (RFC 7468), lines of 64 characters.
fn pem(der: &[u8]) -> String {
    let config = EncodeConfig::new().set_line_ending(LineEnding::LF);
    pem::encode_config(&Pem::new("CERTIFICATE", der), config)
}

/// Every byte that is not a letter or a digit becomes `%XX`, as the server expects it.
fn percent_encode(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_http_and_hold_no_secret() {
        for good in [
            "http://127.0.0.1:3000/api/cert/verify",
            "https://scep.example/verify?x=1",
        ] {
            assert!(good.parse::<ScepUrl>().is_ok(), "{good}");
        }
        for bad in [
            "ldap://a:secret@scep.example/",
            "http://a:secret@scep.example/",
            "http://secret@scep.example/",
            "secret",
            "http://",
        ] {
            let error = bad.parse::<ScepUrl>().unwrap_err();
            assert!(!error.contains("secret"), "{error}");
        }
    }

    /// Up to 64 KiB went into each line of the log.
    #[test]
    fn long_texts_are_cut() {
        let uid = "plant-7".parse().unwrap();
        let long = "\u{e9}".repeat(1000);
        let other = judge(format!(r#"{{"uid": "{long}"}}"#).as_bytes(), &uid);
        let Err(ScepError::OtherUid(text)) = other else {
            panic!("{other:?}")
        };
        assert_eq!(text.chars().count(), SHOWN);
        let twice = judge(format!(r#"{{"uid": {{"{long}": 1}}}}"#).as_bytes(), &uid);
        let Err(ScepError::Answer(text)) = twice else {
            panic!("{twice:?}")
        };
        assert!(text.chars().count() <= SHOWN, "{text}");
        assert!(judge(br#"{"uid": "plant-7"}"#, &uid).is_ok());
    }
}
