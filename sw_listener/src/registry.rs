//! The registry: which session a UID has now. At most one, and only one that holds a [`Permit`].
//!
//! Sessions that take no new streams but finish their own are *retired*: those that have handed over to a successor, and
//! those that their connector drains. They stay here for as long as they live, for whoever judges or closes sessions.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, SystemTime},
};

use common::{
    ids::{SessionId, Uid},
    session::{Session, control::ControlHandle},
    shard::Seat,
    wire::{close::CloseCode, control::Hello},
};
use thiserror::Error;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::{
    identity::Identity, limits::StreamLimits, policy::Permit, succession::Succession,
    traffic::Traffic,
};

/// Retired sessions that a UID may have when another one is to hand over: each holds a connection and its streams.
pub const MAX_RETIRED: usize = 8;

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
    /// Cancelled when it has handed over to a successor.
    pub handed_over: CancellationToken,
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
    retired: HashMap<Uid, Vec<Arc<LiveSession>>>,
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

/// Why a session did not take over from another.
#[derive(Debug, Error)]
pub enum HandOverError {
    /// The other session does not hold the UID any more.
    #[error("the session that was to hand over has lost the UID")]
    Gone(Permit),
    /// Too many sessions of the UID have not finished their streams.
    #[error("{MAX_RETIRED} earlier sessions of the UID have not finished their streams yet")]
    Full,
}

impl State {
    /// Retires a session. Returns the oldest retired one when there are too many, which is not kept any more.
    fn retire(&mut self, uid: &Uid, live: Arc<LiveSession>) -> Option<Arc<LiveSession>> {
        let retired = self.retired.entry(uid.clone()).or_default();
        retired.push(live);
        (retired.len() > MAX_RETIRED).then(|| retired.remove(0))
    }
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

    /// Registers a session in place of the one that it succeeds, which is retired.
    ///
    /// # Errors
    /// [`HandOverError`].
    pub fn hand_over(
        self: &Arc<Self>,
        permit: Permit,
        live: &Arc<LiveSession>,
        succession: &Succession,
    ) -> Result<Registration, HandOverError> {
        let uid = succession.uid().clone();
        let mut state = self.lock();
        let holder = state.sessions.get(&uid);
        let old = holder.filter(|holder| holder.id == succession.from());
        let Some(old) = old.filter(|_| permit.identity().uid == uid).cloned() else {
            return Err(HandOverError::Gone(permit));
        };
        if state.retired.get(&uid).map_or(0, Vec::len) >= MAX_RETIRED {
            return Err(HandOverError::Full);
        }
        state.sessions.insert(uid.clone(), live.clone());
        // There is room: it was looked for.
        let _ = state.retire(&uid, old.clone());
        state.changed.insert(uid.clone());
        drop(state);
        old.handed_over.cancel();
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

    /// The retired sessions of a UID, the oldest first.
    pub fn retired(&self, uid: &Uid) -> Vec<Arc<LiveSession>> {
        self.lock().retired.get(uid).cloned().unwrap_or_default()
    }

    /// All sessions, retired ones included.
    pub fn everyone(&self) -> Vec<Arc<LiveSession>> {
        let state = self.lock();
        let retired = state.retired.values().flatten();
        state.sessions.values().chain(retired).cloned().collect()
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

impl Registration {
    /// Retires the session: the UID is free, while the session goes on. Of more than [`MAX_RETIRED`] the oldest is closed.
    pub fn retire(&self) {
        let mut state = self.registry.lock();
        let Some(live) = self.take(&mut state) else {
            return;
        };
        let too_many = state.retire(&self.uid, live);
        drop(state);
        if let Some(oldest) = too_many {
            warn!(uid = %self.uid, session = %oldest.id, "too many sessions finish their streams: closing the oldest");
            oldest.session.close(CloseCode::Limit);
        }
        self.registry.changed.notify_one();
    }

    /// Takes the UID from the session, if it has it.
    fn take(&self, state: &mut State) -> Option<Arc<LiveSession>> {
        let live = state.sessions.get(&self.uid)?;
        if live.id != self.id {
            return None;
        }
        state.changed.insert(self.uid.clone());
        state.sessions.remove(&self.uid)
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut state = self.registry.lock();
        let live = self.take(&mut state);
        if let Some(retired) = state.retired.get_mut(&self.uid) {
            retired.retain(|live| live.id != self.id);
            if retired.is_empty() {
                state.retired.remove(&self.uid);
            }
        }
        drop(state);
        if live.is_some() {
            self.registry.changed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests;
