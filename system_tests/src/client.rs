//! Clients of an opening, and what both TCP ends of a tunnel see.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    time::Duration,
};

use socket2::{Domain, SockRef, Socket, Type};

use crate::{
    PATIENCE,
    noise::{Digest, Noise},
    until,
};

/// How a connection ended for the one who read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// With a FIN.
    Eof,
    /// With an error; a reset is [`ErrorKind::ConnectionReset`].
    Error(ErrorKind),
}

/// A reset (ECONNRESET).
pub const RESET: End = End::Error(ErrorKind::ConnectionReset);

/// What was read until the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// How many bytes.
    pub bytes: u64,
    /// Their SHA-256.
    pub sha256: String,
    /// How it ended.
    pub end: End,
}

/// Connects; reading and writing fail when nothing happens for [`PATIENCE`].
///
/// # Panics
/// When nobody listens.
pub fn connect(address: SocketAddr) -> TcpStream {
    try_connect(address).unwrap_or_else(|error| panic!("cannot connect to {address}: {error}"))
}

/// As [`connect`].
///
/// # Errors
/// When nobody listens.
pub fn try_connect(address: SocketAddr) -> io::Result<TcpStream> {
    let tcp = TcpStream::connect_timeout(&address, PATIENCE)?;
    prepare(&tcp, PATIENCE);
    Ok(tcp)
}

/// A client with a tiny receive buffer, for one that does not read.
pub fn connect_small(address: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(8 * 1024).unwrap();
    socket.connect(&address.into()).unwrap();
    let tcp = socket.into();
    prepare(&tcp, PATIENCE);
    tcp
}

/// Sets how long reading and writing may take.
pub fn prepare(tcp: &TcpStream, limit: Duration) {
    tcp.set_read_timeout(Some(limit)).unwrap();
    tcp.set_write_timeout(Some(limit)).unwrap();
    tcp.set_nodelay(true).unwrap();
}

/// Reads until the end.
pub fn read_all(mut tcp: &TcpStream) -> Received {
    let mut digest = Digest::default();
    let mut bytes = 0;
    let mut buffer = vec![0; 64 * 1024];
    let end = loop {
        match tcp.read(&mut buffer) {
            Ok(0) => break End::Eof,
            Ok(count) => {
                digest.update(&buffer[..count]);
                bytes += count as u64;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => break End::Error(error.kind()),
        }
    };
    Received {
        bytes,
        sha256: digest.finish(),
        end,
    }
}

/// Sends noise, without a FIN.
///
/// # Errors
/// When the connection breaks.
pub fn send_noise(mut tcp: &TcpStream, seed: u64, length: u64) -> io::Result<()> {
    let mut noise = Noise::new(seed, length);
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match noise.read(&mut buffer)? {
            0 => return Ok(()),
            count => tcp.write_all(&buffer[..count])?,
        }
    }
}

/// Sends a FIN.
pub fn finish(tcp: &TcpStream) {
    // It fails when the other side is gone, which reading tells better.
    let _ = tcp.shutdown(Shutdown::Write);
}

/// Resets the connection.
pub fn reset(tcp: TcpStream) {
    SockRef::from(&tcp)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
}

/// Connects and reads all. A reset can come so soon that connecting already fails with it: that is an end like any other.
///
/// # Panics
/// When nobody listens.
pub fn download(address: SocketAddr) -> Received {
    match try_connect(address) {
        Ok(tcp) => read_all(&tcp),
        Err(error) if error.kind() == ErrorKind::ConnectionReset => Received {
            bytes: 0,
            sha256: Digest::default().finish(),
            end: RESET,
        },
        Err(error) => panic!("cannot connect to {address}: {error}"),
    }
}

/// Sends noise and a FIN, and reads the answer.
///
/// # Panics
/// When the connection breaks.
pub fn upload(address: SocketAddr, seed: u64, length: u64) -> String {
    let mut tcp = connect(address);
    send_noise(&tcp, seed, length).unwrap();
    finish(&tcp);
    let mut answer = String::new();
    tcp.read_to_string(&mut answer).unwrap();
    answer
}

/// Sends bytes and expects them back.
///
/// # Panics
/// When something else comes.
pub fn echo(tcp: &mut TcpStream, text: &[u8]) {
    tcp.write_all(text).unwrap();
    expect(tcp, text);
}

/// Expects these bytes.
///
/// # Panics
/// When something else comes.
pub fn expect(tcp: &mut TcpStream, text: &[u8]) {
    let mut room = vec![0; text.len()];
    tcp.read_exact(&mut room).unwrap();
    assert_eq!(room, text);
}

/// Writes until nothing more is taken: every buffer on the way is full, and flow control stops the stream. How many
/// bytes that were.
pub fn stuff(mut tcp: &TcpStream) -> u64 {
    tcp.set_write_timeout(Some(Duration::from_secs(2))).unwrap();
    let chunk = vec![7; 64 * 1024];
    let mut total = 0;
    loop {
        match tcp.write(&chunk) {
            Ok(count) => total += count as u64,
            Err(error) => {
                let stalled = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
                assert!(stalled, "{error} after {total} bytes");
                tcp.set_write_timeout(Some(PATIENCE)).unwrap();
                return total;
            }
        }
    }
}

/// Waits until a port refuses connections.
pub fn wait_refused(address: SocketAddr) {
    until(&format!("{address} refuses"), || {
        let refused = TcpStream::connect_timeout(&address, PATIENCE);
        refused
            .is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
            .then_some(())
    });
}
