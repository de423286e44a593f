//! When a daemon reads its files again, and what it says when they cannot be used.
//!
//! A certificate and its key are two files: between the two writes they do not match. So what a watch has found is given
//! time to become whole before anybody is alarmed; SIGHUP asks for an answer at once.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use tokio::{sync::Notify, time::sleep_until};

use crate::watch::Watch;

/// How long files may be in disorder after a change before it is said.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why the files are read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Somebody asked for it: SIGHUP.
    Asked,
    /// They have changed.
    Changed,
    /// They could not be used after a change, and have had time to be mended.
    Retried,
}

/// How often files were read again since the start.
#[derive(Debug, Default)]
pub struct ReloadCounters {
    /// They were good.
    pub ok: AtomicU64,
    /// They could not be used, and the old ones stayed in force.
    pub failed: AtomicU64,
}

/// Says when to read a set of files again, and keeps count.
#[derive(Debug)]
pub struct Reloads {
    watch: Watch,
    asked: Arc<Notify>,
    /// A request that [`Self::next`] has taken and not told yet.
    taken: bool,
    patience: Patience,
    counters: Arc<ReloadCounters>,
}

impl Reloads {
    /// Watches these files from now on. Make it before they are read for the first time.
    ///
    /// # Panics
    /// Outside of a runtime.
    pub fn new(paths: impl IntoIterator<Item = PathBuf>) -> Self {
        Self {
            watch: Watch::new(paths),
            asked: Arc::default(),
            taken: false,
            patience: Patience::default(),
            counters: Arc::default(),
        }
    }

    /// Notifying it asks for [`Cause::Asked`].
    pub fn asked(&self) -> Arc<Notify> {
        self.asked.clone()
    }

    /// The counts.
    pub fn counters(&self) -> Arc<ReloadCounters> {
        self.counters.clone()
    }

    /// Completes when the files are to be read again. What came of it is told with [`Self::succeeded`] or
    /// [`Self::failed`].
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn next(&mut self) -> Cause {
        let retry = self.patience.retry_at();
        while !self.taken {
            tokio::select! {
                () = self.asked.notified() => self.taken = true,
                () = self.watch.changed() => return Cause::Changed,
                () = until(retry) => return Cause::Retried,
            }
        }
        self.watch.catch_up().await;
        self.taken = false;
        Cause::Asked
    }

    /// The files were good.
    pub fn succeeded(&mut self) {
        self.patience.succeeded();
        self.counters.ok.fetch_add(1, Relaxed);
    }

    /// The files could not be used: whether that should be said aloud now. If not, it is known already, or may still mend
    /// itself.
    pub fn failed(&mut self, cause: Cause, error: &str) -> bool {
        let aloud = self.patience.failed(cause, error, Instant::now());
        if aloud {
            self.counters.failed.fetch_add(1, Relaxed);
        }
        aloud
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

/// When to speak of files that cannot be used. Pure: the time is an argument.
#[derive(Debug, Default)]
struct Patience {
    /// The first change after which they could not be used.
    since: Option<Instant>,
    /// What was said.
    said: Option<String>,
}

impl Patience {
    fn succeeded(&mut self) {
        *self = Self::default();
    }

    fn failed(&mut self, cause: Cause, error: &str, now: Instant) -> bool {
        if cause == Cause::Changed {
            let since = *self.since.get_or_insert(now);
            if now < since + PATIENCE {
                return false;
            }
        }
        self.since = None;
        let known = self.said.as_deref() == Some(error);
        self.said = Some(error.to_owned());
        cause == Cause::Asked || !known
    }

    fn retry_at(&self) -> Option<Instant> {
        self.since.map(|since| since + PATIENCE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(start: Instant) -> impl Fn(u64) -> Instant {
        move |ms| start + Duration::from_millis(ms)
    }

    #[test]
    fn what_mends_itself_is_not_said() {
        let start = Instant::now();
        let at = after(start);
        let mut patience = Patience::default();
        assert!(!patience.failed(Cause::Changed, "no match", at(0)));
        assert!(!patience.failed(Cause::Changed, "half a file", at(4000)));
        assert_eq!(patience.retry_at(), Some(at(5000)));
        patience.succeeded();
        assert_eq!(patience.retry_at(), None);
    }

    #[test]
    fn what_stays_is_said_once() {
        let start = Instant::now();
        let at = after(start);
        let mut patience = Patience::default();
        assert!(!patience.failed(Cause::Changed, "no match", at(0)));
        assert!(patience.failed(Cause::Retried, "no match", at(5000)));
        assert_eq!(patience.retry_at(), None);
        // Another change has its own time, and the same is no news after it.
        assert!(!patience.failed(Cause::Changed, "no match", at(60_000)));
        assert!(!patience.failed(Cause::Retried, "no match", at(65_000)));
        assert!(!patience.failed(Cause::Changed, "empty", at(70_000)));
        assert!(patience.failed(Cause::Retried, "empty", at(75_000)));
    }

    #[test]
    fn changes_without_end_are_said_too() {
        let start = Instant::now();
        let at = after(start);
        let mut patience = Patience::default();
        let said = (0..10).find(|s| patience.failed(Cause::Changed, "empty", at(s * 1000)));
        assert_eq!(said, Some(5));
    }

    #[test]
    fn who_asks_is_answered() {
        let start = Instant::now();
        let at = after(start);
        let mut patience = Patience::default();
        assert!(patience.failed(Cause::Asked, "empty", at(0)));
        assert!(patience.failed(Cause::Asked, "empty", at(1)));
        assert!(!patience.failed(Cause::Changed, "empty", at(2)));
        assert!(!patience.failed(Cause::Retried, "empty", at(5002)));
    }

    #[tokio::test]
    async fn a_request_takes_what_the_files_hold_as_known() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a");
        let mut reloads = Reloads::new([path.clone()]);
        std::fs::write(&path, "x").expect("written");
        reloads.asked().notify_one();
        assert_eq!(reloads.next().await, Cause::Asked);
        std::fs::write(&path, "y").expect("written");
        assert_eq!(reloads.next().await, Cause::Changed);
        reloads.succeeded();
        assert!(reloads.failed(Cause::Asked, "empty"));
        let counters = reloads.counters();
        assert_eq!(counters.ok.load(Relaxed), 1);
        assert_eq!(counters.failed.load(Relaxed), 1);
    }

    /// Whoever waits for it beside something else may turn to that while the files are looked at.
    #[tokio::test]
    async fn a_request_outlives_a_cancelled_wait() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut reloads = Reloads::new([folder.path().join("a")]);
        reloads.asked().notify_one();
        let once = std::future::poll_fn(|context| {
            let next = std::pin::pin!(reloads.next());
            std::task::Poll::Ready(next.poll(context).is_ready())
        });
        assert!(!once.await, "the files are looked at elsewhere");
        let again = tokio::time::timeout(Duration::from_secs(30), reloads.next());
        assert_eq!(again.await.ok(), Some(Cause::Asked));
    }
}
