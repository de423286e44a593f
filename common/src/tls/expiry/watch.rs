//! The report: at the start, when files were read again, and daily.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc};

use time::{Duration, OffsetDateTime};
use tokio::sync::watch;
use tracing::{error, warn};

use super::{Finding, Item, Kind, findings};

/// Time between two looks at the clock. A sleeping machine stops timers, so waiting for a day could take many.
const LOOK: std::time::Duration = std::time::Duration::from_secs(3600);

/// Most lines of one report: a bundle of all public CAs always has some that end.
const LINES: usize = 20;

/// Reports what ends, and keeps it.
#[derive(Debug)]
pub struct Watch {
    warn_days: u32,
    current: watch::Sender<Arc<[Finding]>>,
}

impl Watch {
    /// Nothing has been found yet. `warn_days`: how many days before its end something is reported.
    pub fn new(warn_days: u32) -> Self {
        Self {
            warn_days,
            current: watch::Sender::new(Arc::default()),
        }
    }

    /// What was found when it last looked.
    pub fn current(&self) -> Arc<[Finding]> {
        self.current.borrow().clone()
    }

    /// The same, and every change of it.
    pub fn subscribe(&self) -> watch::Receiver<Arc<[Finding]>> {
        self.current.subscribe()
    }

    /// Looks and reports, for ever. `items` tells what is in force now; `reloads` changes when files were read again.
    pub async fn run<T>(
        &self,
        mut items: impl FnMut() -> Vec<Item>,
        mut reloads: watch::Receiver<T>,
    ) {
        let mut reporter = Reporter::default();
        loop {
            let now = OffsetDateTime::now_utc();
            let found: Arc<[_]> = findings(now, self.warn_days, items()).into();
            self.current.send_replace(found.clone());
            tell(&reporter.select(now, &found));
            let reloaded = async {
                if reloads.changed().await.is_err() {
                    std::future::pending().await
                }
            };
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = reloaded => reporter.forget(),
            }
        }
    }
}

/// What makes a finding the same as yesterday's.
type Key = (Kind, PathBuf, String, OffsetDateTime, bool);

/// Decides what is reported. Pure.
#[derive(Debug, Default)]
pub(super) struct Reporter {
    told: BTreeSet<Key>,
    at: Option<OffsetDateTime>,
}

impl Reporter {
    /// All findings once a day, and those that are new at once. Own certificates come first: a bundle of CAs that have
    /// ended must not push them out of the report.
    pub(super) fn select<'a>(
        &mut self,
        now: OffsetDateTime,
        found: &'a [Finding],
    ) -> Vec<&'a Finding> {
        // A clock that was set back must not silence the report.
        let fresh = |at| now >= at && now - at < Duration::DAY;
        if !self.at.is_some_and(fresh) {
            self.told.clear();
            self.at = Some(now);
        }
        let new = found
            .iter()
            .filter(|finding| !self.told.contains(&key(finding)));
        let mut new: Vec<_> = new.collect();
        new.sort_by_key(|finding| finding.item.kind);
        self.told = found.iter().map(key).collect();
        new
    }

    /// The next report is complete.
    pub(super) fn forget(&mut self) {
        self.at = None;
    }
}

fn key(finding: &Finding) -> Key {
    let Item {
        kind,
        file,
        name,
        not_after,
    } = finding.item.clone();
    (kind, file, name, not_after, finding.is_over())
}

fn tell(found: &[&Finding]) {
    for finding in found.iter().take(LINES) {
        let Item {
            kind,
            file,
            name,
            not_after,
        } = &finding.item;
        let (file, days_left, advice) = (file.display(), finding.days_left, finding.advice());
        if finding.is_over() {
            error!(%file, subject = name, %not_after, days_left, "this {kind} has expired: {advice}");
        } else {
            warn!(%file, subject = name, %not_after, days_left, "this {kind} expires soon: {advice}");
        }
    }
    if let Some(more @ 1..) = found.len().checked_sub(LINES) {
        warn!(more, "more certificates expire soon or have expired");
    }
}
