//! The accept loop of an opening: from the bound port to a stream task per client. It never ends by an error.

use std::{io, net::SocketAddr, sync::atomic::Ordering::Relaxed, time::Duration};

use common::splice::socket;
use tokio::net::{TcpListener, TcpStream};
use tracing::{debug, warn};

use super::{
    Shared,
    stream::{self, Served, Serving},
};
use crate::registry::LiveSession;

/// Pause after an accept error: at the descriptor limit every further try fails at once.
const PAUSE: Duration = Duration::from_millis(100);

/// Accepts clients for as long as it is not dropped. Runs on the session's shard.
///
/// # Errors
/// When the runtime cannot take the socket.
pub(super) async fn run(listener: std::net::TcpListener, serving: Serving) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let mut failing = false;
    loop {
        match listener.accept().await {
            Ok((tcp, client)) => {
                failing = false;
                take(tcp, client, &serving);
            }
            Err(error) => {
                if !std::mem::replace(&mut failing, true) {
                    warn!(port = serving.opening.stored.port, %error, "cannot accept clients for now; trying on");
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Checks a client and hands it to a task of its own.
fn take(tcp: TcpStream, client: SocketAddr, serving: &Serving) {
    let opening = &serving.opening;
    let port = opening.stored.port;
    // From here on, dropping the socket resets it.
    if let Err(error) = socket::prepare(&tcp) {
        debug!(port, %client, %error, "client gone before it was served");
        return;
    }
    if let Some(why) = denial(client, opening, &serving.live) {
        opening.counters.denied.fetch_add(1, Relaxed);
        debug!(port, %client, why, "client turned away");
        return;
    }
    // Counted before the next client is looked at, not when its task runs.
    let Some(served) = Served::enter(client, serving) else {
        debug!(port, %client, "client comes as the last session ends");
        return;
    };
    let task = stream::run(tcp, served);
    let shard = serving.live.seat.shard();
    opening.streams.spawn_on(task, shard.handle());
}

/// The limit that a client would exceed, or the rule that keeps it out.
fn denial(client: SocketAddr, opening: &Shared, live: &LiveSession) -> Option<&'static str> {
    let options = &opening.stored.options;
    let running = opening.traffic.running();
    if options
        .max_connections
        .is_some_and(|max| running >= max as usize)
    {
        return Some("max_connections");
    }
    if !options.allows(client.ip()) {
        return Some("allow_sources");
    }
    if live.limits.per_uid.is_full() {
        return Some("max_streams_per_uid");
    }
    if live.limits.in_all.is_full() {
        return Some("max_streams");
    }
    None
}
