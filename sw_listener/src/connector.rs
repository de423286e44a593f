//! One task per session: from its registration to its end.

use std::{sync::Arc, time::Duration};

use common::{
    session::{
        Closed,
        control::{ControlLoop, Goaway},
    },
    wire::close::CloseCode,
};
use tracing::{Instrument, error, info, info_span, warn};

use crate::{
    accept::AcceptContext,
    policy::Denial,
    registry::{LiveSession, Registration},
};

/// How long connectors wait before they come back after a drain: the time that a restart takes.
const COME_BACK: Duration = Duration::from_millis(500);

/// How long a connector may take to end a session that has handed over and carries nothing any more: slow targets may
/// still be taking what it has received.
const LAST_BYTES: Duration = Duration::from_secs(300);

/// How long the connector of a session that has handed over may take to say that it has its successor.
const GOODBYE: Duration = Duration::from_secs(5);

/// Time between two looks at the streams of a drained session.
const LOOK: Duration = Duration::from_secs(1);
/// After so many looks without a stream it is ended.
const IDLE_LOOKS: u32 = 5;

/// Serves a session until it has ended.
pub(crate) async fn run(
    live: Arc<LiveSession>,
    registration: Registration,
    control: Option<ControlLoop>,
    context: &AcceptContext,
) {
    let span = info_span!("session", uid = %live.uid(), session = %live.id);
    serve(live, registration, control, context)
        .instrument(span)
        .await;
}

async fn serve(
    live: Arc<LiveSession>,
    registration: Registration,
    control: Option<ControlLoop>,
    context: &AcceptContext,
) {
    announce(&live);
    context.expiring.warn(&live.identity);
    let control = async {
        match control {
            Some(control) => control.run().await,
            None => match live.session.carry_spares().await {},
        }
    };
    let (mut left, mut told) = (false, false);
    let finishing = finish(&live);
    let unanswered = async {
        live.handed_over.cancelled().await;
        tokio::time::sleep(GOODBYE).await;
    };
    let denied = context.policy.watch(&live.session);
    tokio::pin!(control, finishing, unanswered, denied);
    let closed = loop {
        tokio::select! {
            closed = live.session.closed() => break closed,
            error = &mut control => {
                if error.is_protocol_error() {
                    warn!(%error, "closing the session");
                    live.session.close(CloseCode::ProtocolError);
                }
                break live.session.closed().await;
            }
            goaway = peer_goes_away(&live), if !left => {
                left = true;
                registration.retire();
                if live.handed_over.is_cancelled() {
                    info!("handed over: the session finishes its streams");
                } else {
                    info!(reason = ?goaway.reason, "the connector drains: no new streams");
                }
            }
            () = &mut unanswered, if !left => {
                left = true;
                info!("handed over, and the connector says nothing: the session finishes its streams");
            }
            denial = &mut denied => {
                sentenced(&denial);
                live.session.close_because(denial.close_code(), &denial.told());
                break live.session.closed().await;
            }
            () = &mut finishing, if left => {
                live.session.close(CloseCode::Closed);
                break live.session.closed().await;
            }
            () = context.shutdown.draining(), if !told => {
                told = true;
                say_goaway(&live);
            }
        }
    };
    drop(registration);
    farewell(&live, &closed);
}

fn sentenced(denial: &Denial) {
    const WORDS: &str = "the session is closed: its certificate does not pass any more";
    match denial.is_alarming() {
        true => error!(code = denial.code(), %denial, "{WORDS}"),
        false => warn!(code = denial.code(), %denial, "{WORDS}"),
    }
}

/// A connector of 1.x has no control stream and never says goodbye.
async fn peer_goes_away(live: &LiveSession) -> Goaway {
    match &live.control {
        Some(control) => control.peer_goes_away().await,
        None => std::future::pending().await,
    }
}

/// Completes when a session that takes no new streams should have ended, and has not.
async fn finish(live: &LiveSession) {
    if live.handed_over.is_cancelled() {
        hand_over(live).await;
    } else {
        streams_ended(live).await;
    }
}

/// The connector has its new session: when this one has no streams, it never gets one again, and the connector is told to
/// end it.
async fn hand_over(live: &LiveSession) {
    live.traffic.seal().await;
    if let Some(control) = &live.control {
        control.goaway(Goaway {
            reason: "handed over".to_owned(),
            reconnect_after: Duration::ZERO,
        });
    }
    tokio::time::sleep(LAST_BYTES).await;
}

/// The connector ends a drained session itself; one that stays although it carries nothing is ended here.
async fn streams_ended(live: &LiveSession) {
    let mut idle = 0;
    while idle < IDLE_LOOKS {
        tokio::time::sleep(LOOK).await;
        idle = if live.traffic.running() == 0 {
            idle + 1
        } else {
            0
        };
    }
}

fn say_goaway(live: &LiveSession) {
    if let Some(control) = &live.control {
        let goaway = Goaway {
            reason: "the listener is stopping".to_owned(),
            reconnect_after: COME_BACK,
        };
        control.goaway(goaway);
    }
}

fn announce(live: &LiveSession) {
    let peer = live.session.peer_address();
    let (serial, carrier) = (&live.identity.serial, live.session.carrier());
    match &live.hello {
        Some(hello) => info!(
            %peer, carrier, serial, hostname = ?hello.hostname, software = ?hello.software, "session registered"
        ),
        None => warn!(
            %peer, carrier, serial,
            "session registered with protocol 1 (socket-warp 1.x): half-closed transfers cannot be carried; \
             upgrade the connector"
        ),
    }
}

fn farewell(live: &LiveSession, closed: &Closed) {
    let streams = live.traffic.total();
    let seconds = live.since.elapsed().unwrap_or_default().as_secs();
    info!(cause = %closed, streams, seconds, "session ended");
}
