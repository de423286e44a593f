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

/// Files that could not be used are tried again after this time, changed or not: time itself mends a certificate that is
/// not valid yet, or a file system that did not answer.
const RETRY: Duration = Duration::from_secs(60);

/// Why the files are read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Somebody asked for it: SIGHUP.
    Asked,
    /// They have changed.
    Changed,
    /// They could not be used, and have had time to be mended.
    Retried,
}

impl Cause {
    /// Whether others are to hear of it even when nothing came of it. Retries go on for as long as the trouble does.
    pub fn is_news(self) -> bool {
        self != Self::Retried
    }
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
        let retry = self.patience.retry_at;
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
    /// The first change after which they could not be used, until it is said.
    since: Option<Instant>,
    /// When they are tried again.
    retry_at: Option<Instant>,
    /// What was said.
    said: Option<String>,
}

impl Patience {
    fn succeeded(&mut self) {
        *self = Self::default();
    }

    fn failed(&mut self, cause: Cause, error: &str, now: Instant) -> bool {
        let known = self.said.as_deref() == Some(error);
        let may_mend_itself = match cause {
            Cause::Asked => false,
            Cause::Changed => true,
            // A retry can come between two writes as well.
            Cause::Retried => !known,
        };
        if may_mend_itself {
            let calm = *self.since.get_or_insert(now) + PATIENCE;
            if now < calm {
                self.retry_at = Some(calm);
                return false;
            }
        }
        self.since = None;
        self.retry_at = Some(now + RETRY);
        self.said = Some(error.to_owned());
        cause == Cause::Asked || !known
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
        assert_eq!(patience.retry_at, Some(at(5000)));
        patience.succeeded();
        assert_eq!(patience.retry_at, None);
    }

    #[test]
    fn what_stays_is_said_once() {
        let start = Instant::now();
        let at = after(start);
        let mut patience = Patience::default();
        assert!(!patience.failed(Cause::Changed, "no match", at(0)));
        assert!(patience.failed(Cause::Retried, "no match", at(5000)));
        // Another change has its own time, and the same is no news after it.
        assert!(!patience.failed(Cause::Changed, "no match", at(60_000)));
        assert!(!patience.failed(Cause::Retried, "no match", at(65_000)));
        assert!(!patience.failed(Cause::Changed, "empty", at(70_000)));
        assert!(patience.failed(Cause::Retried, "empty", at(75_000)));
    }

    /// A certificate that is valid from tomorrow is good tomorrow, though nobody touches it again.
    #[test]
    fn what_fails_is_tried_every_minute_and_not_repeated() {
        let start = Instant::now();
        let at = after(start);
        let mut patience = Patience::default();
        assert!(!patience.failed(Cause::Changed, "not yet", at(0)));
        assert!(patience.failed(Cause::Retried, "not yet", at(5000)));
        for minute in 1..100 {
            let now = 5000 + minute * 60_000;
            assert_eq!(patience.retry_at, Some(at(now)));
            assert!(!patience.failed(Cause::Retried, "not yet", at(now)));
        }
        // Something else may be half a write; if it stays, it is said.
        assert!(!patience.failed(Cause::Retried, "empty", at(6_005_000)));
        assert_eq!(patience.retry_at, Some(at(6_010_000)));
        assert!(patience.failed(Cause::Retried, "empty", at(6_010_000)));
        // So it is for one who asked.
        assert!(patience.failed(Cause::Asked, "empty", at(6_011_000)));
        assert_eq!(patience.retry_at, Some(at(6_071_000)));
        patience.succeeded();
        assert_eq!(patience.retry_at, None);
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
    #[test]
    fn a_request_outlives_a_cancelled_wait() {
        let folder = tempfile::tempdir().expect("a folder");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(1)
            .build()
            .expect("a runtime");
        // The files cannot be looked at before the only thread that may block is let go.
        let (let_go, held) = std::sync::mpsc::channel::<()>();
        let _holds = runtime.spawn_blocking(move || held.recv());
        runtime.block_on(async {
            let mut reloads = Reloads::new([folder.path().join("a")]);
            reloads.asked().notify_one();
            let once = std::future::poll_fn(|context| {
                let next = std::pin::pin!(reloads.next());
                std::task::Poll::Ready(next.poll(context).is_ready())
            });
            assert!(!once.await, "the files have been looked at");
            drop(let_go);
            let again = tokio::time::timeout(Duration::from_secs(30), reloads.next());
            assert_eq!(again.await.ok(), Some(Cause::Asked));
        });
    }
}
