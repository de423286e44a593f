//! A connector made of the QUIC library alone, which can do what ours never would.

use std::{
    future::Future,
    net::SocketAddr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
};

use quinn::{
    Connection, ConnectionError, Endpoint, RecvStream, SendStream, TransportConfig, VarInt,
    crypto::rustls::QuicClientConfig,
};
use rustls::{
    ClientConfig, NamedGroup, RootCertStore,
    client::{ClientSessionStore, Resumption, Tls12ClientSessionValue, Tls13ClientSessionValue},
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName},
    version::TLS13,
};
use serde_json::{Value, json};
use tokio::{
    runtime::{Builder, Handle},
    time::timeout,
};

use crate::{PATIENCE, pki::Issued, site::Site};

/// ALPN of protocol 2.
pub const ALPN_V2: &[u8] = b"socket-warp/2";
/// ALPN of protocol 1.
pub const ALPN_V1: &[u8] = b"hq-29";

/// The runtime of everything here that speaks QUIC, on a thread of its own.
pub fn runtime() -> &'static Handle {
    static HANDLE: OnceLock<Handle> = OnceLock::new();
    HANDLE.get_or_init(|| {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let handle = runtime.handle().clone();
        thread::spawn(move || runtime.block_on(std::future::pending::<()>()));
        handle
    })
}

/// Waits for a future, but not longer than [`PATIENCE`].
///
/// # Panics
/// When it takes longer.
pub fn wait<T>(future: impl Future<Output = T>) -> T {
    let bounded = async { timeout(PATIENCE, future).await };
    runtime().block_on(bounded).expect("in time")
}

/// One connection.
pub struct Peer {
    /// The connection.
    pub connection: Connection,
    control: Option<(SendStream, RecvStream)>,
    tickets: Arc<Tickets>,
    _endpoint: Endpoint,
}

impl Peer {
    /// Connects with protocol 2. TLS 1.3 lets a client finish before the server has looked at its certificate, so a
    /// refusal shows in [`Self::closed`].
    ///
    /// # Panics
    /// When the listener does not answer.
    pub fn connect(site: &Site, certificate: Option<Issued>, listener: SocketAddr) -> Self {
        Self::speaking(ALPN_V2, site, certificate, listener).expect("a connection")
    }

    /// Connects with any protocol.
    ///
    /// # Errors
    /// When the handshake fails.
    pub fn speaking(
        alpn: &[u8],
        site: &Site,
        certificate: Option<Issued>,
        listener: SocketAddr,
    ) -> Result<Self, ConnectionError> {
        let tickets = Arc::new(Tickets::default());
        let config = config(alpn, site, certificate, tickets.clone());
        let connecting = async {
            let endpoint = Endpoint::client(([127, 0, 0, 1], 0).into()).unwrap();
            let connecting = endpoint.connect_with(config, listener, "localhost");
            Ok::<_, ConnectionError>((connecting.unwrap().await?, endpoint))
        };
        let (connection, endpoint) = wait(connecting)?;
        Ok(Self {
            connection,
            control: None,
            tickets,
            _endpoint: endpoint,
        })
    }

    /// Opens the control stream with these bytes; it stays open.
    pub fn say(&mut self, bytes: &[u8]) {
        let opening = async {
            let (mut send, recv) = self.connection.open_bi().await.ok()?;
            send.write_all(bytes).await.ok()?;
            Some((send, recv))
        };
        self.control = wait(opening);
    }

    /// More bytes on the control stream.
    pub fn say_more(&mut self, bytes: &[u8]) {
        if let Some((send, _)) = &mut self.control {
            // A listener that has closed the session is found out otherwise.
            let _ = wait(send.write_all(bytes));
        }
    }

    /// The next frame on the control stream; nothing when the session is closed instead.
    pub fn hear(&mut self) -> Option<Value> {
        let (_, recv) = self.control.as_mut()?;
        wait(async {
            let mut prefix = [0; 2];
            recv.read_exact(&mut prefix).await.ok()?;
            let mut body = vec![0; u16::from_be_bytes(prefix).into()];
            recv.read_exact(&mut body).await.ok()?;
            serde_json::from_slice(&body).ok()
        })
    }

    /// Says hello: the listener's welcome, or nothing when it closes the session.
    pub fn hello(&mut self) -> Option<Value> {
        self.say(&frame(&json!({"type": "hello", "version": 2})));
        self.hear()
    }

    /// Waits for the end of the connection.
    ///
    /// # Panics
    /// When it goes on.
    pub fn closed(&self) -> ConnectionError {
        wait(self.connection.closed())
    }

    /// Waits for the listener to close the session: its close code.
    ///
    /// # Panics
    /// When it ends otherwise.
    pub fn close_code(&self) -> u64 {
        self.refusal().0
    }

    /// Waits for the listener to close the session: its close code and its words.
    ///
    /// # Panics
    /// When it ends otherwise.
    pub fn refusal(&self) -> (u64, String) {
        match self.closed() {
            ConnectionError::ApplicationClosed(close) => {
                let words = String::from_utf8_lossy(&close.reason).into_owned();
                (close.error_code.into_inner(), words)
            }
            other => panic!("the listener's close expected, not {other}"),
        }
    }

    /// The certificate that the listener showed.
    ///
    /// # Panics
    /// When it showed none.
    pub fn listener_leaf(&self) -> Vec<u8> {
        let shown = self.connection.peer_identity().expect("a certificate");
        let chain = shown.downcast::<Vec<CertificateDer<'static>>>();
        chain.expect("a chain").remove(0).to_vec()
    }

    /// How many session tickets the listener has sent.
    pub fn tickets(&self) -> usize {
        self.tickets.0.load(Relaxed)
    }
}

/// A frame of protocol 2.
pub fn frame(message: &Value) -> Vec<u8> {
    let body = message.to_string();
    let length = u16::try_from(body.len()).unwrap();
    [&length.to_be_bytes()[..], body.as_bytes()].concat()
}

fn config(
    alpn: &[u8],
    site: &Site,
    certificate: Option<Issued>,
    tickets: Arc<Tickets>,
) -> quinn::ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(site.ca.der()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .with_root_certificates(roots);
    let mut crypto = match certificate {
        Some(issued) => {
            let key = issued.key_der();
            builder.with_client_auth_cert(issued.chain, key).unwrap()
        }
        None => builder.with_no_client_auth(),
    };
    crypto.alpn_protocols = vec![alpn.to_vec()];
    crypto.resumption = Resumption::store(tickets);
    let crypto = QuicClientConfig::try_from(crypto).unwrap();
    let mut config = quinn::ClientConfig::new(Arc::new(crypto));
    config.transport_config(Arc::new(transport()));
    config
}

/// The transport parameters of 1.x: the library's own, a keep-alive of 50 s and an idle timeout of 60 s.
pub(crate) fn transport() -> TransportConfig {
    let mut transport = TransportConfig::default();
    transport
        .max_idle_timeout(Some(VarInt::from_u32(60_000).into()))
        .keep_alive_interval(Some(std::time::Duration::from_secs(50)));
    transport
}

/// Counts tickets and keeps none.
#[derive(Debug, Default)]
struct Tickets(AtomicUsize);

impl ClientSessionStore for Tickets {
    fn set_kx_hint(&self, _: ServerName<'static>, _: NamedGroup) {}

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        None
    }

    fn set_tls12_session(&self, _: ServerName<'static>, _: Tls12ClientSessionValue) {}

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        None
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {}

    fn insert_tls13_ticket(&self, _: ServerName<'static>, _: Tls13ClientSessionValue) {
        self.0.fetch_add(1, Relaxed);
    }

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        None
    }
}
