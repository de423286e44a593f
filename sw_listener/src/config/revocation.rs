//! The settings of revocation: CRLs, and the lists of who is allowed and denied.

use std::{path::PathBuf, time::Duration};

use common::config::Settings;

use crate::policy::{
    crl::{CrlScope, CrlUrl},
    lists::Entry,
};

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
            refresh: Duration::from_secs(s.number("crl_refresh_seconds", 10..=604_800, 45)),
            scope: s.or("crl_scope", CrlScope::default()),
        }
    }
}

/// Who is allowed and denied, by name.
#[derive(Debug, Clone, Default)]
pub struct ListsConfig {
    /// Entries of which one must match, if there are any, here or in the file.
    pub allow: Vec<Entry>,
    /// A file with more of them; then one must match even if the file is empty.
    pub allow_path: Option<PathBuf>,
    /// Entries of which none may match.
    pub deny: Vec<Entry>,
    /// A file with more of them.
    pub deny_path: Option<PathBuf>,
}

impl ListsConfig {
    pub(super) fn read(s: &mut Settings) -> Self {
        let allow = s.list("allow");
        if allow.as_ref().is_some_and(Vec::is_empty) {
            s.conflict(
                "allow",
                "must name who may connect: leave it out to allow everyone, or set deny to *",
            );
        }
        Self {
            allow: allow.unwrap_or_default(),
            allow_path: s.path("allow_list_path"),
            deny: s.list("deny").unwrap_or_default(),
            deny_path: s.path("deny_list_path"),
        }
    }
}
