//! One client: a stream of the session, the head with the target, the splice.

use std::{
    net::SocketAddr,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use common::{
    session::{FrameIoError, RecvHalf, SendHalf, StreamError, write_frame},
    splice::{self, Cut, Meter, SpliceOptions},
    wire::{Protocol, open::Open, v1},
};
use tokio::{net::TcpStream, time::timeout};
use tracing::{debug, warn};

use super::Shared;
use crate::registry::LiveSession;

/// How long a client waits while the connector's limit of streams is reached.
const OPEN_LIMIT: Duration = Duration::from_secs(5);
/// How long the connector may take to dial: its own limit, which may be set up to a minute, and the way there and back.
const ANSWER_LIMIT: Duration = Duration::from_secs(75);

/// Serves a client until both directions have ended.
pub(super) async fn run(
    tcp: TcpStream,
    client: SocketAddr,
    opening: Arc<Shared>,
    live: Arc<LiveSession>,
) {
    let _active = Active::enter(opening.clone(), live.clone());
    let stream = live.next_stream();
    let meter = Meter::default();
    let started = Instant::now();
    let ended = tokio::select! {
        ended = serve(tcp, client, stream, &opening, &live, &meter) => ended,
        () = opening.cut.cancelled() => Err(Cut::Cancelled),
    };
    let (up, down) = (meter.up.bytes(), meter.down.bytes());
    opening.counters.bytes_up.fetch_add(up, Relaxed);
    opening.counters.bytes_down.fetch_add(down, Relaxed);
    live.streams.bytes_up.fetch_add(up, Relaxed);
    live.streams.bytes_down.fetch_add(down, Relaxed);
    report(
        &ended,
        &opening,
        &live,
        stream,
        client,
        (up, down),
        started.elapsed(),
    );
}

async fn serve(
    tcp: TcpStream,
    client: SocketAddr,
    stream: u64,
    opening: &Shared,
    live: &LiveSession,
    meter: &Meter,
) -> Result<(), Cut> {
    let (mut send, recv) = timeout(OPEN_LIMIT, live.session.open_stream())
        .await
        .map_err(|_| Cut::NoAnswer("the connector is at its limit of streams".to_owned()))?
        .map_err(StreamError::from)?;
    let protocol = live.session.protocol();
    write_head(&mut send, protocol, opening, stream, client).await?;
    let options = SpliceOptions {
        protocol,
        answer_within: (protocol == Protocol::V2).then_some(ANSWER_LIMIT),
        idle_timeout: opening.stored.options.idle_timeout(),
        cancel: opening.cut.clone(),
    };
    let recv: RecvHalf = recv;
    splice::splice(tcp, send, recv, &options, meter).await
}

async fn write_head(
    send: &mut SendHalf,
    protocol: Protocol,
    opening: &Shared,
    stream: u64,
    client: SocketAddr,
) -> Result<(), Cut> {
    let target = &opening.stored.target;
    match protocol {
        Protocol::V1 => {
            let header = v1::encode(u64::from(opening.stored.port), stream, target);
            Ok(send.write(header.to_vec().into()).await?)
        }
        Protocol::V2 => {
            let open = Open {
                stream,
                opening: opening.stored.id,
                target: target.clone(),
                client,
            };
            write_frame(send, &open).await.map_err(|error| match error {
                FrameIoError::Stream(error) => error.into(),
                FrameIoError::Frame(error) => Cut::NoAnswer(error.to_string()),
            })
        }
    }
}

fn report(
    ended: &Result<(), Cut>,
    opening: &Shared,
    live: &LiveSession,
    stream: u64,
    client: SocketAddr,
    (bytes_up, bytes_down): (u64, u64),
    elapsed: Duration,
) {
    let (uid, session) = (live.uid(), live.id);
    let (port, target) = (opening.stored.port, &opening.stored.target);
    let elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    match ended {
        Ok(()) => {
            debug!(%uid, %session, stream, port, %client, %target, bytes_up, bytes_down, elapsed_ms, "stream ended");
        }
        Err(cut @ (Cut::Refused(_) | Cut::NoAnswer(_))) => {
            opening.counters.refused.fetch_add(1, Relaxed);
            let cause = format!("{cut}").escape_debug().to_string();
            warn!(%uid, %session, stream, port, %client, %target, cause, elapsed_ms, "target not reached: client reset");
        }
        Err(cut @ (Cut::Tcp(_) | Cut::Stream(_) | Cut::Idle | Cut::Cancelled)) => {
            debug!(
                %uid, %session, stream, port, %client, %target, bytes_up, bytes_down, elapsed_ms, %cut,
                "stream broken off"
            );
        }
    }
}

/// Counts a stream for as long as it lives.
struct Active {
    opening: Arc<Shared>,
    live: Arc<LiveSession>,
}

impl Active {
    fn enter(opening: Arc<Shared>, live: Arc<LiveSession>) -> Self {
        opening.counters.active.fetch_add(1, Relaxed);
        live.streams.active.fetch_add(1, Relaxed);
        Self { opening, live }
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        self.opening.counters.active.fetch_sub(1, Relaxed);
        self.live.streams.active.fetch_sub(1, Relaxed);
    }
}
