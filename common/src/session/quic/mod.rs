//! The QUIC carrier (RFC 9000): connection, transport parameters, congestion control, socket, endpoint keys.

mod allowance;
mod budget;
pub mod congestion;
mod endpoint;
mod keys;
mod recv;
mod send;
mod spares;
mod transport;
mod udp;

use std::{
    convert::Infallible,
    future::pending,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use quinn::VarInt;
use rustls::pki_types::CertificateDer;

use self::{allowance::Allowance, budget::SendBudget, spares::Spares};
pub use self::{
    congestion::CongestionControl,
    endpoint::endpoint,
    keys::{EndpointKeys, KeyDerivationError},
    transport::TransportSettings,
    udp::{BindError, UdpBuffers, bind},
};
pub(super) use self::{recv::QuicRecv, send::QuicSend};
use super::{
    Closed, RecvHalf, SendHalf,
    flow::{Turns, Windows},
};
use crate::wire::{Protocol, close::CloseCode};

/// How often [`QuicCarrier::answers`] looks for the answer.
const LOOK: Duration = Duration::from_millis(10);

#[derive(Debug, Clone)]
pub(super) struct QuicCarrier {
    connection: quinn::Connection,
    shared: Arc<SharedState>,
}

/// What the streams of a connection share.
#[derive(Debug)]
struct SharedState {
    windows: Arc<Windows>,
    /// Whether readers grant, and senders wait for it: in protocol 2.
    grants: bool,
    /// The most that a stream's window may grow to, in bytes.
    stream_window: u32,
    budget: SendBudget,
    turns: Arc<Turns>,
    allowance: Allowance,
    /// `None` where both sides do not take them.
    spares: Option<Spares>,
    started: Instant,
    /// Receive window of the connection as last announced by [`QuicCarrier::answers`], in bytes.
    session_window: AtomicU64,
}

impl SharedState {
    /// The session's clock.
    fn now(&self) -> Duration {
        self.started.elapsed()
    }
}

impl QuicCarrier {
    pub(super) fn new(
        connection: quinn::Connection,
        protocol: Protocol,
        windows: Arc<Windows>,
        settings: &TransportSettings,
    ) -> Self {
        let shared = SharedState {
            windows,
            grants: protocol == Protocol::V2,
            stream_window: settings.stream_window,
            budget: SendBudget::default(),
            turns: Arc::default(),
            allowance: Allowance::new(settings.max_streams),
            spares: Spares::agreed(protocol, &connection),
            started: Instant::now(),
            session_window: AtomicU64::new(settings.session_window),
        };
        Self {
            connection,
            shared: Arc::new(shared),
        }
    }

    pub(super) async fn open_stream(&self) -> Result<(SendHalf, RecvHalf), Closed> {
        let (send, recv) = self.connection.open_bi().await?;
        Ok(self.halves(send, recv))
    }

    pub(super) async fn accept_stream(&self) -> Result<(SendHalf, RecvHalf), Closed> {
        let (send, recv) = self.connection.accept_bi().await?;
        Ok(self.halves(send, recv))
    }

    pub(super) fn make_room(&self, running: usize) {
        if let Some(streams) = self.shared.allowance.raise(running) {
            self.connection
                .set_max_concurrent_bi_streams(streams.into());
        }
    }

    fn halves(&self, send: quinn::SendStream, recv: quinn::RecvStream) -> (SendHalf, RecvHalf) {
        let send = QuicSend::new(send, self.connection.clone(), self.shared.clone());
        let recv = QuicRecv::new(recv, self.connection.clone(), self.shared.clone());
        (SendHalf::over_quic(send), RecvHalf::over_quic(recv))
    }

    pub(super) async fn carry_spares(&self) -> Infallible {
        match &self.shared.spares {
            Some(spares) => spares.carry(&self.connection, || self.shared.now()).await,
            None => self.drop_datagrams().await,
        }
    }

    /// The peer may send datagrams, since they are announced before the protocol is known.
    async fn drop_datagrams(&self) -> Infallible {
        while self.connection.read_datagram().await.is_ok() {}
        pending().await
    }

    pub(super) fn close(&self, code: CloseCode, why: &str) {
        let number = VarInt::from_u32(code.number());
        self.connection.close(number, why.as_bytes());
        congestion::open(&self.connection);
        // Nothing but wakes the connection up: it may have looked at its window before that.
        self.connection.close(number, why.as_bytes());
    }

    pub(super) async fn closed(&self) -> Closed {
        self.connection.closed().await.into()
    }

    /// quinn has no way to ask for a PING frame, but announcing a larger window is a frame that the peer must
    /// acknowledge (RFC 9000, section 13.2.1). Each call adds one byte to the window.
    pub(super) async fn answers(&self, within: Duration) -> bool {
        let before = self.connection.stats().frame_rx.acks;
        let window = self.shared.session_window.fetch_add(1, Relaxed) + 1;
        self.connection
            .set_receive_window(VarInt::from_u64(window).unwrap_or(VarInt::MAX));
        let acknowledged = async {
            while self.connection.stats().frame_rx.acks == before {
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::select! {
            answered = tokio::time::timeout(within, acknowledged) => answered.is_ok(),
            _ = self.connection.closed() => false,
        }
    }

    pub(super) fn peer_address(&self) -> SocketAddr {
        let address = self.connection.remote_address();
        SocketAddr::new(address.ip().to_canonical(), address.port())
    }

    pub(super) fn rtt(&self) -> Duration {
        self.connection.rtt()
    }

    pub(super) fn peer_certificates(&self) -> Vec<CertificateDer<'static>> {
        self.connection
            .peer_identity()
            .and_then(|identity| identity.downcast::<Vec<CertificateDer<'static>>>().ok())
            .map(|certificates| *certificates)
            .unwrap_or_default()
    }
}

/// The protocol that the handshake agreed on; `None` when the peer and we share none.
pub fn negotiated(connection: &quinn::Connection) -> Option<Protocol> {
    let data = connection.handshake_data()?;
    let data = data
        .downcast::<quinn::crypto::rustls::HandshakeData>()
        .ok()?;
    Protocol::from_alpn(data.protocol.as_deref()?)
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
