//! TCP servers that the connector dials: well-behaved ones and others.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc::{self, Receiver},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use socket2::{Domain, Socket, Type};

use crate::{PATIENCE, client, ports};

/// Time between two kilobytes of [`Target::trickle`].
const TRICKLE: Duration = Duration::from_millis(20);

/// A server; a thread per connection.
pub struct Target {
    /// Where it listens.
    pub address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Target {
    /// Gives every connection to `handler`, in a thread of its own.
    pub fn new(handler: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").unwrap(), handler)
    }

    /// The same on a socket that is bound already.
    pub fn on(listener: TcpListener, handler: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        let address = listener.local_addr().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, handler) = (stop.clone(), Arc::new(handler));
        let thread = thread::spawn(move || {
            for tcp in listener.incoming() {
                if stopped.load(Relaxed) {
                    return;
                }
                let Ok(tcp) = tcp else { continue };
                client::prepare(&tcp, PATIENCE);
                let handler = handler.clone();
                thread::spawn(move || handler(tcp));
            }
        });
        Self {
            address,
            stop,
            thread: Some(thread),
        }
    }

    /// Sends back what comes.
    pub fn echo() -> Self {
        Self::new(|mut tcp| {
            let mut buffer = vec![0; 64 * 1024];
            while let Ok(count @ 1..) = tcp.read(&mut buffer) {
                if tcp.write_all(&buffer[..count]).is_err() {
                    return;
                }
            }
        })
    }

    /// Reads to the end and answers with the SHA-256 of what came.
    pub fn sink() -> Self {
        Self::new(|mut tcp| {
            let received = client::read_all(&tcp);
            let _ = tcp.write_all(received.sha256.as_bytes());
        })
    }

    /// Sends `length` bytes of noise at once, then a FIN, and waits for the client's.
    pub fn sender(seed: u64, length: u64) -> Self {
        Self::new(move |tcp| {
            if client::send_noise(&tcp, seed, length).is_ok() {
                client::finish(&tcp);
                client::read_all(&tcp);
            }
        })
    }

    /// Sends without end.
    pub fn flood() -> Self {
        Self::new(|tcp| drop(client::send_noise(&tcp, 1, u64::MAX)))
    }

    /// Sends without end, a little at a time.
    pub fn trickle() -> Self {
        Self::new(|mut tcp| {
            while tcp.write_all(&[7; 1024]).is_ok() {
                thread::sleep(TRICKLE);
            }
        })
    }

    /// Resets every connection.
    pub fn resetter() -> Self {
        Self::new(client::reset)
    }

    /// Says a word and closes.
    pub fn greeter(word: &'static str) -> Self {
        Self::new(|mut tcp| {
            let _ = tcp.write_all(word.as_bytes());
            client::finish(&tcp);
            client::read_all(&tcp);
        })
    }

    /// Gives its connections to the test.
    pub fn manual() -> (Self, Accepted) {
        let (sender, receiver) = mpsc::channel();
        let target = Self::new(move |tcp| drop(sender.send(tcp)));
        (target, Accepted(Mutex::new(receiver)))
    }

    /// Keeps its connections, with tiny receive buffers, and never reads.
    pub fn deaf() -> (Self, Accepted) {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_recv_buffer_size(8 * 1024).unwrap();
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        socket.bind(&any.into()).unwrap();
        socket.listen(1024).unwrap();
        let (sender, receiver) = mpsc::channel();
        let target = Self::on(socket.into(), move |tcp| drop(sender.send(tcp)));
        (target, Accepted(Mutex::new(receiver)))
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        // Wakes the thread up; if it fails, the thread is gone.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The connections of a [`Target::manual`].
pub struct Accepted(Mutex<Receiver<TcpStream>>);

impl Accepted {
    /// The next one.
    ///
    /// # Panics
    /// When none comes.
    pub fn next(&self) -> TcpStream {
        self.0
            .lock()
            .unwrap()
            .recv_timeout(PATIENCE)
            .expect("a connection")
    }

    /// Whether one has come that nobody took.
    pub fn is_empty(&self) -> bool {
        self.0.lock().unwrap().try_recv().is_err()
    }
}

/// An address of loopback on which nobody listens.
pub fn nobody() -> SocketAddr {
    ([127, 0, 0, 1], ports::free()).into()
}
