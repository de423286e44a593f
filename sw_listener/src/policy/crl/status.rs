//! How the sources are doing, and what is said about it.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use common::trouble::{Say, Trouble};
use tracing::{info, warn};

use super::CrlFact;

/// How everything is doing.
#[derive(Debug, Clone, Default)]
pub struct CrlStatus {
    /// How often the files were read again.
    pub reloads: u64,
    /// The lists in force.
    pub facts: Vec<CrlFact>,
    /// Files first, then addresses, as in the settings.
    pub sources: Vec<SourceStatus>,
}

/// A file or an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceStatus {
    /// Its path or address.
    pub source: Arc<str>,
    /// When it last gave lists of which all were taken.
    pub last_good: Option<SystemTime>,
    /// What is wrong with it now; `None`: nothing.
    pub last_error: Option<String>,
}

/// The state of a source, which speaks up when it changes.
#[derive(Debug)]
pub(super) struct Health {
    pub(super) status: SourceStatus,
    trouble: Trouble,
}

impl Health {
    pub(super) fn new(source: Arc<str>) -> Self {
        Self {
            status: SourceStatus {
                source,
                last_good: None,
                last_error: None,
            },
            trouble: Trouble::default(),
        }
    }

    /// All is well. `wait`: until the next try.
    pub(super) fn good(&mut self, now: SystemTime, wait: Option<Duration>) {
        let source = &*self.status.source;
        let first = self.status.last_good.is_none();
        self.status.last_good = Some(now);
        self.status.last_error = None;
        match self.trouble.over(Instant::now()) {
            Some((lasted, tries)) => info!(source, ?lasted, tries, "CRLs are read again"),
            None if first => info!(source, next_in = ?wait, "CRLs read"),
            None => {}
        }
    }

    /// Something is wrong: in full at first and when it changes, then seldom.
    pub(super) fn failed(&mut self, why: String, wait: Option<Duration>) {
        let source = &*self.status.source;
        let kept = "the newest lists so far stay in force";
        match self.trouble.failed(&why, Instant::now()) {
            Say::Full => warn!(source, cause = why, retry_in = ?wait, "CRLs not taken; {kept}"),
            Say::Still(lasted, tries) => {
                warn!(
                    source,
                    cause = why,
                    ?lasted,
                    tries,
                    "CRLs still not taken; {kept}"
                );
            }
            Say::Nothing => {}
        }
        self.status.last_error = Some(why);
    }
}
