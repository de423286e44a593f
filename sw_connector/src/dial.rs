//! Dialling a listener: every address of its name, QUIC with mutual TLS, `hello` and `welcome`.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use common::{
    ids::SessionId,
    session::{
        Closed, FrameIoError, RecvHalf, SendHalf, Session,
        quic::{self, BindError, TransportSettings},
        read_frame, write_frame,
    },
    target::Host,
    wire::{
        Protocol,
        close::{CloseCode, Reaction},
        control::{Hello, Message, PROTOCOL_VERSION, Welcome},
    },
};
use quinn::{Endpoint, EndpointConfig};
use thiserror::Error;
use tokio::{net::lookup_host, time::timeout};
use tracing::{debug, warn};

use crate::{
    config::{Config, ListenerAddress},
    material::Material,
};

/// How long the QUIC handshake with one address may take.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(5);
/// How long the listener may take to check the certificate: its SCEP server has 5 s, a rival session 2 s.
const WELCOME_LIMIT: Duration = Duration::from_secs(15);

/// Why no session came about.
#[derive(Debug, Error)]
pub(crate) enum DialError {
    #[error("{name} cannot be resolved: {source}")]
    Resolve { name: String, source: io::Error },
    #[error("{0} has no address")]
    NoAddress(String),
    #[error(transparent)]
    Bind(#[from] BindError),
    #[error("cannot make a QUIC endpoint: {0}")]
    Endpoint(io::Error),
    #[error("{address}: {source}")]
    Connect {
        address: SocketAddr,
        source: quinn::ConnectError,
    },
    #[error(
        "{0}: no answer to the handshake: is the listener running, and does a firewall let UDP through?"
    )]
    NoAnswer(SocketAddr),
    #[error("{address}: {source}")]
    Closed { address: SocketAddr, source: Closed },
    #[error("{address}: {what}")]
    Protocol { address: SocketAddr, what: String },
}

impl DialError {
    /// Whether the listener refused us because the UID has a session.
    pub(crate) fn is_duplicate(&self) -> bool {
        let code = Some(CloseCode::DuplicateUid);
        matches!(self, Self::Closed { source, .. } if source.peer_code() == code)
    }

    /// What to do about it.
    pub(crate) fn reaction(&self) -> Reaction {
        match self {
            Self::Closed { source, .. } => source.reaction(),
            Self::Protocol { .. } => Reaction::RetrySlowly,
            Self::Resolve { .. }
            | Self::NoAddress(_)
            | Self::Bind(_)
            | Self::Endpoint(_)
            | Self::Connect { .. }
            | Self::NoAnswer(_) => Reaction::Retry,
        }
    }
}

/// A session that the listener has accepted.
pub(crate) struct Dialled {
    pub(crate) session: Session,
    /// Held for as long as the session: it owns the socket.
    pub(crate) endpoint: Endpoint,
    /// The control stream and the welcome; `None` in protocol 1.
    pub(crate) control: Option<(SendHalf, RecvHalf, Welcome)>,
}

/// Tries every address of a listener until one accepts. `replaces` is the session to that listener which the new one
/// shall take over from.
///
/// # Errors
/// The [`DialError`] of the last address.
///
/// # Cancel safety
/// Cancel safe: the attempt is given up.
pub(crate) async fn dial(
    listener: &ListenerAddress,
    config: &Config,
    material: &Material,
    replaces: Option<SessionId>,
) -> Result<Dialled, DialError> {
    let mut last = DialError::NoAddress(listener.address.to_string());
    for address in resolve(listener).await? {
        debug!(%address, "dialling");
        match dial_address(address, listener, material, config, replaces).await {
            Ok(dialled) => return Ok(dialled),
            // A listener that said no is more telling than an address without an answer.
            Err(error) if last.reaction() != Reaction::RetrySlowly => last = error,
            Err(_) => {}
        }
    }
    Err(last)
}

pub(crate) async fn resolve(listener: &ListenerAddress) -> Result<Vec<SocketAddr>, DialError> {
    let port = listener.address.port();
    match listener.address.host() {
        Host::Ip(ip) => Ok(vec![SocketAddr::new(*ip, port)]),
        Host::Name(name) => match lookup_host((name.as_str(), port)).await {
            Ok(addresses) => Ok(addresses.collect()),
            Err(source) => Err(DialError::Resolve {
                name: name.clone(),
                source,
            }),
        },
    }
}

