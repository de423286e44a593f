//! `GET /healthz` (the process turns) and `GET /readyz` (it can do its work).

use std::time::Duration;

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;
use tokio::time::timeout;

use super::ApiState;

/// How long the data plane may take to turn its loops once.
const TURN: Duration = Duration::from_secs(2);

pub(super) async fn alive() -> Response {
    Json(json!({"status": "ok"})).into_response()
}

pub(super) async fn ready(State(state): State<ApiState>) -> Response {
    let mut reasons = Vec::new();
    if state.shutdown.is_draining() {
        reasons.push("the listener is stopping");
    }
    if timeout(TURN, state.shards.turn()).await.is_err() {
        reasons.push("the data plane does not answer");
    }
    let (status, text) = if reasons.is_empty() {
        (StatusCode::OK, "ok")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready")
    };
    (status, Json(json!({"status": text, "reasons": reasons}))).into_response()
}
