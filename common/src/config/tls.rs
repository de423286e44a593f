//! The settings of TLS: those of both daemons, and those of the connector.

use super::Settings;
use crate::tls::{ListenerChecks, MIN_RSA_BITS, TlsPolicy};

impl Settings {
    /// Which TLS is spoken.
    pub fn tls(&mut self) -> TlsPolicy {
        let built_in = TlsPolicy::default();
        TlsPolicy {
            suites: self.some_of("tls_cipher_suites", built_in.suites),
            groups: self.some_of("tls_groups", built_in.groups),
            // The library verifies RSA up to 8,192 bits.
            min_rsa_bits: self.number("min_rsa_bits", MIN_RSA_BITS..=8192, MIN_RSA_BITS),
        }
    }

    /// What a connector asks of the listener's certificate.
    pub fn listener_checks(&mut self) -> ListenerChecks {
        let checks = ListenerChecks {
            expected_name: self.optional("expected_listener_name"),
            pins: self.some_of("listener_pins", Vec::new()),
            insecure_skip: self.flag("insecure_skip_server_verification", false),
        };
        let others = !checks.pins.is_empty() || checks.expected_name.is_some();
        if checks.insecure_skip && others {
            self.conflict(
                "insecure_skip_server_verification",
                "takes every certificate, so listener_pins and expected_listener_name would not count: take one or the other out",
            );
        }
        checks
    }

    /// A list that must not be empty where it is set: an empty one would look like a prohibition and be none.
    fn some_of<T>(&mut self, key: &'static str, default: Vec<T>) -> Vec<T>
    where
        T: std::str::FromStr<Err: std::fmt::Display>,
    {
        let set = self.found.contains_key(key);
        match self.list(key) {
            Some(values) if !values.is_empty() => values,
            None if !set => default,
            // Wrong elements were told already.
            Some(_) | None => {
                if !self.problems.iter().any(|problem| problem.key == key) {
                    self.conflict(
                        key,
                        "must not be an empty list; leave it out for the default",
                    );
                }
                default
            }
        }
    }
}
