//! Which TLS is spoken: suites, groups, and how small a key may be.

use std::{fmt, str::FromStr};

use rustls::{
    SupportedCipherSuite,
    crypto::{
        CryptoProvider, SupportedKxGroup, aws_lc_rs,
        aws_lc_rs::{cipher_suite, kx_group},
    },
};

/// The smallest RSA key that is accepted by default, in bits. The library verifies nothing below it.
pub const MIN_RSA_BITS: u32 = 2048;

/// The suites of TLS 1.3, AES-128-GCM first: on processors with AES instructions it is the fastest.
const SUITES: [SupportedCipherSuite; 3] = [
    cipher_suite::TLS13_AES_128_GCM_SHA256,
    cipher_suite::TLS13_AES_256_GCM_SHA384,
    cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
];

/// The groups, in their order by default. The first is post-quantum (X25519 joined with ML-KEM-768), so that what is recorded
/// today stays unread; its share makes the ClientHello two datagrams long.
const GROUPS: [(&str, &dyn SupportedKxGroup); 7] = [
    ("X25519MLKEM768", kx_group::X25519MLKEM768),
    ("X25519", kx_group::X25519),
    ("SECP256R1", kx_group::SECP256R1),
    ("SECP384R1", kx_group::SECP384R1),
    ("SECP256R1MLKEM768", kx_group::SECP256R1MLKEM768),
    ("MLKEM768", kx_group::MLKEM768),
    ("MLKEM1024", kx_group::MLKEM1024),
];

/// How many of [`GROUPS`] are offered by default.
const DEFAULT_GROUPS: usize = 4;

/// A cipher suite of TLS 1.3 (RFC 8446, appendix B.4), by its name.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Suite(SupportedCipherSuite);

/// A group for the key exchange (RFC 8446, section 4.2.7), by its name.
#[derive(Clone, Copy)]
pub struct Group {
    name: &'static str,
    group: &'static dyn SupportedKxGroup,
}

/// Which TLS is spoken. Lists are in order of preference.
#[derive(Debug, Clone)]
pub struct TlsPolicy {
    /// Cipher suites; at least one.
    pub suites: Vec<Suite>,
    /// Groups; at least one.
    pub groups: Vec<Group>,
    /// The smallest RSA key, in bits: of our certificates, and of the peer's with all that vouch for it.
    pub min_rsa_bits: u32,
}

impl Default for TlsPolicy {
    fn default() -> Self {
        let groups = GROUPS.iter().take(DEFAULT_GROUPS);
        Self {
            suites: SUITES.map(Suite).into(),
            groups: groups
                .map(|(name, group)| Group {
                    name,
                    group: *group,
                })
                .collect(),
            min_rsa_bits: MIN_RSA_BITS,
        }
    }
}

impl TlsPolicy {
    /// aws-lc-rs, with the suites and groups of this policy.
    pub fn provider(&self) -> CryptoProvider {
        let mut provider = aws_lc_rs::default_provider();
        provider.cipher_suites = self.suites.iter().map(|suite| suite.0).collect();
        provider.kx_groups = self.groups.iter().map(|group| group.group).collect();
        provider
    }
}

impl Suite {
    fn name(&self) -> &'static str {
        self.0.suite().as_str().unwrap_or("unknown")
    }

    /// As the standard writes it: rustls puts "13" behind "TLS".
    fn standard_name(&self) -> String {
        self.name().replacen("TLS13_", "TLS_", 1)
    }
}

impl FromStr for Suite {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = text.to_ascii_uppercase().replacen("TLS13_", "TLS_", 1);
        let mut known = SUITES.iter().map(|suite| Self(*suite));
        known
            .find(|suite| suite.standard_name() == wanted)
            .ok_or_else(|| {
                let names = SUITES.map(|suite| Self(suite).standard_name());
                format!("no cipher suite of TLS 1.3; known are {}", names.join(", "))
            })
    }
}

impl fmt::Display for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.standard_name())
    }
}

impl FromStr for Group {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = GROUPS.iter().find(|(name, _)| {
            name.eq_ignore_ascii_case(text) || alias(name).eq_ignore_ascii_case(text)
        });
        let Some((name, group)) = known else {
            let names = GROUPS.map(|(name, _)| name);
            return Err(format!("no known group; known are {}", names.join(", ")));
        };
        Ok(Self {
            name,
            group: *group,
        })
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// What NIST calls it.
fn alias(name: &'static str) -> &'static str {
    match name {
        "SECP256R1" => "P-256",
        "SECP384R1" => "P-384",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_standard_in_any_case() {
        for (text, name) in [
            ("TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256"),
            ("tls13_aes_256_gcm_sha384", "TLS_AES_256_GCM_SHA384"),
            (
                "TLS_CHACHA20_POLY1305_SHA256",
                "TLS_CHACHA20_POLY1305_SHA256",
            ),
        ] {
            assert_eq!(text.parse::<Suite>().unwrap().to_string(), name);
        }
        for (text, name) in [("x25519", "X25519"), ("P-256", "SECP256R1")] {
            assert_eq!(text.parse::<Group>().unwrap().to_string(), name);
        }
    }

    #[test]
    fn an_unknown_name_is_answered_with_those_that_are_known() {
        let error = "TLS_RSA_WITH_AES_128_CBC_SHA".parse::<Suite>().unwrap_err();
        assert!(error.contains("TLS_AES_128_GCM_SHA256"), "{error}");
        let error = "P-521".parse::<Group>().unwrap_err();
        assert!(error.contains("X25519MLKEM768, X25519"), "{error}");
    }

    #[test]
    fn the_fastest_suite_and_the_post_quantum_group_come_first() {
        let policy = TlsPolicy::default();
        assert_eq!(policy.suites[0].to_string(), "TLS_AES_128_GCM_SHA256");
        assert_eq!(policy.groups[0].to_string(), "X25519MLKEM768");
        let provider = policy.provider();
        assert_eq!(provider.cipher_suites.len(), 3);
        assert_eq!(provider.kx_groups.len(), DEFAULT_GROUPS);
    }
}
