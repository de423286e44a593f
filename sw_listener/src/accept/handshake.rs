//! One handshake: TLS, policy, `hello`, registry, `welcome`.

use std::{
    sync::Arc,
    time::{Instant, SystemTime},
};

use common::{
    ids::{SessionId, Uid},
    session::{
        Closed, FrameIoError, SendHalf, Session,
        control::{ControlHandle, ControlLoop},
        quic, read_frame, write_frame,
    },
    shard::Seat,
    tls::CertificateFacts,
    wire::{
        Protocol,
        close::CloseCode,
        control::{HAND_OVER, Hello, Message, PROTOCOL_VERSION, Probed, Welcome},
    },
};
use thiserror::Error;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, debug, error, info, info_span, warn};

use super::{
    AcceptContext,
    register::{self, ClaimError},
};
use crate::{
    admission::HandshakeSlot,
    connector,
    policy::Denial,
    registry::{LiveSession, Registration},
};

/// Why a handshake led to no session.
#[derive(Debug, Error)]
enum HandshakeError {
    #[error(transparent)]
    Closed(#[from] Closed),
    #[error("the handshake took too long")]
    Deadline,
    #[error("no common protocol")]
    Alpn,
    #[error(transparent)]
    Denied(#[from] Denial),
    #[error("control stream: {0}")]
    Control(#[from] FrameIoError),
    #[error("the connector began with something else than hello version {PROTOCOL_VERSION}")]
    NotHello,
    #[error(transparent)]
    Claim(#[from] ClaimError),
    #[error("UID {0} asked whether it would be let in (sw_connector doctor): it would")]
    Probed(String),
}

impl HandshakeError {
    /// What the connector is told in words.
    fn told(&self, code: CloseCode) -> String {
        match self {
            Self::Denied(denial) => denial.told(),
            // It has named the session itself, and shown its own certificate.
            Self::Claim(ClaimError::Unfit { why, .. }) => {
                format!("{}, and does not hand over: {why}", code.text())
            }
            Self::Closed(_)
            | Self::Deadline
            | Self::Alpn
            | Self::Control(_)
            | Self::NotHello
            | Self::Probed(_)
            | Self::Claim(ClaimError::Duplicate(_) | ClaimError::NotNow { .. }) => {
                code.text().to_owned()
            }
        }
    }

    fn close_code(&self) -> Option<CloseCode> {
        match self {
            Self::Closed(_) => None,
            Self::Alpn | Self::Control(_) | Self::NotHello => Some(CloseCode::ProtocolError),
            Self::Deadline => Some(CloseCode::Limit),
            Self::Denied(denial) => Some(denial.close_code()),
            Self::Claim(error) => Some(error.close_code()),
            Self::Probed(_) => Some(CloseCode::Closed),
        }
    }
}

/// From an admitted packet to the end of the session.
pub(super) async fn run(
    incoming: quinn::Incoming,
    slot: HandshakeSlot,
    seat: Seat,
    context: Arc<AcceptContext>,
) {
    let peer = incoming.remote_address();
    let span = info_span!("handshake", %peer);
    // On the heap, so that the session does not keep the room that its beginning took.
    let established = Box::pin(establish(incoming, &context).instrument(span.clone())).await;
    let session = match established {
        Ok(session) => session,
        Err(error) => return span.in_scope(|| report(&error, &context)),
    };
    let admitted = Box::pin(admit(&session, seat, &context).instrument(span.clone())).await;
    let slot = slot.succeed();
    match admitted {
        Ok((live, registration, control)) => {
            // A smaller task: sessions last, handshakes do not.
            let tasks = context.tasks.clone();
            tasks.spawn(async move {
                connector::run(live, registration, control, &context).await;
                drop(slot);
            });
        }
        Err(error) => {
            span.in_scope(|| refused(&error, &session));
            if let Some(code) = error.close_code() {
                session.close_because(code, &error.told(code));
                // Keeps the connection until the peer has been told.
                session.closed().await;
            }
        }
    }
}

/// Longest subject in a log line, in characters.
const SUBJECT: usize = 128;

/// With whose certificate it was: the operator has to find it.
fn refused(error: &HandshakeError, session: &Session) {
    let leaf = session.peer_certificates().into_iter().next();
    let facts = leaf.and_then(|leaf| CertificateFacts::from_der(&leaf).ok());
    let subject = facts
        .as_ref()
        .map(|facts| facts.subject.chars().take(SUBJECT).collect::<String>());
    let serial = facts
        .as_ref()
        .map(|facts| facts.serial.chars().take(SUBJECT).collect::<String>());
    match error {
        HandshakeError::Denied(denial) if denial.is_alarming() => {
            error!(code = denial.code(), subject, serial, %denial, "session refused");
        }
        HandshakeError::Denied(denial) => {
            warn!(code = denial.code(), subject, serial, %denial, "session refused");
        }
        HandshakeError::Probed(_) => info!(%error, "no session"),
        HandshakeError::Closed(_)
        | HandshakeError::Deadline
        | HandshakeError::Alpn
        | HandshakeError::Control(_)
        | HandshakeError::NotHello
        | HandshakeError::Claim(_) => warn!(%error, "session refused"),
    }
}

/// Scanners come here too, so it is no warning; who only sends packets makes no line at all, and a flood few.
fn report(error: &HandshakeError, context: &AcceptContext) {
    match error {
        HandshakeError::Deadline
        | HandshakeError::Closed(Closed::TimedOut | Closed::Transport(_)) => {
            debug!(%error, "no session");
        }
        HandshakeError::Closed(_)
        | HandshakeError::Alpn
        | HandshakeError::Denied(_)
        | HandshakeError::Control(_)
        | HandshakeError::NotHello
        | HandshakeError::Claim(_)
        | HandshakeError::Probed(_) => {
            if let Some(left_out) = context.quiet.line(Instant::now()) {
                info!(%error, left_out, "no session");
            }
        }
    }
}

async fn establish(
    incoming: quinn::Incoming,
    context: &AcceptContext,
) -> Result<Session, HandshakeError> {
    let connecting = incoming.accept().map_err(Closed::from)?;
    let connection = timeout(context.deadline, connecting)
        .await
        .map_err(|_| HandshakeError::Deadline)?
        .map_err(Closed::from)?;
    let protocol = quic::negotiated(&connection).ok_or(HandshakeError::Alpn)?;
    Ok(Session::over_quic(connection, protocol, &context.transport))
}

type Admitted = (Arc<LiveSession>, Registration, Option<ControlLoop>);

async fn admit(
    session: &Session,
    seat: Seat,
    context: &AcceptContext,
) -> Result<Admitted, HandshakeError> {
    let permit = context
        .policy
        .evaluate(&session.peer_certificates())
        .await?;
    let (control, hello) = match session.protocol() {
        Protocol::V1 => (None, None),
        Protocol::V2 => {
            let greeting = timeout(context.deadline, greet(session))
                .await
                .map_err(|_| HandshakeError::Deadline)??;
            match greeting {
                Greeting::Hello(control, hello) => (Some(*control), Some(hello)),
                Greeting::Probe(send) => {
                    let uid = &permit.identity().uid;
                    // Who asks and does not listen is told nothing more.
                    let _ = timeout(context.deadline, answer(session, send, uid, context)).await;
                    return Err(HandshakeError::Probed(uid.to_string()));
                }
            }
        }
    };
    let (mut task, handle) = control.unzip();
    let live = Arc::new(LiveSession {
        id: SessionId::random(),
        identity: permit.identity().clone(),
        session: session.clone(),
        control: handle,
        hello,
        seat,
        since: SystemTime::now(),
        traffic: Arc::default(),
        limits: context.limits.of(&permit.identity().uid),
        handed_over: CancellationToken::new(),
    });
    let registration = register::claim(permit, &live, context).await?;
    if let Some(task) = &mut task {
        task.say_first(welcome(&live, context));
    }
    Ok((live, registration, task))
}

/// How a connector begins.
enum Greeting {
    Hello(Box<(ControlLoop, ControlHandle)>, Hello),
    /// It only asks whether it would be let in.
    Probe(SendHalf),
}

/// Takes the control stream and its `hello` or `probe`.
async fn greet(session: &Session) -> Result<Greeting, HandshakeError> {
    let (send, mut recv) = session.accept_stream().await?;
    match read_frame(&mut recv).await? {
        Message::Hello(hello) if hello.version == PROTOCOL_VERSION => {
            let control = ControlLoop::new(send, recv, session);
            Ok(Greeting::Hello(Box::new(control), hello))
        }
        Message::Probe(hello) if hello.version == PROTOCOL_VERSION => Ok(Greeting::Probe(send)),
        Message::Hello(_)
        | Message::Probe(_)
        | Message::Probed(_)
        | Message::Welcome(_)
        | Message::Ping { .. }
        | Message::Pong { .. }
        | Message::Window { .. }
        | Message::Goaway { .. } => Err(HandshakeError::NotHello),
    }
}

/// Answers a probe, and waits until the one who asked has heard it and closes.
async fn answer(
    session: &Session,
    mut send: SendHalf,
    uid: &Uid,
    context: &AcceptContext,
) -> Result<(), FrameIoError> {
    let probed = Message::Probed(Probed {
        uid: uid.clone(),
        live: context.registry.get(uid).is_some(),
        software: common::VERSION.to_owned(),
    });
    write_frame(&mut send, &probed).await?;
    send.finish();
    session.closed().await;
    Ok(())
}

fn welcome(live: &LiveSession, context: &AcceptContext) -> Message {
    Message::Welcome(Welcome {
        uid: live.uid().clone(),
        session: live.id,
        software: common::VERSION.to_owned(),
        keep_alive_ms: u64::try_from(context.transport.keep_alive.as_millis()).unwrap_or(u64::MAX),
        capabilities: vec![HAND_OVER.to_owned()],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::succession::Unfit;

    #[test]
    fn a_connector_learns_why_it_does_not_take_over() {
        let told = |error: ClaimError| {
            let code = error.close_code();
            HandshakeError::from(error).told(code)
        };
        let uid = || "device1".to_owned();
        let why = Unfit::OlderCertificate;
        let text = told(ClaimError::Unfit { uid: uid(), why });
        assert!(text.ends_with("its certificate is older"), "{text}");
        assert!(text.starts_with(CloseCode::DuplicateUid.text()), "{text}");
        let text = told(ClaimError::Duplicate(uid()));
        assert_eq!(text, CloseCode::DuplicateUid.text());
    }
}
