//! socket-warp 1.x, both sides, written afresh from its wire format: a 1,024-byte header, then raw bytes, and both
//! directions end as soon as one ends.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use quinn::{
    Connection, Endpoint, RecvStream, SendStream, ServerConfig, crypto::rustls::QuicServerConfig,
};
use rustls::{RootCertStore, crypto::aws_lc_rs, server::WebPkiClientVerifier, version::TLS13};
use tokio::{
    io::copy,
    net::{TcpListener, TcpStream},
    sync::watch,
};

use crate::{
    peer::{ALPN_V1, Peer, runtime, transport, wait},
    pki::Issued,
    site::Site,
};

/// A 1.x connector with a session.
pub struct LegacyConnector {
    peer: Peer,
    headers: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl LegacyConnector {
    /// Connects.
    ///
    /// # Panics
    /// When the handshake fails.
    pub fn start(site: &Site, certificate: Issued, listener: SocketAddr) -> Self {
        let peer = Peer::speaking(ALPN_V1, site, Some(certificate), listener);
        let peer = peer.expect("a connection");
        let headers = Arc::new(Mutex::new(Vec::new()));
        runtime().spawn(serve(peer.connection.clone(), headers.clone()));
        Self { peer, headers }
    }

    /// The headers that have come so far.
    pub fn headers(&self) -> Vec<Vec<u8>> {
        self.headers.lock().unwrap().clone()
    }

    /// The connection.
    pub fn connection(&self) -> &Connection {
        &self.peer.connection
    }
}

async fn serve(connection: Connection, headers: Arc<Mutex<Vec<Vec<u8>>>>) {
    while let Ok((send, mut recv)) = connection.accept_bi().await {
        let headers = headers.clone();
        tokio::spawn(async move {
            let mut header = [0; 1024];
            recv.read_exact(&mut header).await.ok()?;
            headers.lock().unwrap().push(header.to_vec());
            let text: Vec<u8> = header.into_iter().filter(|byte| *byte != 0).collect();
            let text = String::from_utf8(text).ok()?;
            let (_, target) = text.split_once('|')?;
            // A failure just drops the stream.
            let tcp = TcpStream::connect(target).await.ok()?;
            exchange(tcp, send, recv).await;
            Some(())
        });
    }
}

/// The copy of 1.x. Dropping the halves finishes the one and stops the other with code 0.
async fn exchange(mut tcp: TcpStream, mut send: SendStream, mut recv: RecvStream) {
    let (mut from, mut to) = tcp.split();
    tokio::select! {
        _ = copy(&mut from, &mut send) => {}
        _ = copy(&mut recv, &mut to) => {}
    }
}

/// A 1.x listener; it takes one connector after the other.
pub struct LegacyListener {
    /// Where connectors dial.
    pub address: SocketAddr,
    connection: watch::Receiver<Option<Connection>>,
    _endpoint: Endpoint,
}

impl LegacyListener {
    /// Starts one.
    pub fn start(site: &Site) -> Self {
        let config = server_config(site);
        let listener: SocketAddr = ([127, 0, 0, 1], 0).into();
        let endpoint = wait(async { Endpoint::server(config, listener) }).unwrap();
        let address = endpoint.local_addr().unwrap();
        let (sender, connection) = watch::channel(None);
        let accepting = endpoint.clone();
        runtime().spawn(async move {
            while let Some(incoming) = accepting.accept().await {
                if let Ok(connection) = incoming.await {
                    sender.send_replace(Some(connection));
                }
            }
        });
        Self {
            address,
            connection,
            _endpoint: endpoint,
        }
    }

    /// Whether a connector has come.
    pub fn has_connector(&self) -> bool {
        self.connection.borrow().is_some()
    }

    /// Waits for a connector.
    pub fn wait_connector(&self) -> Connection {
        let mut connection = self.connection.clone();
        let found = wait(connection.wait_for(Option::is_some)).unwrap().clone();
        found.expect("it was waited for")
    }

    /// A port on which every client gets a stream with this header, padded as 1.x does.
    ///
    /// # Panics
    /// When the header has more than 1,024 bytes.
    pub fn open(&self, header: &[u8]) -> SocketAddr {
        let mut padded = [0; 1024];
        padded[..header.len()].copy_from_slice(header);
        let connection = self.wait_connector();
        let tcp = wait(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = tcp.local_addr().unwrap();
        runtime().spawn(async move {
            while let Ok((client, _)) = tcp.accept().await {
                let connection = connection.clone();
                tokio::spawn(async move {
                    let (mut send, recv) = connection.open_bi().await.ok()?;
                    send.write_all(&padded).await.ok()?;
                    exchange(client, send, recv).await;
                    Some(())
                });
            }
        });
        address
    }
}

fn server_config(site: &Site) -> ServerConfig {
    let mut clients = RootCertStore::empty();
    clients.add(site.ca.der()).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(clients), provider.clone()).build();
    let issued = site.ca.server();
    let key = issued.key_der();
    let mut crypto = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .with_client_cert_verifier(verifier.unwrap())
        .with_single_cert(issued.chain, key)
        .unwrap();
    crypto.alpn_protocols = vec![ALPN_V1.to_vec()];
    let crypto = QuicServerConfig::try_from(crypto).unwrap();
    let mut config = ServerConfig::with_crypto(Arc::new(crypto));
    config.transport_config(Arc::new(transport()));
    config
}
