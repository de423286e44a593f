//! A download without end through an opening, which somebody cuts.

use std::{
    io::Read,
    net::{Ipv4Addr, SocketAddr},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::{
    client::{self, RESET, Received},
    listener::Listener,
    target::Target,
};

/// The download, its target and its opening.
pub struct Download {
    port: u16,
    client: JoinHandle<(Received, Instant)>,
    _target: Target,
}

impl Download {
    /// Opens a port for a UID and reads from it; the first bytes have come.
    ///
    /// # Panics
    /// When nothing comes.
    pub fn start(listener: &Listener, uid: &str) -> Self {
        let target = Target::trickle();
        let view = listener.api.open(uid, 0, target.address).ok();
        let port = u16::try_from(view["port"].as_u64().unwrap()).unwrap();
        let mut tcp = client::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        tcp.read_exact(&mut [0; 64]).unwrap();
        let client = thread::spawn(move || (client::read_all(&tcp), Instant::now()));
        Self {
            port,
            client,
            _target: target,
        }
    }

    /// Whether it still runs.
    pub fn runs(&self) -> bool {
        !self.client.is_finished()
    }

    /// Expects it to be cut with a reset, at most `limit` after `since`, and its opening to wait for the connector.
    ///
    /// # Panics
    /// When it is otherwise.
    pub fn is_cut(self, listener: &Listener, since: Instant, limit: Duration) {
        let port = self.port;
        self.is_reset(since, limit);
        listener.api.wait_state(port, "waiting");
    }

    /// Expects it to be cut with a reset, at most `limit` after `since`.
    ///
    /// # Panics
    /// When it is otherwise.
    pub fn is_reset(self, since: Instant, limit: Duration) {
        crate::until("the download is cut", || (!self.runs()).then_some(()));
        let (received, at) = self.client.join().expect("the client");
        assert_eq!(received.end, RESET, "after {} bytes", received.bytes);
        let took = at.saturating_duration_since(since);
        assert!(took <= limit, "cut after {took:?}, promised {limit:?}");
        println!("cut after {took:?}");
    }
}
