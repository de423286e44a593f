//! The task that owns the openings: it binds and unbinds ports as connectors come and go, and keeps the store.

use std::{
    collections::HashSet,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use common::ids::{OpeningId, Uid};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};
use tracing::{info, warn};

use super::{
    CloseError, ManagerHandle, OpenError, Request, Shared, State, View,
    handle::Command,
    ports::Ports,
    table::{Table, Verdict},
};
use crate::{
    registry::{LiveSession, Registry},
    store::{Store, StoreError, StoredOpening},
};

/// Time between tries to bind ports that could not be bound.
const RETRY: Duration = Duration::from_secs(5);

/// The task.
#[derive(Debug)]
pub struct Manager {
    table: Table,
    ports: Ports,
    store: Arc<Store>,
    registry: Arc<Registry>,
    max_per_uid: usize,
    commands: mpsc::Receiver<Command>,
    /// Openings that are closed, as long as streams of theirs go on.
    closed: Vec<Arc<Shared>>,
    /// The timers that cut those streams.
    cutting: JoinSet<()>,
}

impl Manager {
    /// The task over the openings of the last run, and a handle to it.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub fn new(
        store: Store,
        registry: Arc<Registry>,
        max_per_uid: usize,
    ) -> Result<(Self, ManagerHandle), StoreError> {
        let mut table = Table::default();
        for stored in store.load()? {
            table.insert(Arc::new(Shared::new(stored)));
        }
        let (handle, commands) = ManagerHandle::new();
        let task = Self {
            table,
            ports: Ports::new(registry.clone()),
            store: Arc::new(store),
            registry,
            max_per_uid,
            commands,
            closed: Vec::new(),
            cutting: JoinSet::new(),
        };
        Ok((task, handle))
    }

    /// Runs until it is told to stop.
    pub async fn run(mut self) {
        let mut retry = interval(RETRY);
        retry.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let registry = self.registry.clone();
        loop {
            tokio::select! {
                command = self.commands.recv() => match command {
                    Some(Command::Open(request, answer)) => reply(answer, self.open(request).await),
                    Some(Command::Close(port, drain, answer)) => reply(answer, self.close(port, drain).await),
                    Some(Command::List(answer)) => reply(answer, self.list()),
                    Some(Command::Stop(answer)) => return reply(answer, self.stop().await),
                    None => return,
                },
                uids = registry.changes() => self.follow(uids).await,
                _ = retry.tick() => self.retry().await,
                Some(_) = self.cutting.join_next() => self.forget_closed(),
            }
        }
    }

    async fn open(&mut self, request: Request) -> Result<View, OpenError> {
        match self.table.judge(&request, self.max_per_uid) {
            Verdict::Same(opening) => return Ok(self.view(&opening)),
            Verdict::Conflict(holder) => {
                return Err(OpenError::Conflict(Box::new(self.view(&holder))));
            }
            Verdict::Full(count) => return Err(OpenError::Full(count)),
            Verdict::New => {}
        }
        let live = self.registry.get(&request.uid);
        let live = live.ok_or_else(|| OpenError::NotConnected(request.uid.to_string()))?;
        let address = SocketAddr::new(request.options.bind_address, request.port);
        let (listener, port) = self.reserve(address)?;
        let stored = StoredOpening {
            id: OpeningId::random(),
            port,
            uid: request.uid,
            target: request.target,
            options: request.options,
        };
        let openings = self.table.stored_with(Some(&stored), None);
        self.save(openings).await?;
        let opening = Arc::new(Shared::new(stored));
        self.table.insert(opening.clone());
        self.ports.serve(&opening, listener, &live);
        let stored = &opening.stored;
        info!(uid = %stored.uid, port, target = %stored.target, reason = ?stored.options.reason, "opening made");
        // The session may have ended while the store was written.
        self.reconcile(&opening).await;
        Ok(self.view(&opening))
    }

    /// Binds a port that no opening has. The kernel may give out, for port 0, one that a waiting opening will want back.
    fn reserve(&self, address: SocketAddr) -> Result<(TcpListener, u16), OpenError> {
        let mut taken = Vec::new();
        loop {
            let (listener, port) = Ports::reserve(address)?;
            if self.table.get(port).is_none() {
                return Ok((listener, port));
            }
            // Held until another one is found, so that it is not given out again.
            taken.push(listener);
        }
    }

    async fn close(&mut self, port: u16, drain: Duration) -> Result<View, CloseError> {
        let opening = self
            .table
            .get(port)
            .cloned()
            .ok_or(CloseError::Unknown(port))?;
        let id = opening.stored.id;
        let openings = self.table.stored_with(None, Some(id));
        self.save(openings).await?;
        let view = self.view(&opening);
        self.table.remove(port);
        self.ports.detach(id).await;
        info!(uid = %opening.stored.uid, port, target = %opening.stored.target, "opening closed");
        opening.streams.close();
        self.closed.push(opening.clone());
        self.cutting.spawn(async move {
            // Either way they have ended or must end now.
            let _ = tokio::time::timeout(drain, opening.streams.wait()).await;
            opening.cut.cancel();
            opening.streams.wait().await;
        });
        Ok(view)
    }

    fn list(&self) -> Vec<View> {
        self.table.all().map(|opening| self.view(opening)).collect()
    }

    async fn stop(&mut self) -> Vec<Arc<Shared>> {
        let mut openings: Vec<_> = self.table.all().cloned().collect();
        for opening in &openings {
            self.ports.detach(opening.stored.id).await;
        }
        openings.append(&mut self.closed);
        openings
    }

    /// Brings the ports of these UIDs in line with their sessions.
    async fn follow(&mut self, uids: HashSet<Uid>) {
        for uid in uids {
            let openings: Vec<_> = self.table.of(&uid).cloned().collect();
            for opening in openings {
                self.reconcile(&opening).await;
            }
        }
    }

    async fn retry(&mut self) {
        let failed = |opening: &&Arc<Shared>| {
            matches!(self.ports.state(opening.stored.id), State::Failed { .. })
        };
        let openings: Vec<_> = self.table.all().filter(failed).cloned().collect();
        for opening in openings {
            self.reconcile(&opening).await;
        }
    }

    /// Brings one port in line with the session of its UID, and logs what that changed.
    async fn reconcile(&mut self, opening: &Arc<Shared>) {
        let id = opening.stored.id;
        let before = self.ports.state(id);
        match self.live(opening) {
            Some(live) => self.ports.attach(opening, &live),
            None => self.ports.detach(id).await,
        }
        let after = self.ports.state(id);
        if after == before {
            return;
        }
        let (uid, port) = (&opening.stored.uid, opening.stored.port);
        match after {
            State::Listening => info!(%uid, port, "opening listens"),
            State::Waiting => info!(%uid, port, "opening waits for its connector"),
            State::Failed { error } => {
                warn!(%uid, port, error, "opening cannot listen; tried again every {RETRY:?}")
            }
        }
    }

    fn live(&self, opening: &Shared) -> Option<Arc<LiveSession>> {
        self.registry.get(&opening.stored.uid)
    }

    fn view(&self, opening: &Shared) -> View {
        View::new(opening, self.ports.state(opening.stored.id))
    }

    fn forget_closed(&mut self) {
        self.closed.retain(|opening| !opening.streams.is_empty());
    }

    /// Writes in a thread of its own. A slow disk holds up calls, but ports go on following their sessions.
    async fn save(&mut self, openings: Vec<StoredOpening>) -> Result<(), StoreError> {
        let store = self.store.clone();
        let mut saving = tokio::task::spawn_blocking(move || store.save(&openings));
        let registry = self.registry.clone();
        loop {
            tokio::select! {
                saved = &mut saving => return saved.expect("saving does not panic"),
                uids = registry.changes() => self.follow(uids).await,
            }
        }
    }
}

/// The caller may have hung up.
fn reply<T>(answer: oneshot::Sender<T>, value: T) {
    let _ = answer.send(value);
}
