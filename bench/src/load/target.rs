//! The target: a TCP server that does what the first bytes of a connection say. It is a process of its own, so that it has
//! its own descriptors, and ends at once.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use anyhow::{Context, Result};
use socket2::{Domain, SockRef, Socket, Type};

use super::{
    CHUNK, client,
    request::{LENGTH, Request},
};
use crate::{
    place::Network,
    ports,
    process::{Process, Recipe},
    site::Site,
};

/// The send buffer of a flood, in bytes: stalled ones shall not fill the kernel's memory by themselves.
const FLOOD_BUFFER: usize = 256 * 1024;
const BACKLOG: i32 = 4096;
/// Its threads call little.
const STACK: usize = 64 * 1024;

/// A running target. Dropping it ends it, and its connections.
#[derive(Debug)]
pub struct Target {
    /// Where it listens, on all addresses of the far side.
    pub port: u16,
    network: Network,
    _process: Process,
    _site: Site,
}

impl Target {
    /// A server in that namespace.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(network: &Network) -> Result<Self> {
        let site = Site::new()?;
        let port = ports::next();
        // It stays there, even if it is built anew meanwhile.
        let itself = Recipe::new("/proc/self/exe", site.folder());
        let recipe = itself.arguments(&format!("target {port}"));
        let target = Self {
            port,
            network: network.clone(),
            _process: Process::start(network, recipe)?,
            _site: site,
        };
        let entry = target.address();
        network.run(|| client::wait_echo(entry, client::PATIENCE))?;
        Ok(target)
    }

    /// How many bytes it has taken so far, of all connections.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn taken(&self) -> Result<u64> {
        let entry = self.address();
        self.network.run(|| {
            let mut count = [0; 8];
            client::request(entry, Request::Taken)?.read_exact(&mut count)?;
            Ok(u64::from_be_bytes(count))
        })
    }

    fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }
}

/// Serves until it is killed.
///
/// # Errors
/// When the port cannot be bound.
pub fn serve(port: u16) -> Result<()> {
    let listener = listen(port).with_context(|| format!("cannot bind port {port}"))?;
    let shared = Arc::new(Shared::default());
    for tcp in listener.incoming() {
        let Ok(tcp) = tcp else { continue };
        let shared = shared.clone();
        let thread = std::thread::Builder::new().stack_size(STACK);
        // The client sees what has gone wrong; what is left to do here is to close.
        let _ = thread.spawn(move || drop(answer(tcp, &shared)));
    }
    Ok(())
}

#[derive(Default)]
struct Shared {
    taken: AtomicU64,
    held: Mutex<Vec<TcpStream>>,
}

fn listen(port: u16) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)).into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn answer(mut tcp: TcpStream, shared: &Shared) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    let mut request = [0; LENGTH];
    tcp.read_exact(&mut request)?;
    match Request::decode(request).ok_or(ErrorKind::InvalidData)? {
        Request::Send(volume) => send(&mut tcp, volume),
        Request::Take(volume) => take(&mut tcp, volume, shared),
        Request::Echo => io::copy(&mut tcp.try_clone()?, &mut tcp).map(drop),
        Request::Hold => {
            tcp.write_all(&[1])?;
            if let Ok(mut held) = shared.held.lock() {
                held.push(tcp);
            }
            Ok(())
        }
        Request::Flood => {
            SockRef::from(&tcp).set_send_buffer_size(FLOOD_BUFFER)?;
            send(&mut tcp, u64::MAX)
        }
        Request::Taken => tcp.write_all(&shared.taken.load(Relaxed).to_be_bytes()),
    }
}

fn send(tcp: &mut TcpStream, volume: u64) -> io::Result<()> {
    let chunk = vec![7; CHUNK];
    let mut left = volume;
    while left > 0 {
        let length = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
        left -= tcp.write(&chunk[..length])? as u64;
    }
    linger(tcp)
}

fn take(tcp: &mut TcpStream, volume: u64, shared: &Shared) -> io::Result<()> {
    let mut room = vec![0; CHUNK];
    let mut left = volume;
    while left > 0 {
        let count = tcp.read(&mut room)? as u64;
        if count == 0 {
            return Ok(());
        }
        shared.taken.fetch_add(count, Relaxed);
        left = left.saturating_sub(count);
    }
    tcp.write_all(&[1])?;
    linger(tcp)
}

/// Closes only after the client has: what is on its way through a tunnel that knows no half-close must not be cut off.
fn linger(tcp: &mut TcpStream) -> io::Result<()> {
    while tcp.read(&mut [0])? > 0 {}
    Ok(())
}
