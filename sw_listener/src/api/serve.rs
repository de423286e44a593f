//! The HTTP server: bounded connections, bounded time for the head of a request.

use std::{collections::VecDeque, time::Duration};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::{AbortHandle, JoinSet},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

/// Connections at the same time. When there are more, the oldest is cut: calls take milliseconds, so it is one that only
/// holds its place.
const MAX_CONNECTIONS: usize = 256;
/// How long the head of a request may take, the time between requests included.
const HEAD_LIMIT: Duration = Duration::from_secs(10);
/// Pause after an accept error, such as no descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves until `stop` is cancelled; then no new requests are taken and the running ones end.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    let mut connections = JoinSet::new();
    let mut by_age: VecDeque<AbortHandle> = VecDeque::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
            () = stop.cancelled() => break,
        };
        match accepted {
            Ok((tcp, peer)) => {
                make_room(&mut by_age);
                let (router, stop) = (router.clone(), stop.clone());
                by_age.push_back(connections.spawn(async move {
                    if let Err(error) = connection(tcp, router, stop).await {
                        debug!(%peer, %error, "API connection ended");
                    }
                }));
            }
            Err(error) => {
                warn!(%error, "cannot accept API connections for now; trying on");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    while connections.join_next().await.is_some() {}
}

/// Forgets connections that have ended, and cuts the oldest if that is not enough.
fn make_room(by_age: &mut VecDeque<AbortHandle>) {
    if by_age.len() < MAX_CONNECTIONS {
        return;
    }
    by_age.retain(|connection| !connection.is_finished());
    if by_age.len() >= MAX_CONNECTIONS
        && let Some(oldest) = by_age.pop_front()
    {
        oldest.abort();
    }
}

async fn connection(
    tcp: TcpStream,
    router: Router,
    stop: CancellationToken,
) -> Result<(), hyper::Error> {
    let service = TowerToHyperService::new(router);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_LIMIT)
        .serve_connection(TokioIo::new(tcp), service);
    tokio::pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    }
}
