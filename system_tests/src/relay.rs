//! The network between connectors and a listener: a UDP forwarder that can be cut, mended, and made to forget its port
//! mapping as a NAT does.

use std::{
    collections::HashMap,
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::JoinHandle,
    time::Duration,
};

/// How often the threads look whether they shall end.
const TICK: Duration = Duration::from_millis(100);

/// The relay.
pub struct Relay {
    /// Where connectors dial.
    pub address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    front: UdpSocket,
    listener: SocketAddr,
    cut: AtomicBool,
    stop: AtomicBool,
    /// For each connector the socket that speaks for it.
    mappings: Mutex<HashMap<SocketAddr, UdpSocket>>,
}

impl Relay {
    /// A relay to a listener.
    pub fn new(listener: SocketAddr) -> Self {
        let front = UdpSocket::bind("127.0.0.1:0").unwrap();
        front.set_read_timeout(Some(TICK)).unwrap();
        let address = front.local_addr().unwrap();
        let shared = Arc::new(Shared {
            front,
            listener,
            cut: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            mappings: Mutex::default(),
        });
        let running = shared.clone();
        let thread = std::thread::spawn(move || running.forward());
        Self {
            address,
            shared,
            thread: Some(thread),
        }
    }

    /// Loses every packet from now on.
    pub fn cut(&self) {
        self.shared.cut.store(true, Relaxed);
    }

    /// Ends [`Self::cut`].
    pub fn mend(&self) {
        self.shared.cut.store(false, Relaxed);
    }

    /// Forgets all mappings: the next packet of each connector comes from a new port.
    pub fn rebind(&self) {
        self.shared.mappings.lock().unwrap().clear();
    }
}

impl Shared {
    fn forward(self: &Arc<Self>) {
        let mut buffer = vec![0; 65_536];
        while !self.stop.load(Relaxed) {
            let Ok((count, from)) = self.front.recv_from(&mut buffer) else {
                continue;
            };
            if !self.cut.load(Relaxed) {
                // A packet that the kernel does not take is a lost packet.
                let _ = self.mapping(from).send(&buffer[..count]);
            }
        }
    }

    fn mapping(self: &Arc<Self>, connector: SocketAddr) -> UdpSocket {
        let mut mappings = self.mappings.lock().unwrap();
        let back = mappings.entry(connector).or_insert_with(|| {
            let back = UdpSocket::bind("127.0.0.1:0").unwrap();
            back.connect(self.listener).unwrap();
            back.set_read_timeout(Some(TICK)).unwrap();
            let (shared, socket) = (self.clone(), back.try_clone().unwrap());
            std::thread::spawn(move || shared.answer(&socket, connector));
            back
        });
        back.try_clone().unwrap()
    }

    /// Carries answers back for as long as the mapping stands.
    fn answer(&self, back: &UdpSocket, connector: SocketAddr) {
        let mut buffer = vec![0; 65_536];
        let port = back.local_addr().unwrap().port();
        let stands = || {
            let mappings = self.mappings.lock().unwrap();
            let now = mappings.get(&connector);
            now.is_some_and(|socket| socket.local_addr().unwrap().port() == port)
        };
        while !self.stop.load(Relaxed) && stands() {
            if let Ok(count) = back.recv(&mut buffer)
                && !self.cut.load(Relaxed)
                && stands()
            {
                let _ = self.front.send_to(&buffer[..count], connector);
            }
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.stop.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
