//! The registry: which session a UID has now. At most one, and only one that holds a [`Permit`].

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, SystemTime},
};

use common::{
    ids::{SessionId, Uid},
    session::{Session, control::ControlHandle},
    shard::Seat,
    wire::control::Hello,
};
use tokio::sync::Notify;

use crate::{identity::Identity, limits::StreamLimits, policy::Permit, traffic::Traffic};

/// A session with all that the listener knows of it.
#[derive(Debug)]
pub struct LiveSession {
    /// Its name.
    pub id: SessionId,
    /// Who it belongs to.
    pub identity: Identity,
    /// The carrier.
    pub session: Session,
    /// The control stream; `None` in protocol 1.
    pub control: Option<ControlHandle>,
    /// What the connector said of itself; `None` in protocol 1.
    pub hello: Option<Hello>,
    /// Where its work is done.
    pub seat: Seat,
    /// When it was accepted.
    pub since: SystemTime,
    /// Its streams.
    pub traffic: Arc<Traffic>,
    /// How many they may be.
    pub limits: StreamLimits,
}

impl LiveSession {
    /// The UID.
    pub fn uid(&self) -> &Uid {
        &self.identity.uid
    }

    /// Whether the connector answers in time: its control loop in protocol 2, its carrier in protocol 1.
    pub async fn is_alive(&self, within: Duration) -> bool {
        match &self.control {
            Some(control) => control.ping(within).await,
            None => self.session.answers(within).await,
        }
    }
}

/// UIDs and their sessions.
#[derive(Debug, Default)]
pub struct Registry {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    sessions: HashMap<Uid, Arc<LiveSession>>,
    changed: HashSet<Uid>,
}

/// A session's place in the registry; dropping it takes the session out, but never a successor.
#[derive(Debug)]
pub struct Registration {
    registry: Arc<Registry>,
    uid: Uid,
    id: SessionId,
}

/// Why a session was not registered.
#[derive(Debug)]
pub struct Occupied {
    /// The session that holds the UID.
    pub holder: Arc<LiveSession>,
    /// The permit, for the next try.
    pub permit: Permit,
}

impl Registry {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .expect("nothing panics while it holds this lock")
    }

    /// Registers a session. `evict`: a session that may be taken out for it, which the caller has found dead or has been
    /// told to replace.
    ///
    /// # Errors
    /// [`Occupied`] when another session than `evict` holds the UID.
    pub fn register(
        self: &Arc<Self>,
        permit: Permit,
        live: &Arc<LiveSession>,
        evict: Option<SessionId>,
    ) -> Result<Registration, Occupied> {
        let uid = permit.identity().uid.clone();
        let mut state = self.lock();
        if let Some(holder) = state.sessions.get(&uid)
            && Some(holder.id) != evict
        {
            let holder = holder.clone();
            drop(state);
            return Err(Occupied { holder, permit });
        }
        state.sessions.insert(uid.clone(), live.clone());
        state.changed.insert(uid.clone());
        drop(state);
        self.changed.notify_one();
        Ok(Registration {
            registry: self.clone(),
            uid,
            id: live.id,
        })
    }

    /// The session of a UID.
    pub fn get(&self, uid: &Uid) -> Option<Arc<LiveSession>> {
        self.lock().sessions.get(uid).cloned()
    }

    /// All sessions, ordered by UID.
    pub fn all(&self) -> Vec<Arc<LiveSession>> {
        let mut all: Vec<_> = self.lock().sessions.values().cloned().collect();
        all.sort_by(|a, b| a.uid().cmp(b.uid()));
        all
    }

    /// Waits for changes: the UIDs whose session has come, gone or been replaced since the last call.
    ///
    /// # Cancel safety
    /// Cancel safe: a change that nobody took stays.
    pub async fn changes(&self) -> HashSet<Uid> {
        loop {
            let changed = std::mem::take(&mut self.lock().changed);
            if !changed.is_empty() {
                return changed;
            }
            self.changed.notified().await;
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut state = self.registry.lock();
        let ours = state
            .sessions
            .get(&self.uid)
            .is_some_and(|live| live.id == self.id);
        if ours {
            state.sessions.remove(&self.uid);
            state.changed.insert(self.uid.clone());
        }
        drop(state);
        self.registry.changed.notify_one();
    }
}
