//! The ports that are bound, and the accept loops behind them.

use std::{
    collections::HashMap,
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
};

use common::ids::{OpeningId, SessionId};
use tokio_util::task::AbortOnDropHandle;

use super::{BindError, Shared, State, accept, bind, stream::Serving};
use crate::registry::{LiveSession, Registry};

/// Which openings have a port, and which should have one.
#[derive(Debug)]
pub(super) struct Ports {
    registry: Arc<Registry>,
    bound: HashMap<OpeningId, Bound>,
    failed: HashMap<OpeningId, String>,
}

#[derive(Debug)]
struct Bound {
    /// Kept besides the accept loop's own handle, so that a new session takes over without a gap.
    listener: TcpListener,
    session: SessionId,
    accepting: AbortOnDropHandle<io::Result<()>>,
}

impl Ports {
    pub(super) fn new(registry: Arc<Registry>) -> Self {
        Self {
            registry,
            bound: HashMap::new(),
            failed: HashMap::new(),
        }
    }

    /// Binds the port of an opening that is yet to be made: the listener and the port, never 0.
    pub(super) fn reserve(address: SocketAddr) -> Result<(TcpListener, u16), BindError> {
        let listener = bind::bind(address)?;
        let local = listener.local_addr();
        let port = local.map_err(|source| BindError::Other { address, source })?;
        Ok((listener, port.port()))
    }

    /// Lets a session serve an opening; binds its port if need be. What fails shows in [`Self::state`].
    pub(super) fn attach(&mut self, opening: &Arc<Shared>, live: &Arc<LiveSession>) {
        let id = opening.stored.id;
        let address = SocketAddr::new(opening.stored.options.bind_address, opening.stored.port);
        let listener = match self.bound.remove(&id) {
            Some(bound) if bound.session == live.id && !bound.accepting.is_finished() => {
                self.bound.insert(id, bound);
                return;
            }
            Some(bound) => Ok(bound.listener),
            None => bind::bind(address),
        };
        match listener {
            Ok(listener) => self.serve(opening, listener, live),
            Err(error) => {
                self.failed.insert(id, error.to_string());
            }
        }
    }

    /// Lets a session serve an opening on a port that is bound.
    pub(super) fn serve(
        &mut self,
        opening: &Arc<Shared>,
        listener: TcpListener,
        live: &Arc<LiveSession>,
    ) {
        let id = opening.stored.id;
        let own = match listener.try_clone() {
            Ok(own) => own,
            Err(error) => {
                self.failed.insert(id, error.to_string());
                return;
            }
        };
        let serving = Serving {
            opening: opening.clone(),
            live: live.clone(),
            registry: self.registry.clone(),
        };
        let task = accept::run(own, serving);
        let bound = Bound {
            listener,
            session: live.id,
            accepting: live.seat.shard().spawn(task),
        };
        self.failed.remove(&id);
        self.bound.insert(id, bound);
    }

    /// Closes the port of an opening: when it returns, clients are refused.
    pub(super) async fn detach(&mut self, id: OpeningId) {
        self.failed.remove(&id);
        let Some(bound) = self.bound.remove(&id) else {
            return;
        };
        bound.accepting.abort();
        // Aborted, or ended by itself: either way it holds the port no longer.
        let _ = bound.accepting.await;
    }

    /// Whether clients of an opening can come.
    pub(super) fn state(&self, id: OpeningId) -> State {
        if let Some(error) = self.failed.get(&id) {
            let error = error.clone();
            return State::Failed { error };
        }
        match self.bound.get(&id) {
            None => State::Waiting,
            Some(bound) if bound.accepting.is_finished() => State::Failed {
                error: "the accept loop ended".to_owned(),
            },
            Some(_) => State::Listening,
        }
    }
}
