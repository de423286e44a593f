//! One listener, from its name to its verdict. Here is the IO; [`judge`] says what it means.

use std::{
    io::{self, ErrorKind},
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use common::{
    doctor::{
        Steps,
        udp::{self, Reach},
    },
    session::{Closed, FrameIoError, Session, StreamError, read_frame, write_frame},
    tls::CertificateFacts,
    wire::{
        Protocol,
        close::CloseCode,
        control::{Message, Probed},
    },
};
use quinn::{Connection, Endpoint};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{
    judge::{self, Admission, Handshake, Shown},
    local::Client,
};
use crate::{
    config::{Config, ListenerAddress},
    dial::{self, DialError},
    material::Material,
};

/// How long a name may take.
const DNS_LIMIT: Duration = Duration::from_secs(5);
/// How many addresses of a name are tried; all at once.
const MOST: usize = 8;
/// How long the listener may take for its verdict: it may ask others.
const VERDICT_LIMIT: Duration = Duration::from_secs(12);
/// A connection that breaks off says why a moment later.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// How long path MTU discovery is watched, and how long it must have been at rest.
const MTU_LIMIT: Duration = Duration::from_secs(2);
const MTU_REST: Duration = Duration::from_millis(500);
const MTU_LOOK: Duration = Duration::from_millis(50);

/// The steps behind each.
const AFTER_DNS: [&str; 5] = ["udp", "quic", "tls", "admission", "mtu"];

pub(super) async fn examine(
    listener: ListenerAddress,
    config: Arc<Config>,
    client: Client,
    steps: Steps,
) {
    let Some(addresses) = resolve(&listener, &steps).await else {
        return steps.skip(&AFTER_DNS, "no address").await;
    };
    let reachable = reach(&addresses, &steps).await;
    if reachable.is_empty() {
        return steps.skip(&AFTER_DNS[1..], "no address is reached").await;
    }
    let Some(client) = client else {
        let why = "the certificate files cannot be used";
        return steps.skip(&AFTER_DNS[1..], why).await;
    };
    let handshakes = shake_hands(&reachable, &listener, client, &config).await;
    let works = handshakes.iter().any(|(_, done)| done.answered());
    for (address, handshake) in &handshakes {
        steps.tell(judge::quic(*address, handshake, works)).await;
    }
    let (mut done, mut failed) = (Vec::new(), None);
    for (_, handshake) in handshakes {
        match handshake {
            Handshake::Done(connected) => done.push(*connected),
            Handshake::Tls(why) => failed = failed.or(Some(why)),
            Handshake::Failed(_) => {}
        }
    }
    let mut done = done.into_iter();
    let chosen = done.next();
    // Not asked twice.
    done.for_each(|(_, connection)| {
        Session::over_quic(connection, Protocol::V2, &config.transport).close(CloseCode::Closed)
    });
    match (chosen, failed) {
        (Some((endpoint, connection)), _) => {
            ask(connection, &config, &steps).await;
            // The listener waits for our goodbye.
            let _ = timeout(LAST_WORDS, endpoint.wait_idle()).await;
        }
        (None, Some(why)) => {
            steps.tell(judge::tls(&Err(why), &config)).await;
            steps.skip(&AFTER_DNS[3..], "no TLS").await;
        }
        (None, None) => steps.skip(&AFTER_DNS[2..], "no handshake").await,
    }
}

async fn resolve(listener: &ListenerAddress, steps: &Steps) -> Option<Vec<SocketAddr>> {
    let began = Instant::now();
    let resolved = match timeout(DNS_LIMIT, dial::resolve(listener)).await {
        Ok(Ok(addresses)) => Ok(addresses),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(io::Error::from(ErrorKind::TimedOut).to_string()),
    };
    let host = listener.address.host();
    steps
        .tell(judge::dns(host, &resolved, began.elapsed(), MOST))
        .await;
    let mut addresses = resolved.ok()?;
    addresses.truncate(MOST);
    (!addresses.is_empty()).then_some(addresses)
}

/// The addresses from which something may come back.
async fn reach(addresses: &[SocketAddr], steps: &Steps) -> Vec<SocketAddr> {
    let mut asking = JoinSet::new();
    for (index, address) in addresses.iter().copied().enumerate() {
        asking.spawn(async move { (index, address, udp::reach(address, rand::random()).await) });
    }
    let mut reached = asking.join_all().await;
    reached.sort_by_key(|(index, ..)| *index);
    let open = |reach: &Reach| matches!(reach, Reach::Quic { .. } | Reach::Silence);
    let works = reached
        .iter()
        .any(|(_, _, reach)| matches!(reach, Reach::Quic { .. }));
    for (_, address, reach) in &reached {
        steps.tell(judge::udp(*address, reach, works)).await;
    }
    let open = reached.into_iter().filter(|(_, _, reach)| open(reach));
    open.map(|(_, address, _)| address).collect()
}

async fn shake_hands(
    addresses: &[SocketAddr],
    listener: &ListenerAddress,
    client: Arc<Material>,
    config: &Arc<Config>,
) -> Vec<(SocketAddr, Handshake)> {
    let mut shaking = JoinSet::new();
    for (index, address) in addresses.iter().copied().enumerate() {
        let (listener, client, config) = (listener.clone(), client.clone(), config.clone());
        shaking.spawn(async move {
            let shaken = dial::shake_hands(address, &listener, &client, &config).await;
            (index, address, handshake(shaken))
        });
    }
    let mut shaken = shaking.join_all().await;
    shaken.sort_by_key(|(index, ..)| *index);
    let shaken = shaken.into_iter();
    shaken
        .map(|(_, address, handshake)| (address, handshake))
        .collect()
}

fn handshake(shaken: Result<(Endpoint, Connection), DialError>) -> Handshake {
    match shaken {
        Ok(connected) => Handshake::Done(Box::new(connected)),
        Err(DialError::Closed {
            source: Closed::Tls(why),
            ..
        }) => Handshake::Tls(why),
        Err(other) => Handshake::Failed(other),
    }
}

/// What is asked of an established connection. The listener may turn out to refuse our certificate only now: in TLS 1.3
/// it sees it last.
async fn ask(connection: Connection, config: &Config, steps: &Steps) {
    let session = Session::over_quic(connection.clone(), Protocol::V2, &config.transport);
    let admission = verdict(&session).await;
    let shown = match &admission {
        Admission::Closed(Closed::Tls(why)) => Err(why.clone()),
        Admission::Closed(_) | Admission::Probed(_) | Admission::Odd(_) | Admission::Silent => {
            Ok(shown(&session))
        }
    };
    steps.tell(judge::tls(&shown, config)).await;
    if shown.is_err() {
        return steps.skip(&AFTER_DNS[3..], "no TLS").await;
    }
    steps.tell(judge::admission(&admission)).await;
    match admission {
        Admission::Probed(_) => steps.tell(judge::mtu(path_mtu(&connection).await)).await,
        Admission::Closed(_) | Admission::Odd(_) | Admission::Silent => {
            steps
                .skip(&AFTER_DNS[4..], "the listener closed the connection")
                .await;
        }
    }
    session.close(CloseCode::Closed);
}

fn shown(session: &Session) -> Shown {
    let certificates = session.peer_certificates();
    Shown {
        leaf: certificates
            .first()
            .and_then(|leaf| CertificateFacts::from_der(leaf).ok()),
        certificates: certificates.len(),
        rtt: session.rtt(),
    }
}

/// Asks the listener whether it would take a session, without one.
async fn verdict(session: &Session) -> Admission {
    match timeout(VERDICT_LIMIT, probe(session)).await {
        Ok(Ok(probed)) => Admission::Probed(probed),
        Ok(Err(error)) => match timeout(LAST_WORDS, session.closed()).await {
            Ok(closed) => Admission::Closed(closed),
            Err(_) => Admission::Odd(error.to_string()),
        },
        Err(_) => Admission::Silent,
    }
}

async fn probe(session: &Session) -> Result<Probed, FrameIoError> {
    let (mut send, mut recv) = session.open_stream().await.map_err(StreamError::from)?;
    write_frame(&mut send, &Message::Probe(dial::introduction())).await?;
    match read_frame(&mut recv).await? {
        Message::Probed(probed) => Ok(probed),
        Message::Hello(_)
        | Message::Welcome(_)
        | Message::Probe(_)
        | Message::Ping { .. }
        | Message::Pong { .. }
        | Message::Window { .. }
        | Message::Goaway { .. } => Err(StreamError::Early.into()),
    }
}

/// What path MTU discovery (RFC 8899) has found once it rests, in bytes of UDP payload.
async fn path_mtu(connection: &Connection) -> u16 {
    let (began, mut mtu, mut since) = (Instant::now(), 0, Instant::now());
    loop {
        let now = connection.stats().path.current_mtu;
        if now != mtu {
            (mtu, since) = (now, Instant::now());
        }
        let rested = since.elapsed() >= MTU_REST && mtu > judge::LEAST_MTU;
        if rested || began.elapsed() >= MTU_LIMIT {
            return mtu;
        }
        sleep(MTU_LOOK).await;
    }
}
