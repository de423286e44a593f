//! A session: one authenticated connection between a connector and a listener, over whatever carrier.
//!
//! Everything above this module knows [`Session`], [`SendHalf`] and [`RecvHalf`] only. A second carrier is a second
//! variant of the enums in here.

mod closed;
pub mod control;
pub mod flow;
mod frame;
pub mod quic;
mod stream;
#[cfg(test)]
pub(crate) mod testing;

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use rustls::pki_types::CertificateDer;

use self::flow::Windows;
pub use self::{
    closed::Closed,
    frame::{FrameIoError, read_frame, write_frame},
    stream::{RecvHalf, SendHalf, StreamError},
};
use crate::wire::{Protocol, close::CloseCode};

/// One session; clones are handles of the same one.
#[derive(Debug, Clone)]
pub struct Session {
    carrier: Carrier,
    protocol: Protocol,
    windows: Arc<Windows>,
}

#[derive(Debug, Clone)]
enum Carrier {
    Quic(quic::QuicCarrier),
}

impl Session {
    /// A session over an established QUIC connection that was configured with these settings.
    pub fn over_quic(
        connection: quinn::Connection,
        protocol: Protocol,
        settings: &quic::TransportSettings,
    ) -> Self {
        let windows = Arc::new(Windows::default());
        let quic = quic::QuicCarrier::new(connection, protocol, windows.clone(), settings);
        Self {
            carrier: Carrier::Quic(quic),
            protocol,
            windows,
        }
    }

    /// The windows of its streams; a [control loop](control::ControlLoop) carries the grants.
    pub fn windows(&self) -> &Arc<Windows> {
        &self.windows
    }

    /// Opens a bidirectional stream; waits while the peer's limit of streams is reached.
    ///
    /// # Errors
    /// [`Closed`] when the session ends first.
    ///
    /// # Cancel safety
    /// Cancel safe: a stream that nobody took is never opened.
    pub async fn open_stream(&self) -> Result<(SendHalf, RecvHalf), Closed> {
        match &self.carrier {
            Carrier::Quic(quic) => quic.open_stream().await,
        }
    }

    /// The next bidirectional stream that the peer opens.
    ///
    /// # Errors
    /// [`Closed`] when the session has ended.
    ///
    /// # Cancel safety
    /// Cancel safe: no stream is lost.
    pub async fn accept_stream(&self) -> Result<(SendHalf, RecvHalf), Closed> {
        match &self.carrier {
            Carrier::Quic(quic) => quic.accept_stream().await,
        }
    }

    /// So many streams of the peer are running: lets it open as many again, up to the limit of the settings. To be told
    /// with every stream that is accepted.
    pub fn make_room(&self, running: usize) {
        match &self.carrier {
            Carrier::Quic(quic) => quic.make_room(running),
        }
    }

    /// Sends the spare copies of what interactive streams send, and takes in those of the peer. A
    /// [control loop](control::ControlLoop) does; where there is none it is to be done in its place.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn carry_spares(&self) -> Infallible {
        match &self.carrier {
            Carrier::Quic(quic) => quic.carry_spares().await,
        }
    }

    /// Ends the session at once and tells the peer why. What is in flight is lost.
    pub fn close(&self, code: CloseCode) {
        match &self.carrier {
            Carrier::Quic(quic) => quic.close(code, code.text()),
        }
    }

    /// As [`Self::close`], with a text of our own in place of the code's. The peer shows at most what fits into a packet.
    pub fn close_because(&self, code: CloseCode, why: &str) {
        match &self.carrier {
            Carrier::Quic(quic) => quic.close(code, why),
        }
    }

    /// Completes when the session has ended, with the cause.
    pub async fn closed(&self) -> Closed {
        match &self.carrier {
            Carrier::Quic(quic) => quic.closed().await,
        }
    }

    /// Whether the peer's carrier answers within the time limit. It proves the peer's network stack and process, not
    /// its control loop; for sessions without a control stream.
    pub async fn answers(&self, within: Duration) -> bool {
        match &self.carrier {
            Carrier::Quic(quic) => quic.answers(within).await,
        }
    }

    /// Where the peer's packets come from now (it changes when a NAT forgets its mapping).
    pub fn peer_address(&self) -> SocketAddr {
        match &self.carrier {
            Carrier::Quic(quic) => quic.peer_address(),
        }
    }

    /// The current estimate of the round-trip time.
    pub fn rtt(&self) -> Duration {
        match &self.carrier {
            Carrier::Quic(quic) => quic.rtt(),
        }
    }

    /// The certificates that the peer sent, leaf first. The handshake verified the leaf; the rest is what the peer
    /// chose to send.
    pub fn peer_certificates(&self) -> Vec<CertificateDer<'static>> {
        match &self.carrier {
            Carrier::Quic(quic) => quic.peer_certificates(),
        }
    }

    /// The carrier's name, as DESIGN and the API spell it.
    pub fn carrier(&self) -> &'static str {
        match &self.carrier {
            Carrier::Quic(_) => "quic",
        }
    }

    /// The protocol that both sides speak on it.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }
}
