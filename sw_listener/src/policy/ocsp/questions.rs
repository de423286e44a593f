//! Questions under way: one per certificate, a bounded number in all, each ending after a bounded time.

use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    runtime::Handle,
    sync::{Semaphore, watch},
    task::JoinSet,
    time,
};

use super::{cache::Key, finding::OcspFinding};

/// Questions that are asked at the same time: a socket each.
const AT_ONCE: usize = 32;
/// Questions that are asked or wait for their turn.
const MAX_UNDER_WAY: usize = 4096;
/// Time limit of a question: its turn, and up to three responders.
const DEADLINE: Duration = Duration::from_secs(10);

/// How a question has ended.
pub(super) type Outcome = Result<(), OcspFinding>;

/// Why a question has no outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotAsked {
    TooMany,
    TooSlow,
    GivenUp,
}

type Ended = Option<Result<Outcome, NotAsked>>;
type UnderWay = Arc<Mutex<HashMap<Key, watch::Receiver<Ended>>>>;

/// The questions under way. Dropping it gives them up.
#[derive(Debug)]
pub(super) struct Questions {
    under_way: UnderWay,
    turns: Arc<Semaphore>,
    tasks: Mutex<JoinSet<()>>,
    runtime: Handle,
}

/// Takes a question out when it has ended, however that came.
struct Place {
    under_way: UnderWay,
    key: Key,
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.under_way).remove(&self.key);
    }
}

impl Questions {
    /// Questions are asked on this runtime, and live on when those who wait for the outcome go away.
    pub(super) fn new(runtime: Handle) -> Self {
        Self {
            under_way: UnderWay::default(),
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            tasks: Mutex::default(),
            runtime,
        }
    }

    /// The outcome of the question about this certificate: of the one under way, or else of `question`.
    ///
    /// # Cancel safety
    /// The question goes on when the future is dropped.
    pub(super) async fn outcome(
        &self,
        key: Key,
        question: impl Future<Output = Outcome> + Send + 'static,
    ) -> Result<Outcome, NotAsked> {
        let mut ended = self.join(key, question)?;
        let ended = ended.wait_for(Option::is_some).await;
        ended.map_or(Err(NotAsked::GivenUp), |ended| {
            ended.clone().unwrap_or(Err(NotAsked::GivenUp))
        })
    }

    fn join(
        &self,
        key: Key,
        question: impl Future<Output = Outcome> + Send + 'static,
    ) -> Result<watch::Receiver<Ended>, NotAsked> {
        let mut under_way = lock(&self.under_way);
        if let Some(ended) = under_way.get(&key) {
            return Ok(ended.clone());
        }
        if under_way.len() >= MAX_UNDER_WAY {
            return Err(NotAsked::TooMany);
        }
        let (tell, ended) = watch::channel(None);
        under_way.insert(key, ended.clone());
        drop(under_way);
        let place = Place {
            under_way: Arc::clone(&self.under_way),
            key,
        };
        let turns = Arc::clone(&self.turns);
        let task = async move {
            let question = async {
                let _turn = turns.acquire().await.map_err(|_| NotAsked::GivenUp)?;
                Ok(question.await)
            };
            let outcome = time::timeout(DEADLINE, question).await;
            // Whoever comes from now on finds the outcome in the cache.
            drop(place);
            tell.send_replace(Some(outcome.unwrap_or(Err(NotAsked::TooSlow))));
        };
        let mut tasks = lock(&self.tasks);
        while tasks.try_join_next().is_some() {}
        tasks.spawn_on(task, &self.runtime);
        Ok(ended)
    }
}

/// What the locks guard is right at every step, so a panic elsewhere spoils nothing.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
