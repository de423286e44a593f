//! The task that keeps the lists: reads files, fetches addresses, publishes snapshots. It lives on the control plane.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use common::errors;
use rustls::{crypto::WebPkiSupportedAlgorithms, pki_types::CertificateDer};
use tokio::{
    sync::{Notify, mpsc, watch},
    task::{self, JoinSet},
    time::{Instant, sleep_until},
};
use tokio_util::task::AbortOnDropHandle;
use tracing::warn;

use super::{
    Cache, CrlSnapshot, CrlStatus, CrlUrl, List, Received, Schedule, Shelf, SourceError,
    distribution, handle::CrlHandle, source, status::Health,
};
use crate::{
    config::CrlConfig,
    policy::{chain::Issuer, fetch::Fetcher},
};

/// New CAs that wait for the keeper; those beyond it are told again by the next check.
const MET: usize = 64;
/// How often lists that wait for their time are looked at.
const SETTLE: Duration = Duration::from_secs(60);

/// What a keeper needs.
#[derive(Debug)]
pub struct CrlSetup {
    /// Sources and schedule.
    pub config: CrlConfig,
    /// Where lists are kept over restarts; `None`: nowhere.
    pub state_dir: Option<PathBuf>,
    /// The CA bundle, DER.
    pub authorities: Vec<CertificateDer<'static>>,
    /// The signatures that count.
    pub supported: WebPkiSupportedAlgorithms,
    /// Asks the servers.
    pub fetcher: Fetcher,
}

/// A file of the settings.
struct FileSource {
    path: PathBuf,
    health: Health,
}

/// An address of the settings.
struct UrlSource {
    url: CrlUrl,
    health: Health,
    schedule: Schedule,
    /// When to fetch; `None` while it is being fetched.
    due: Option<Instant>,
    /// To be fetched again at once: what is on its way may be from before the change.
    again: bool,
}

type Fetched = (usize, Result<Vec<Arc<List>>, SourceError>);

/// Keeps the lists.
pub struct CrlKeeper {
    shelf: Shelf,
    files: Vec<FileSource>,
    urls: Vec<UrlSource>,
    fetching: JoinSet<Fetched>,
    cache: Option<Cache>,
    supported: WebPkiSupportedAlgorithms,
    fetcher: Fetcher,
    snapshots: watch::Sender<Arc<CrlSnapshot>>,
    status: watch::Sender<Arc<CrlStatus>>,
    published: u64,
    reloads: u64,
    asked: Arc<Notify>,
    bundle: watch::Receiver<Vec<CertificateDer<'static>>>,
    met: mpsc::Receiver<Issuer>,
}

impl CrlKeeper {
    /// Reads what was kept and the files. What cannot be read is logged: certificates of its CA are refused until it can.
    pub async fn start(setup: CrlSetup) -> (Self, CrlHandle) {
        let shelf = Shelf::new(setup.supported);
        let (snapshots, snapshots_seen) = watch::channel(Arc::new(shelf.snapshot()));
        let (status, status_seen) = watch::channel(Arc::default());
        let (bundle, bundle_seen) = watch::channel(setup.authorities);
        let (tell_met, met) = mpsc::channel(MET);
        let asked = Arc::<Notify>::default();
        let handle = CrlHandle {
            snapshots: snapshots_seen,
            status: status_seen,
            asked: asked.clone(),
            bundle,
            met: tell_met,
            scope: setup.config.scope,
        };
        let mut keeper = Self {
            shelf,
            files: setup
                .config
                .paths
                .into_iter()
                .map(FileSource::new)
                .collect(),
            urls: url_sources(setup.config.urls, setup.config.refresh),
            fetching: JoinSet::new(),
            cache: None,
            supported: setup.supported,
            fetcher: setup.fetcher,
            snapshots,
            status,
            published: 0,
            reloads: 0,
            asked,
            bundle: bundle_seen,
            met,
        };
        keeper.open_cache(setup.state_dir).await;
        keeper.take_authorities().await;
        keeper.read_files().await;
        keeper.publish();
        (keeper, handle)
    }

