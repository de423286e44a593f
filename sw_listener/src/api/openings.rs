//! `POST /open`, `DELETE /close`, `GET /list`.

use std::{net::IpAddr, time::Duration};

use axum::{
    Json,
    body::Body,
    extract::{RawQuery, State},
    http::{Request, StatusCode, header},
};
use common::target::Target;
use ipnet::IpNet;
use serde::Deserialize;

use super::{ApiState, body, problem::Problem};
use crate::{
    opening::{self, BindError, CloseError, OpenError, Options, View},
    store::StoreError,
};

/// Longest `reason`, in characters.
const MAX_REASON: usize = 256;
/// Longest `drain_seconds`.
const MAX_DRAIN: u64 = 86_400;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OpenRequest {
    uid: String,
    port: u16,
    connect_address: String,
    connect_port: u16,
    bind_address: Option<IpAddr>,
    reason: Option<String>,
    allow_sources: Option<Vec<String>>,
    max_connections: Option<u32>,
    idle_timeout_seconds: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CloseRequest {
    port: u16,
    #[serde(default)]
    drain_seconds: u64,
}

pub(super) async fn open(
    State(state): State<ApiState>,
    request: Request<Body>,
) -> Result<Json<View>, Problem> {
    let request = prove(body::read(request).await?)?;
    Ok(Json(state.openings.open(request).await?))
}

pub(super) async fn close(
    State(state): State<ApiState>,
    RawQuery(query): RawQuery,
    request: Request<Body>,
) -> Result<Json<View>, Problem> {
    let has_body = request.headers().contains_key(header::CONTENT_TYPE);
    let request: CloseRequest = match query {
        Some(query) if !has_body => from_query(&query)?,
        None if !has_body => {
            let why = "is missing: ?port=9000, or a JSON body with Content-Type: application/json";
            return Err(Problem::field("port", why));
        }
        _ => body::read(request).await?,
    };
    if request.drain_seconds > MAX_DRAIN {
        let why = format!("must be at most {MAX_DRAIN}");
        return Err(Problem::field("drain_seconds", why));
    }
    let drain = Duration::from_secs(request.drain_seconds);
    Ok(Json(state.openings.close(request.port, drain).await?))
}

pub(super) async fn list(State(state): State<ApiState>) -> Result<Json<Vec<View>>, Problem> {
    let openings = state.openings.list().await;
    Ok(Json(openings.ok_or(OpenError::Stopping)?))
}

/// `port=9000&drain_seconds=5`: both are plain numbers, so nothing needs decoding.
fn from_query(query: &str) -> Result<CloseRequest, Problem> {
    let mut port = None;
    let mut drain_seconds = 0;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let wrong = || Problem::field(name, format!("must be a number, not {value:?}"));
        match name {
            "port" if port.is_some() => return Err(Problem::field(name, "stands twice")),
            "port" => port = Some(value.parse().map_err(|_| wrong())?),
            "drain_seconds" => drain_seconds = value.parse().map_err(|_| wrong())?,
            _ => {
                return Err(Problem::field(
                    name,
                    "is not known; port and drain_seconds are",
                ));
            }
        }
    }
    let port = port.ok_or_else(|| Problem::field("port", "is missing"))?;
    Ok(CloseRequest {
        port,
        drain_seconds,
    })
}

fn prove(raw: OpenRequest) -> Result<opening::Request, Problem> {
    let uid = raw
        .uid
        .parse()
        .map_err(|error| Problem::field("uid", error))?;
    let host = raw.connect_address.parse::<common::target::Host>();
    host.map_err(|error| Problem::field("connect_address", error))?;
    let target = Target::new(&raw.connect_address, raw.connect_port)
        .map_err(|error| Problem::field("connect_port", error))?;
    if let Some(reason) = &raw.reason
        && (reason.chars().count() > MAX_REASON || reason.chars().any(char::is_control))
    {
        let why = format!("must be one line of at most {MAX_REASON} characters");
        return Err(Problem::field("reason", why));
    }
    for (name, value) in [
        ("max_connections", raw.max_connections),
        ("idle_timeout_seconds", raw.idle_timeout_seconds),
    ] {
        if value == Some(0) {
            return Err(Problem::field(
                name,
                "must be at least 1; leave it out for no limit",
            ));
        }
    }
    Ok(opening::Request {
        uid,
        port: raw.port,
        target,
        options: Options {
            bind_address: bind_address(raw.bind_address)?,
            reason: raw.reason,
            allow_sources: networks(raw.allow_sources)?,
            max_connections: raw.max_connections,
            idle_timeout_seconds: raw.idle_timeout_seconds,
        },
    })
}

