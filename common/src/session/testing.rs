//! Two sessions joined over loopback, for tests.

use std::{net::SocketAddr, sync::Arc};

use quinn::{Endpoint, EndpointConfig};
use rustls::{
    RootCertStore,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};

use tokio_util::task::AbortOnDropHandle;

use super::{
    Session,
    quic::{self, TransportSettings},
};
use crate::{
    tls,
    tls::{Credentials, ListenerChecks, TlsPolicy},
    wire::Protocol,
};

/// A listener's and a connector's session over one connection, and what keeps them alive.
pub(crate) struct Pair {
    pub(crate) listener: Session,
    pub(crate) connector: Session,
    _endpoints: [Endpoint; 2],
    _grants: [AbortOnDropHandle<()>; 2],
}

/// A pair with these transport parameters on both sides.
pub(crate) async fn pair(protocol: Protocol, settings: &TransportSettings) -> Pair {
    let (credentials, roots) = certificate();
    let again = clone(&credentials);
    let (policy, checks) = (TlsPolicy::default(), ListenerChecks::default());
    let transport = Arc::new(settings.to_quinn());
    let crypto = tls::server_config(credentials, roots.clone(), &policy, true).expect("server");
    let mut server = quinn::ServerConfig::with_crypto(Arc::new(crypto));
    server.transport_config(transport.clone());
    let crypto = tls::client_config(again, roots, &policy, &checks, true).expect("client");
    let mut client = quinn::ClientConfig::new(Arc::new(crypto));
    client.transport_config(transport);
    let (near, far) = (endpoint(None, settings), endpoint(Some(server), settings));
    let address = far.local_addr().expect("bound");
    let connecting = near
        .connect_with(client, address, "localhost")
        .expect("connect");
    let accepting = async { far.accept().await.expect("open").await.expect("handshake") };
    let (connected, accepted) = tokio::join!(connecting, accepting);
    let listener = Session::over_quic(accepted, protocol, settings);
    let connector = Session::over_quic(connected.expect("handshake"), protocol, settings);
    let grants = [
        carry_grants(&listener, &connector),
        carry_grants(&connector, &listener),
    ];
    Pair {
        listener,
        connector,
        _endpoints: [near, far],
        _grants: grants,
    }
}

/// What the control loops do, for pairs without them.
fn carry_grants(from: &Session, to: &Session) -> AbortOnDropHandle<()> {
    let (from, to) = (from.windows().clone(), to.windows().clone());
    AbortOnDropHandle::new(tokio::spawn(async move {
        loop {
            let (stream, offset) = from.next_grant().await;
            to.heard(stream, offset);
        }
    }))
}

fn endpoint(server: Option<quinn::ServerConfig>, settings: &TransportSettings) -> Endpoint {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let (socket, _) = quic::bind(any, 1 << 16).expect("bind");
    quic::endpoint(socket, EndpointConfig::default(), server, settings).expect("endpoint")
}

/// One self-signed certificate for both sides.
fn certificate() -> (Credentials, RootCertStore) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("made");
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).expect("a root");
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let credentials = Credentials {
        chain: vec![made.cert.der().clone()],
        key: PrivateKeyDer::Pkcs8(key),
    };
    (credentials, roots)
}

fn clone(credentials: &Credentials) -> Credentials {
    Credentials {
        chain: credentials.chain.clone(),
        key: credentials.key.clone_key(),
    }
}