    /// Works until the last handle is gone.
    pub async fn run(mut self) {
        loop {
            self.fetch_due();
            let wake = self.urls.iter().filter_map(|url| url.due).min();
            let settle = Instant::now() + SETTLE;
            tokio::select! {
                met = self.met.recv() => match met {
                    Some(issuer) => {
                        let received = self.shelf.learn(issuer, SystemTime::now());
                        self.keep(received).await;
                    }
                    None => return,
                },
                () = self.asked.notified() => self.reload().await,
                Ok(()) = self.bundle.changed() => self.take_authorities().await,
                Some(fetched) = self.fetching.join_next() => {
                    // It never panics, see `contained`.
                    if let Ok((index, result)) = fetched {
                        self.fetched(index, result).await;
                    }
                }
                () = sleep_until(wake.map_or(settle, |wake| wake.min(settle))) => {
                    let received = self.shelf.settle(SystemTime::now());
                    self.keep(received).await;
                }
            }
            self.publish();
        }
    }

    async fn reload(&mut self) {
        self.read_files().await;
        for url in &mut self.urls {
            url.again = url.due.is_none();
            url.due = url.due.map(|_| Instant::now());
        }
        self.reloads += 1;
    }

    async fn take_authorities(&mut self) {
        let bundle = self.bundle.borrow_and_update().clone();
        let received = self.shelf.set_authorities(&bundle, SystemTime::now());
        self.keep(received).await;
    }

    async fn open_cache(&mut self, state_dir: Option<PathBuf>) {
        let Some(folder) = state_dir else { return };
        let opening = task::spawn_blocking(move || {
            let cache = Cache::open(&folder)?;
            let loaded = cache.load();
            Ok::<_, super::CacheError>((cache, loaded))
        });
        let Ok(opened) = opening.await else { return };
        let (cache, (kept, problems)) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                warn!(
                    error = errors::chain(&error),
                    "CRLs are not kept over restarts"
                );
                return;
            }
        };
        for problem in problems {
            warn!(error = errors::chain(&problem), "a kept CRL is not used");
        }
        for one in kept {
            let source: Arc<str> = one.path.display().to_string().into();
            if !self.shelf.restore(&source, one.issuer, one.list) {
                warn!(path = %source, "a kept CRL is not used: its signature is wrong");
            }
        }
        self.cache = Some(cache);
    }

    async fn read_files(&mut self) {
        for index in 0..self.files.len() {
            let path = self.files[index].path.clone();
            let (known, supported) = (self.shelf.known().clone(), self.supported);
            let reading = task::spawn_blocking(move || {
                let lists = source::read_file(&path)?;
                Ok(distribution::prove(lists, &known, &supported))
            });
            let result = reading.await.unwrap_or(Err(SourceError::GivenUp));
            let now = SystemTime::now();
            let name = self.files[index].health.status.source.clone();
            let (received, problem) =
                take(&mut self.shelf, &name, result.map(|lists| (lists, now)));
            let health = &mut self.files[index].health;
            match problem {
                None => health.good(now, None),
                Some(problem) => health.failed(problem, None),
            }
            self.keep(received).await;
        }
    }

    fn fetch_due(&mut self) {
        let now = Instant::now();
        for (index, source) in self.urls.iter_mut().enumerate() {
            if source.due.is_none_or(|due| due > now) {
                continue;
            }
            source.due = None;
            let (known, url) = (self.shelf.known().clone(), source.url.clone());
            let fetching = distribution::fetch(self.fetcher.clone(), url, known, self.supported);
            self.fetching.spawn(contained(index, fetching));
        }
    }

    async fn fetched(&mut self, index: usize, result: Result<Vec<Arc<List>>, SourceError>) {
        let now = SystemTime::now();
        let source = &mut self.urls[index];
        let ends = result.iter().flatten().map(|list| list.next_update()).min();
        let over = result
            .iter()
            .flatten()
            .find(|list| list.next_update() < now);
        let over = over.map(|list| SourceError::Expired(list.issuer_text()).to_string());
        let name = source.health.status.source.clone();
        let (received, problem) = take(&mut self.shelf, &name, result.map(|lists| (lists, now)));
        let wait = match (problem.or(over), ends) {
            (None, Some(ends)) => {
                let wait = source.schedule.after_success(ends, now, rand::random());
                source.health.good(now, Some(wait));
                wait
            }
            (problem, _) => {
                let wait = source.schedule.after_failure(rand::random());
                source
                    .health
                    .failed(problem.unwrap_or_default(), Some(wait));
                wait
            }
        };
        let again = std::mem::take(&mut source.again);
        source.due = Some(Instant::now() + if again { Duration::ZERO } else { wait });
        self.keep(received).await;
    }

    /// Publishes, then writes newer lists to the state folder.
    async fn keep(&mut self, received: Received) {
        // A revocation does not wait for the disk.
        self.publish();
        let Some(cache) = &self.cache else { return };
        for issuer in received.newer {
            let Some(list) = self.shelf.list(&issuer).cloned() else {
                continue;
            };
            let cache = cache.clone();
            let saving = task::spawn_blocking(move || cache.save(&issuer, &list));
            if let Ok(Err(error)) = saving.await {
                warn!(
                    error = errors::chain(&error),
                    "a CRL is not kept for the next start"
                );
            }
        }
    }

    fn publish(&mut self) {
        let snapshot = self.shelf.snapshot();
        let files = self.files.iter().map(|file| &file.health);
        let health = files.chain(self.urls.iter().map(|url| &url.health));
        self.status.send_replace(Arc::new(CrlStatus {
            reloads: self.reloads,
            facts: snapshot.facts(),
            sources: health.map(|health| health.status.clone()).collect(),
        }));
        if self.published != self.shelf.revision() {
            self.published = self.shelf.revision();
            self.snapshots.send_replace(Arc::new(snapshot));
        }
    }
}

