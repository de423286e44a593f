//! Openings: TCP ports bound to (UID, target).
//!
//! [`table`] decides (pure), [`manager`] does (one task, which owns everything), [`accept`] and [`stream`] carry the
//! bytes on the shard of the session.

mod accept;
mod bind;
mod handle;
mod manager;
mod ports;
mod stream;
mod table;
mod view;

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use common::{ids::Uid, target::Target};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use self::{
    bind::BindError,
    handle::{CloseError, ManagerHandle, OpenError, Streams},
    manager::Manager,
    view::{State, View},
};
use crate::{store::StoredOpening, traffic::Traffic};

/// What an opening has besides port, UID and target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// The address that the port is bound on.
    pub bind_address: IpAddr,
    /// Why it was opened, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Clients may come from these networks only; empty: from anywhere.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allow_sources: Vec<IpNet>,
    /// Clients at the same time; more are reset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_connections: Option<u32>,
    /// Streams on which nothing moves for this many seconds are reset; `None`: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_timeout_seconds: Option<u32>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            bind_address: Ipv4Addr::UNSPECIFIED.into(),
            reason: None,
            allow_sources: Vec::new(),
            max_connections: None,
            idle_timeout_seconds: None,
        }
    }
}

impl Options {
    /// Whether a client may come from this address.
    pub fn allows(&self, client: IpAddr) -> bool {
        let client = client.to_canonical();
        self.allow_sources.is_empty() || self.allow_sources.iter().any(|net| net.contains(&client))
    }

    /// As a duration.
    pub fn idle_timeout(&self) -> Option<Duration> {
        self.idle_timeout_seconds
            .map(|seconds| Duration::from_secs(seconds.into()))
    }
}

/// What `POST /open` asks for, proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Whose connector shall dial.
    pub uid: Uid,
    /// The port; 0: any free one.
    pub port: u16,
    /// What it shall dial.
    pub target: Target,
    /// The rest.
    pub options: Options,
}

/// An opening, as the tasks that carry its bytes share it.
#[derive(Debug)]
struct Shared {
    stored: StoredOpening,
    traffic: Arc<Traffic>,
    counters: Counters,
    /// Cuts its streams.
    cut: CancellationToken,
    /// Its streams.
    streams: TaskTracker,
}

/// Clients that were not served.
#[derive(Debug, Default)]
struct Counters {
    denied: AtomicU64,
    refused: AtomicU64,
}

impl Shared {
    fn new(stored: StoredOpening) -> Self {
        Self {
            stored,
            traffic: Arc::default(),
            counters: Counters::default(),
            cut: CancellationToken::new(),
            streams: TaskTracker::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_checked_in_their_canonical_form() {
        let mut options = Options::default();
        assert!(options.allows("192.0.2.1".parse().unwrap()));
        options.allow_sources = vec!["192.0.2.0/24".parse().unwrap()];
        assert!(options.allows("::ffff:192.0.2.1".parse().unwrap()));
        assert!(!options.allows("198.51.100.1".parse().unwrap()));
        assert!(!options.allows("::1".parse().unwrap()));
    }
}
