//! The settings of who gets in, and may stay.

use std::{path::PathBuf, time::Duration};

use common::config::Settings;

use super::{CrlConfig, ListsConfig, OcspConfig};
use crate::{identity::UidSource, policy::ScepUrl};

/// Which certificates get in.
#[derive(Debug, Clone)]
pub struct PolicyConfig {
    /// What has no server and no file.
    pub rules: RulesConfig,
    /// The SCEP server; `None`: no such check.
    pub scep: Option<ScepConfig>,
    /// The CRLs.
    pub crl: CrlConfig,
    /// Who is allowed and denied by name.
    pub lists: ListsConfig,
    /// How revocation is asked of OCSP responders.
    pub ocsp: OcspConfig,
}

/// Rules without a server or a file of their own.
#[derive(Debug, Clone, Copy)]
pub struct RulesConfig {
    /// Where the UID stands in the certificate.
    pub uid_source: UidSource,
    /// The longest time between two checks of a live session.
    pub recheck: Duration,
    /// How long a live session goes on while a check cannot be made.
    pub grace: Duration,
}

/// The SCEP server that vouches for certificates.
#[derive(Debug, Clone)]
pub struct ScepConfig {
    /// Its verify address.
    pub url: ScepUrl,
    /// The CAs of its own certificate; `None`: those of the system.
    pub ca_path: Option<PathBuf>,
}

impl PolicyConfig {
    pub(super) fn read(s: &mut Settings) -> Self {
        Self {
            rules: RulesConfig::read(s),
            scep: read_scep(s),
            crl: CrlConfig::read(s),
            lists: ListsConfig::read(s),
            ocsp: OcspConfig::read(s),
        }
    }

    /// The files that are read again when they change.
    pub fn files(&self) -> Vec<PathBuf> {
        let lists = [&self.lists.allow_path, &self.lists.deny_path];
        let lists = lists.into_iter().flatten();
        let scep_ca = self.scep.iter().flat_map(|scep| &scep.ca_path);
        let files = lists.chain(&self.crl.paths).chain(scep_ca);
        files.cloned().collect()
    }
}

impl RulesConfig {
    fn read(s: &mut Settings) -> Self {
        let seconds = Duration::from_secs;
        let rules = Self {
            uid_source: s.or("uid_source", UidSource::CommonName),
            recheck: seconds(s.number("recheck_seconds", 5..=3600, 40)),
            grace: seconds(s.number("verify_grace_seconds", 0..=86_400, 900)),
        };
        // It runs from the last check that passed, so a shorter one is over with the first that fails.
        if !rules.grace.is_zero() && rules.grace <= rules.recheck {
            s.conflict(
                "verify_grace_seconds",
                "must be longer than recheck_seconds, or 0: it would be over when trouble is first noticed",
            );
        }
        rules
    }
}

fn read_scep(s: &mut Settings) -> Option<ScepConfig> {
    let url = s.optional("scep_url");
    let ca_path = s.path("scep_ca_path");
    if url.is_none() && ca_path.is_some() {
        s.conflict("scep_ca_path", "belongs to scep_url, which is not set");
    }
    url.map(|url| ScepConfig { url, ca_path })
}