/// A fetch that panics has failed, and is tried again: a task that just ended would leave its address alone for ever.
async fn contained(
    index: usize,
    fetching: impl Future<Output = Result<Vec<Arc<List>>, SourceError>> + Send + 'static,
) -> Fetched {
    let fetching = AbortOnDropHandle::new(tokio::spawn(fetching));
    (index, fetching.await.unwrap_or(Err(SourceError::Broken)))
}

impl FileSource {
    fn new(path: PathBuf) -> Self {
        let health = Health::new(path.display().to_string().into());
        Self { path, health }
    }
}

fn url_sources(urls: Vec<CrlUrl>, refresh: Duration) -> Vec<UrlSource> {
    let sources = urls.into_iter().map(|url| UrlSource {
        health: Health::new(url.to_string().into()),
        schedule: Schedule::new(refresh),
        due: Some(Instant::now()),
        again: false,
        url,
    });
    sources.collect()
}

/// Puts what a source gave on the shelf, and says what is wrong with it.
fn take(
    shelf: &mut Shelf,
    source: &Arc<str>,
    result: Result<(Vec<Arc<List>>, SystemTime), SourceError>,
) -> (Received, Option<String>) {
    match result {
        Ok((lists, now)) => {
            let received = shelf.receive(source, lists, now);
            let problem = received.refused.first().map(ToString::to_string);
            (received, problem)
        }
        Err(error) => (Received::default(), Some(errors::chain(&error))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_fetch_that_panics_has_failed() {
        let (index, result) = contained(7, async { panic!("a bug") }).await;
        assert_eq!(index, 7);
        assert!(matches!(result, Err(SourceError::Broken)));
    }
}
