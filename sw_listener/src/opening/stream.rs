//! One client: a stream of the session, the head with the target, the splice.

use std::{
    net::SocketAddr,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use common::{
    session::{FrameIoError, RecvHalf, SendHalf, StreamError, write_frame},
    splice::{self, Awaited, Cut, Meter, SpliceOptions},
    wire::{Protocol, open::Open, v1},
};
use tokio::{net::TcpStream, time::timeout};
use tracing::{debug, warn};

use super::Shared;
use crate::{
    limits::StreamSlot,
    registry::{LiveSession, Registry},
    traffic::Running,
};

/// How long a client waits while the connector takes no more streams, or no more bytes.
const OPEN_LIMIT: Duration = Duration::from_secs(5);
/// How long the connector may take to dial: its own limit, which may be set up to a minute, and the way there and back.
const ANSWER_LIMIT: Duration = Duration::from_secs(75);

/// What serves the clients of an opening.
pub(super) struct Serving {
    pub(super) opening: Arc<Shared>,
    /// The session that had the UID when the accept loop began.
    pub(super) live: Arc<LiveSession>,
    /// Tells which one has it now.
    pub(super) registry: Arc<Registry>,
}

/// A client that is being served, counted everywhere for as long as it lives.
pub(super) struct Served {
    client: SocketAddr,
    opening: Arc<Shared>,
    registry: Arc<Registry>,
    live: Arc<LiveSession>,
    meter: Arc<Meter>,
    in_session: Running,
    _in_opening: Option<Running>,
    _slots: [StreamSlot; 2],
}

impl Served {
    /// Counts a client; `None` when its connector has left.
    pub(super) fn enter(client: SocketAddr, serving: &Serving) -> Option<Self> {
        let meter = Arc::new(Meter::default());
        let (live, in_session) = place(&serving.live, &serving.registry, &meter)?;
        let opening = serving.opening.clone();
        Some(Self {
            client,
            registry: serving.registry.clone(),
            in_session,
            _in_opening: opening.traffic.enter(&meter),
            _slots: [live.limits.per_uid.enter(), live.limits.in_all.enter()],
            opening,
            live,
            meter,
        })
    }

    /// Goes to the session that has the UID now; `false` when there is no other.
    fn follow(&mut self) -> bool {
        let Some(next) = successor(&self.live, &self.registry) else {
            return false;
        };
        let Some((live, in_session)) = place(&next, &self.registry, &self.meter) else {
            return false;
        };
        (self.live, self.in_session) = (live, in_session);
        true
    }
}

/// A place in a session, or in its successor when it takes no more streams.
fn place(
    live: &Arc<LiveSession>,
    registry: &Registry,
    meter: &Arc<Meter>,
) -> Option<(Arc<LiveSession>, Running)> {
    let mut live = live.clone();
    // A session is sealed only after its successor has the UID, so this ends.
    loop {
        if let Some(running) = live.traffic.enter(meter) {
            return Some((live, running));
        }
        live = successor(&live, registry)?;
    }
}

fn successor(live: &LiveSession, registry: &Registry) -> Option<Arc<LiveSession>> {
    registry.get(live.uid()).filter(|next| next.id != live.id)
}

/// Serves a client until both directions have ended.
pub(super) async fn run(tcp: TcpStream, mut served: Served) {
    let started = Instant::now();
    let cut = served.opening.cut.clone();
    let ended = tokio::select! {
        ended = serve(tcp, &mut served) => ended,
        () = cut.cancelled() => Err(Cut::Cancelled),
    };
    report(&ended, &served, started.elapsed());
}

async fn serve(tcp: TcpStream, served: &mut Served) -> Result<(), Cut> {
    let (send, recv) = timeout(OPEN_LIMIT, open_somewhere(served))
        .await
        .map_err(|_| Cut::NoAnswer("the connector is at its limit of streams".to_owned()))??;
    let protocol = served.live.session.protocol();
    let options = SpliceOptions {
        protocol,
        answer: match protocol {
            Protocol::V1 => Awaited::FirstByte,
            Protocol::V2 => Awaited::Answer(ANSWER_LIMIT),
        },
        idle_timeout: served.opening.stored.options.idle_timeout(),
        cancel: served.opening.cut.clone(),
    };
    splice::splice(tcp, send, recv, &options, &served.meter).await
}

/// A session may end or hand over just as a client comes: the connector cannot have acted on a head that was not written,
/// so the next session may have it.
async fn open_somewhere(served: &mut Served) -> Result<(SendHalf, RecvHalf), Cut> {
    loop {
        match open(served).await {
            Err(Cut::Stream(StreamError::Session(_))) if served.follow() => {}
            opened => return opened,
        }
    }
}

/// Opens the stream and writes its head.
async fn open(served: &Served) -> Result<(SendHalf, RecvHalf), Cut> {
    let session = &served.live.session;
    let (mut send, recv) = session.open_stream().await.map_err(StreamError::from)?;
    let stored = &served.opening.stored;
    let stream = served.in_session.number();
    match session.protocol() {
        Protocol::V1 => {
            let header = v1::encode(u64::from(stored.port), stream, &stored.target);
            send.write(header.to_vec().into()).await?;
        }
        Protocol::V2 => {
            let head = Open {
                stream,
                opening: stored.id,
                target: stored.target.clone(),
                client: served.client,
            };
            let written = write_frame(&mut send, &head).await;
            written.map_err(|error| match error {
                FrameIoError::Stream(error) => Cut::from(error),
                FrameIoError::Frame(error) => Cut::NoAnswer(error.to_string()),
            })?;
        }
    }
    Ok((send, recv))
}

fn report(ended: &Result<(), Cut>, served: &Served, elapsed: Duration) {
    let Served {
        client,
        opening,
        live,
        meter,
        in_session,
        ..
    } = served;
    let (uid, session, stream) = (live.uid(), live.id, in_session.number());
    let (port, target) = (opening.stored.port, &opening.stored.target);
    let (bytes_up, bytes_down) = (meter.up.bytes(), meter.down.bytes());
    let elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    match ended {
        Ok(()) => {
            debug!(%uid, %session, stream, port, %client, %target, bytes_up, bytes_down, elapsed_ms, "stream ended");
        }
        Err(cut @ (Cut::Refused(_) | Cut::NoAnswer(_))) => {
            opening.counters.refused.fetch_add(1, Relaxed);
            let cause = cut.to_string().escape_debug().to_string();
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