fn bind_address(asked: Option<IpAddr>) -> Result<IpAddr, Problem> {
    let address = asked.unwrap_or(Options::default().bind_address);
    if address.is_multicast() || address == IpAddr::from([255, 255, 255, 255]) {
        let why = format!("{address} is not an address that clients can connect to");
        return Err(Problem::field("bind_address", why));
    }
    Ok(address)
}

/// An empty list would be an opening for nobody, and is more likely a mistake.
fn networks(asked: Option<Vec<String>>) -> Result<Vec<IpNet>, Problem> {
    let Some(texts) = asked else {
        return Ok(Vec::new());
    };
    if texts.is_empty() {
        let why = "must name a network; leave it out to allow every source";
        return Err(Problem::field("allow_sources", why));
    }
    texts.iter().map(|text| network(text)).collect()
}

/// `192.0.2.0/24`, or one address.
fn network(text: &str) -> Result<IpNet, Problem> {
    let address = || text.parse::<IpAddr>().map(IpNet::from);
    text.parse::<IpNet>().or_else(|_| address()).map_err(|_| {
        let why = format!("{text:?} is neither a network (192.0.2.0/24) nor an address");
        Problem::field("allow_sources", why)
    })
}

impl From<OpenError> for Problem {
    fn from(error: OpenError) -> Self {
        let detail = error.to_string();
        let (status, code) = match &error {
            OpenError::NotConnected(_) => (StatusCode::NOT_FOUND, "uid_not_connected"),
            OpenError::Conflict(_) => (StatusCode::CONFLICT, "port_in_use_by_opening"),
            OpenError::Full(_) => (StatusCode::CONFLICT, "too_many_openings"),
            OpenError::Bind(BindError::InUse(_)) => (StatusCode::CONFLICT, "port_in_use"),
            OpenError::Bind(BindError::NotPermitted(_)) => {
                (StatusCode::FORBIDDEN, "port_not_permitted")
            }
            OpenError::Bind(BindError::NoSuchAddress(_)) => {
                return Self::field("bind_address", detail);
            }
            OpenError::Bind(BindError::Other { .. }) => {
                (StatusCode::SERVICE_UNAVAILABLE, "port_not_available")
            }
            OpenError::Store(error) => return store_failed(error),
            OpenError::Stopping => (StatusCode::SERVICE_UNAVAILABLE, "stopping"),
        };
        let problem = Self::new(status, code, detail);
        match error {
            OpenError::Conflict(holder) => {
                problem.with("holder", serde_json::to_value(holder).unwrap_or_default())
            }
            OpenError::NotConnected(_)
            | OpenError::Full(_)
            | OpenError::Bind(_)
            | OpenError::Store(_)
            | OpenError::Stopping => problem,
        }
    }
}

impl From<CloseError> for Problem {
    fn from(error: CloseError) -> Self {
        let detail = error.to_string();
        match &error {
            CloseError::Unknown(_) => Self::new(StatusCode::NOT_FOUND, "no_such_opening", detail),
            CloseError::Store(error) => store_failed(error),
            CloseError::Stopping => Self::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", detail),
        }
    }
}

fn store_failed(error: &StoreError) -> Problem {
    tracing::error!(%error, "the change was refused because it cannot be kept");
    let detail = format!("nothing was changed, because it could not be kept: {error}");
    Problem::new(
        StatusCode::INSUFFICIENT_STORAGE,
        "state_not_writable",
        detail,
    )
}
