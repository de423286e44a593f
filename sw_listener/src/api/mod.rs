//! The HTTP API: openings, connectors, health. Bodies are JSON, errors RFC 9457.

mod access;
mod body;
mod connectors;
mod health;
mod openings;
mod problem;
mod serve;

use std::sync::Arc;

use axum::{
    Router, middleware,
    routing::{delete, get, post},
};
use common::{shard::Shards, shutdown::Shutdown};

pub use self::{access::Access, serve::serve};
use crate::{opening::ManagerHandle, registry::Registry};

/// What the handlers share.
#[derive(Debug, Clone)]
pub struct ApiState {
    /// The openings.
    pub openings: ManagerHandle,
    /// The sessions.
    pub registry: Arc<Registry>,
    /// The data plane.
    pub shards: Arc<Shards>,
    /// Who may call.
    pub access: Arc<Access>,
    /// Whether the listener is stopping.
    pub shutdown: Shutdown,
}

/// All routes.
pub fn router(state: ApiState) -> Router {
    Router::new()
        .route("/open", post(openings::open))
        .route("/close", delete(openings::close))
        .route("/list", get(openings::list))
        .route("/connectors", get(connectors::list))
        .route("/connectors/{uid}", delete(connectors::kick))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .fallback(problem::no_such_path)
        .method_not_allowed_fallback(problem::wrong_method)
        .layer(middleware::from_fn_with_state(state.clone(), access::check))
        .with_state(state)
}
