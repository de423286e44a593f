//! Accepting connectors: from the first packet to a registered session.

pub mod expiring;
mod handshake;
pub mod quic;
mod register;

use std::{sync::Arc, time::Duration};

use common::{quiet::Quiet, session::quic::TransportSettings, shutdown::Shutdown};
use tokio_util::task::TaskTracker;

use self::expiring::Expiring;
use crate::{config::DuplicateUid, limits::Limits, policy::Policy, registry::Registry};

/// What every handshake needs.
#[derive(Debug)]
pub struct AcceptContext {
    /// Decides who gets in.
    pub policy: Policy,
    /// Where sessions are registered.
    pub registry: Arc<Registry>,
    /// What to do when a UID comes twice.
    pub duplicate_uid: DuplicateUid,
    /// Time limit of a handshake.
    pub deadline: Duration,
    /// With which connections are configured.
    pub transport: TransportSettings,
    /// How many streams sessions may have.
    pub limits: Limits,
    /// Sessions and handshakes.
    pub tasks: TaskTracker,
    /// Warns of connectors' certificates that end soon.
    pub expiring: Arc<Expiring>,
    /// Handshakes that lead to nothing.
    pub quiet: Quiet,
    /// When to stop.
    pub shutdown: Shutdown,
}
