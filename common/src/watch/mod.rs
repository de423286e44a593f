//! Watching files: says when the content of any of them has changed, however that was done.
//!
//! Files are replaced by a rename over them, by a symbolic link that is swapped (Kubernetes: `..data`; certbot: `live/`),
//! by writing into them, or with the folder that holds them. [`notices`] has the kernel tell of all that (inotify(7)) in
//! every folder that the paths lead through; a look every 10 s finds what file systems of other machines do not tell.
//! What counts in the end is the [`look`]: the bytes themselves.

mod look;
mod notices;
mod route;
mod settle;
#[cfg(test)]
mod tests;

use std::{path::PathBuf, sync::Arc, time::Duration};

use tokio::{
    task::spawn_blocking,
    time::{Instant, sleep_until},
};

use self::{look::Look, notices::Notices, settle::Settle};

/// How long things take.
#[derive(Debug, Clone, Copy)]
struct Times {
    /// After so long without another sign of change it is over.
    quiet: Duration,
    /// After so long it is taken to be over.
    most: Duration,
    /// Between two looks without any sign.
    poll: Duration,
}

const TIMES: Times = Times {
    quiet: Duration::from_millis(300),
    most: Duration::from_secs(3),
    poll: Duration::from_secs(10),
};

/// Watches a set of files. It has no thread of its own; dropping it ends it.
#[derive(Debug)]
pub struct Watch {
    paths: Arc<[PathBuf]>,
    notices: Option<Arc<Notices>>,
    times: Times,
    /// What [`Self::changed`] has last told of.
    told: Look,
    /// A change that goes on.
    settle: Option<Settle>,
    /// What the look saw that found a change which nobody had told of.
    moving: Option<Look>,
    next_look: Instant,
}

impl Watch {
    /// Watches these files from now on; they need not exist. Make it before the files are read: what changes in between
    /// is then told of.
    ///
    /// Without inotify (its limits are used up) it only looks every 10 s, and has logged so.
    ///
    /// # Panics
    /// Outside of a runtime.
    pub fn new(paths: impl IntoIterator<Item = PathBuf>) -> Self {
        Self::with(paths, TIMES, Notices::new().map(Arc::new))
    }

    fn with(
        paths: impl IntoIterator<Item = PathBuf>,
        times: Times,
        notices: Option<Arc<Notices>>,
    ) -> Self {
        let paths: Arc<[PathBuf]> = paths.into_iter().collect();
        let told = look(notices.as_deref(), &paths, None);
        Self {
            paths,
            notices,
            times,
            told,
            settle: None,
            moving: None,
            next_look: Instant::now() + times.poll,
        }
    }

    /// Watches other files instead, as they are now. Reads them, so it blocks for as long as their file system does.
    pub fn set_paths(&mut self, paths: impl IntoIterator<Item = PathBuf>) {
        self.paths = paths.into_iter().collect();
        self.told = look(self.notices.as_deref(), &self.paths, None);
        self.calm();
    }

    /// Takes what the files hold now as told: for a caller that is about to read them anyway.
    ///
    /// # Cancel safety
    /// Cancel safe: nothing has then been taken.
    pub async fn catch_up(&mut self) {
        if let Some(found) = self.look(false).await {
            self.told = found;
            self.calm();
        }
    }

    /// Completes once for every change of content or permission bits, when it has settled: after 300 ms of quiet, but at
    /// the latest after 3 s.
    ///
    /// # Cancel safety
    /// Cancel safe: a change that was not told stays to be told.
    pub async fn changed(&mut self) {
        loop {
            let due = self
                .settle
                .as_ref()
                .map_or(self.next_look, |settle| settle.due(&self.times));
            let notices = self.notices.clone();
            tokio::select! {
                () = notice(notices.as_deref()) => self.moved(),
                () = sleep_until(due) => {
                    if self.judge().await {
                        return;
                    }
                }
            }
        }
    }

    /// Looks, because it is time to: whether there is something to tell.
    async fn judge(&mut self) -> bool {
        let by_itself = self.settle.is_none();
        let Some(found) = self.look(by_itself).await else {
            self.calm();
            return false;
        };
        if found == self.told {
            // The file is the same, but may have another age.
            self.told = found;
            self.calm();
            return false;
        }
        // Nobody tells when this change is over: it is when two looks see the same.
        let unannounced = by_itself || self.moving.is_some();
        let late = self.settle.as_ref().is_some_and(|s| s.is_late(&self.times));
        if unannounced && !late && self.moving.as_ref() != Some(&found) {
            self.moved();
            self.moving = Some(found);
            return false;
        }
        self.told = found;
        self.calm();
        true
    }

    fn moved(&mut self) {
        let now = Instant::now();
        match &mut self.settle {
            Some(settle) => settle.moved(now),
            None => self.settle = Some(Settle::new(now)),
        }
    }

    fn calm(&mut self) {
        self.settle = None;
        self.moving = None;
        self.next_look = Instant::now() + self.times.poll;
    }

    /// Reads the files in a thread that may be held up by their file system. `None` when the runtime ends.
    async fn look(&self, lazily: bool) -> Option<Look> {
        let (notices, paths) = (self.notices.clone(), self.paths.clone());
        let before = lazily.then(|| self.told.clone());
        let looking = spawn_blocking(move || look(notices.as_deref(), &paths, before.as_ref()));
        looking.await.ok()
    }
}

/// The kernel's word first, so that what happens after the look is not missed.
fn look(notices: Option<&Notices>, paths: &[PathBuf], before: Option<&Look>) -> Look {
    if let Some(notices) = notices {
        notices.follow(paths);
    }
    match before {
        Some(before) => before.again(paths),
        None => Look::at(paths),
    }
}

async fn notice(notices: Option<&Notices>) {
    match notices {
        Some(notices) => notices.next().await,
        None => std::future::pending().await,
    }
}
