//! An opening as the API shows it.

use std::sync::atomic::Ordering::Relaxed;

use common::ids::{OpeningId, Uid};
use serde::Serialize;

use super::{Options, Shared};

/// Whether clients can come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// The connector is there and the port is bound.
    Listening,
    /// The connector is away; the port is not bound, so clients are refused at once.
    Waiting,
    /// The connector is there, but the port could not be bound; it is tried again.
    Failed {
        /// Why.
        error: String,
    },
}

/// The fields of 1.x first, then the rest.
#[derive(Debug, Clone, Serialize)]
pub struct View {
    /// The port.
    pub port: u16,
    /// Whose connector dials.
    pub uid: Uid,
    /// The host that it dials.
    pub connect_address: String,
    /// The port that it dials.
    pub connect_port: u16,
    /// The opening's name in the logs.
    pub id: OpeningId,
    /// Whether clients can come.
    #[serde(flatten)]
    pub state: State,
    /// Its options.
    #[serde(flatten)]
    pub options: Options,
    /// Clients now.
    pub connections: usize,
    /// Clients so far.
    pub connections_total: u64,
    /// Clients turned away by `allow_sources` or `max_connections`.
    pub denied_total: u64,
    /// Clients reset because the target could not be reached.
    pub refused_total: u64,
    /// Bytes from clients to the target.
    pub bytes_up: u64,
    /// Bytes from the target to clients.
    pub bytes_down: u64,
}

impl View {
    pub(super) fn new(opening: &Shared, state: State) -> Self {
        let (stored, counters) = (&opening.stored, &opening.counters);
        let bytes = opening.traffic.bytes();
        Self {
            port: stored.port,
            uid: stored.uid.clone(),
            connect_address: stored.target.host().to_string(),
            connect_port: stored.target.port(),
            id: stored.id,
            state,
            options: stored.options.clone(),
            connections: opening.traffic.running(),
            connections_total: opening.traffic.total(),
            denied_total: counters.denied.load(Relaxed),
            refused_total: counters.refused.load(Relaxed),
            bytes_up: bytes.up,
            bytes_down: bytes.down,
        }
    }
}
