//! Settings of OCSP.

use std::{str::FromStr, time::Duration};

use common::config::Settings;
use reqwest::Url;

/// How revocation is asked of OCSP responders.
#[derive(Debug, Clone)]
pub struct OcspConfig {
    /// Which certificates are checked.
    pub scope: OcspScope,
    /// Who is asked; `None`: whom the certificate names.
    pub url: Option<OcspUrl>,
    /// Whether questions carry a nonce.
    pub nonce: NonceUse,
    /// How certificates are named.
    pub cert_id_hash: CertIdHash,
    /// How long an answer may count at most.
    pub max_age: Duration,
    /// How old an answer may be for a new session without asking again.
    pub refresh: Duration,
}

impl OcspConfig {
    /// Whether any certificate is asked about.
    pub fn is_on(&self) -> bool {
        self.scope != OcspScope::Off
    }

    pub(super) fn read(s: &mut Settings) -> Self {
        let scope = s.optional("ocsp");
        let url = s.optional("ocsp_url");
        if url.is_some() && scope.is_none() {
            s.conflict(
                "ocsp_url",
                "nobody would ask it: set ocsp to leaf or chain (or, knowingly, to off)",
            );
        }
        Self {
            scope: scope.unwrap_or(OcspScope::Off),
            url,
            nonce: s.or("ocsp_nonce", NonceUse::Auto),
            cert_id_hash: s.or("ocsp_cert_id_hash", CertIdHash::Sha1),
            max_age: Duration::from_secs(s.number("ocsp_max_age_seconds", 1..=604_800, 3600)),
            refresh: Duration::from_secs(s.number("ocsp_refresh_seconds", 0..=86_400, 60)),
        }
    }
}

/// Which certificates are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OcspScope {
    /// None.
    Off,
    /// The peer's own.
    Leaf,
    /// That and all between it and the CA.
    Chain,
}

impl FromStr for OcspScope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "off" => Ok(Self::Off),
            "leaf" => Ok(Self::Leaf),
            "chain" => Ok(Self::Chain),
            _ => Err(format!("must be off, leaf or chain, not {text:?}")),
        }
    }
}

/// Whether questions carry a nonce (RFC 8954), so that no old answer can be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NonceUse {
    /// They do. Who does not return it must answer with something recent.
    Auto,
    /// They do, and it must be returned.
    Require,
    /// They do not: for responders that prepare their answers (RFC 5019).
    Off,
}

impl FromStr for NonceUse {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "require" => Ok(Self::Require),
            "off" => Ok(Self::Off),
            _ => Err(format!("must be auto, require or off, not {text:?}")),
        }
    }
}

/// The hash by which certificates are named in questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertIdHash {
    /// SHA-1, which every responder knows.
    Sha1,
    /// SHA-256.
    Sha256,
}

impl FromStr for CertIdHash {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "sha1" => Ok(Self::Sha1),
            "sha256" => Ok(Self::Sha256),
            _ => Err(format!("must be sha1 or sha256, not {text:?}")),
        }
    }
}

/// A responder's address, http or https.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OcspUrl(Url);

impl OcspUrl {
    /// The address.
    pub fn as_url(&self) -> &Url {
        &self.0
    }
}

impl FromStr for OcspUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let url: Url = text
            .parse()
            .map_err(|error| format!("must be an http or https address: {error}"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err("must be an http or https address".to_owned());
        }
        // The address stands in logs.
        if !url.username().is_empty() || url.password().is_some() {
            return Err("must not contain a user name or password".to_owned());
        }
        Ok(Self(url))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<OcspConfig, String> {
        let mut settings = Settings::default();
        for (key, value) in pairs {
            settings.add_flag(key, (*value).to_owned());
        }
        let config = OcspConfig::read(&mut settings);
        settings.finish().map_err(|problems| problems.to_string())?;
        Ok(config)
    }

    #[test]
    fn nobody_is_asked_unless_told_so() {
        let config = read(&[]).unwrap();
        assert_eq!(config.scope, OcspScope::Off);
        assert_eq!(config.nonce, NonceUse::Auto);
        let url = ("ocsp_url", "http://ocsp.example/");
        for (scope, expected) in [
            ("off", OcspScope::Off),
            ("leaf", OcspScope::Leaf),
            ("chain", OcspScope::Chain),
        ] {
            let config = read(&[("ocsp", scope), url]).unwrap();
            assert_eq!(config.scope, expected);
            assert_eq!(config.url.unwrap().as_url().as_str(), url.1);
        }
        let forgotten = read(&[url]).unwrap_err();
        assert!(forgotten.contains("set ocsp to leaf"), "{forgotten}");
    }

    #[test]
    fn nonsense_is_refused() {
        for (key, value) in [
            ("ocsp", "on"),
            ("ocsp_url", "ldap://ocsp.example/"),
            ("ocsp_url", "http://a:secret@ocsp.example/"),
            ("ocsp_url", "http://secret@ocsp.example/"),
            ("ocsp_nonce", "maybe"),
            ("ocsp_cert_id_hash", "md5"),
            ("ocsp_max_age_seconds", "0"),
            ("ocsp_refresh_seconds", "-1"),
        ] {
            let problem = read(&[("ocsp", "leaf"), (key, value)]).unwrap_err();
            assert!(problem.contains(key), "{problem}");
            assert!(!problem.contains("secret"), "{problem}");
        }
    }
}
