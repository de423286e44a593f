//! `GET /connectors`, `DELETE /connectors/{uid}`.

use std::{net::SocketAddr, sync::Arc, time::SystemTime};

use axum::{
    Json,
    extract::{Path, State, rejection::PathRejection},
    http::StatusCode,
};
use common::{
    ids::{SessionId, Uid},
    wire::close::CloseCode,
};
use serde::Serialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tracing::info;

use super::{ApiState, problem::Problem};
use crate::registry::{LiveSession, Registry};

/// A session as the API shows it. Times are RFC 3339, UTC.
#[derive(Debug, Serialize)]
pub(super) struct View {
    uid: Uid,
    session: SessionId,
    address: SocketAddr,
    carrier: &'static str,
    protocol: u8,
    hostname: Option<String>,
    version: Option<String>,
    certificate_serial: String,
    certificate_not_after: Option<String>,
    certificate_sha256: String,
    since: Option<String>,
    rtt_ms: f64,
    streams: usize,
    streams_total: u64,
    bytes_up: u64,
    bytes_down: u64,
    /// Earlier sessions of the UID that take no new streams and finish their own.
    retired: usize,
}

impl View {
    fn new(live: &LiveSession, registry: &Registry) -> Self {
        let (identity, bytes) = (&live.identity, live.traffic.bytes());
        let not_after = OffsetDateTime::from_unix_timestamp(identity.not_after);
        Self {
            uid: live.uid().clone(),
            session: live.id,
            address: live.session.peer_address(),
            carrier: live.session.carrier(),
            protocol: live.session.protocol().number(),
            hostname: live.hello.as_ref().map(|hello| hello.hostname.clone()),
            version: live.hello.as_ref().map(|hello| hello.software.clone()),
            certificate_serial: identity.serial.clone(),
            certificate_not_after: not_after.ok().and_then(rfc3339),
            certificate_sha256: identity.fingerprint.clone(),
            since: rfc3339(to_seconds(live.since)),
            rtt_ms: live.session.rtt().as_secs_f64() * 1000.0,
            streams: live.traffic.running(),
            streams_total: live.traffic.total(),
            bytes_up: bytes.up,
            bytes_down: bytes.down,
            retired: registry.retired(live.uid()).len(),
        }
    }
}

fn rfc3339(at: OffsetDateTime) -> Option<String> {
    at.format(&Rfc3339).ok()
}

fn to_seconds(at: SystemTime) -> OffsetDateTime {
    let at = OffsetDateTime::from(at);
    at.replace_nanosecond(0).unwrap_or(at)
}

pub(super) async fn list(State(state): State<ApiState>) -> Json<Vec<View>> {
    let registry = &state.registry;
    let sessions = registry.all();
    let view = |live: &Arc<LiveSession>| View::new(live, registry);
    Json(sessions.iter().map(view).collect())
}

/// Closes the session of a UID, and those of its earlier ones that are not finished.
pub(super) async fn kick(
    State(state): State<ApiState>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<View>, Problem> {
    let Path(uid) = path.map_err(|error| Problem::field("uid", error.body_text()))?;
    let uid: Uid = uid.parse().map_err(|error| Problem::field("uid", error))?;
    let registry = &state.registry;
    let mut sessions = registry.retired(&uid);
    sessions.extend(registry.get(&uid));
    let last = sessions.last().ok_or_else(|| {
        let detail = format!("no connector with the UID {uid} is connected");
        Problem::new(StatusCode::NOT_FOUND, "uid_not_connected", detail)
    })?;
    let view = View::new(last, registry);
    for live in &sessions {
        info!(%uid, session = %live.id, "an operator closes the session");
        live.session.close(CloseCode::Kicked);
    }
    Ok(Json(view))
}