/// The QUIC handshake with one address.
///
/// # Errors
/// [`DialError`].
pub(crate) async fn shake_hands(
    address: SocketAddr,
    listener: &ListenerAddress,
    material: &Material,
    config: &Config,
) -> Result<(Endpoint, quinn::Connection), DialError> {
    let transport = config.transport.towards(address);
    let endpoint = endpoint(address, config, &transport)?;
    let mut client = material.client().clone();
    client.transport_config(Arc::new(transport.to_quinn()));
    let connecting = endpoint
        .connect_with(client, address, &listener.name)
        .map_err(|source| DialError::Connect { address, source })?;
    let connection = timeout(HANDSHAKE_LIMIT, connecting)
        .await
        .map_err(|_| DialError::NoAnswer(address))?
        .map_err(|error| DialError::Closed {
            address,
            source: error.into(),
        })?;
    Ok((endpoint, connection))
}

async fn dial_address(
    address: SocketAddr,
    listener: &ListenerAddress,
    material: &Material,
    config: &Config,
    replaces: Option<SessionId>,
) -> Result<Dialled, DialError> {
    let (endpoint, connection) = shake_hands(address, listener, material, config).await?;
    let protocol = quic::negotiated(&connection).ok_or_else(|| DialError::Protocol {
        address,
        what: "the listener agreed on no protocol".to_owned(),
    })?;
    let session = Session::over_quic(connection, protocol, &config.transport);
    let control = match protocol {
        Protocol::V1 => {
            warn!(%address, "the listener speaks protocol 1 (socket-warp 1.x): half-closed transfers cannot be carried");
            None
        }
        Protocol::V2 => Some(greet(&session, address, replaces).await?),
    };
    Ok(Dialled {
        session,
        endpoint,
        control,
    })
}

/// A socket of its own for every dial: a port that a NAT or a firewall has turned against us is not used again.
fn endpoint(
    address: SocketAddr,
    config: &Config,
    transport: &TransportSettings,
) -> Result<Endpoint, DialError> {
    let any: IpAddr = match address {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let (socket, buffers) = quic::bind(SocketAddr::new(any, 0), config.udp_buffer)?;
    if let Some(advice) = buffers.advice() {
        debug!("{advice}");
    }
    quic::endpoint(socket, EndpointConfig::default(), None, transport).map_err(DialError::Endpoint)
}

async fn greet(
    session: &Session,
    address: SocketAddr,
    replaces: Option<SessionId>,
) -> Result<(SendHalf, RecvHalf, Welcome), DialError> {
    let error = match timeout(WELCOME_LIMIT, say_hello(session, replaces)).await {
        Ok(Ok(control)) => return Ok(control),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "the listener did not welcome us in time".to_owned(),
    };
    // The stream breaks off because the session was closed: that is the cause to tell.
    match timeout(Duration::from_millis(100), session.closed()).await {
        Ok(source) => Err(DialError::Closed { address, source }),
        Err(_) => Err(DialError::Protocol {
            address,
            what: error,
        }),
    }
}

async fn say_hello(
    session: &Session,
    replaces: Option<SessionId>,
) -> Result<(SendHalf, RecvHalf, Welcome), FrameIoError> {
    let (mut send, mut recv) = session
        .open_stream()
        .await
        .map_err(common::session::StreamError::from)?;
    let hello = Hello {
        replaces,
        ..introduction()
    };
    write_frame(&mut send, &Message::Hello(hello)).await?;
    match read_frame(&mut recv).await? {
        Message::Welcome(welcome) => Ok((send, recv, welcome)),
        Message::Hello(_)
        | Message::Probe(_)
        | Message::Probed(_)
        | Message::Ping { .. }
        | Message::Pong { .. }
        | Message::Window { .. }
        | Message::Goaway { .. } => Err(common::session::StreamError::Early.into()),
    }
}

/// What this connector says of itself.
pub(crate) fn introduction() -> Hello {
    Hello {
        version: PROTOCOL_VERSION,
        software: common::VERSION.to_owned(),
        hostname: hostname(),
        capabilities: Vec::new(),
        replaces: None,
    }
}

/// For people only; an empty one is fine.
fn hostname() -> String {
    let name = rustix::system::uname();
    name.nodename()
        .to_string_lossy()
        .chars()
        .take(255)
        .collect()
}
