//! The settings of revocation: CRLs.

use std::{path::PathBuf, time::Duration};

use common::config::Settings;

use crate::policy::crl::{CrlScope, CrlUrl};

/// Where CRLs come from, and what they are for. Without a file or an address, none are asked for.
#[derive(Debug, Clone, Default)]
pub struct CrlConfig {
    /// Files, DER or PEM.
    pub paths: Vec<PathBuf>,
    /// Addresses.
    pub urls: Vec<CrlUrl>,
    /// The longest time between two fetches of an address.
    pub refresh: Duration,
    /// Which certificates of a path are looked up.
    pub scope: CrlScope,
}

impl CrlConfig {
    /// Whether certificates are looked up in CRLs at all.
    pub fn is_on(&self) -> bool {
        !self.paths.is_empty() || !self.urls.is_empty()
    }

    pub(super) fn read(s: &mut Settings) -> Self {
        Self {
            paths: s.path_list("crl_paths").unwrap_or_default(),
            urls: s.list("crl_urls").unwrap_or_default(),
            refresh: Duration::from_secs(s.number("crl_refresh_seconds", 10..=604_800, 3600)),
            scope: s.or("crl_scope", CrlScope::default()),
        }
    }
}
