//! A client's connection.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail};

use super::request::Request;

/// How long nothing may happen on a connection.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// Time between two tries.
const LOOK: Duration = Duration::from_millis(20);
/// How many threads make many connections.
const AT_ONCE: usize = 16;

/// Connects without saying anything.
///
/// # Errors
/// When nobody listens.
pub fn connect(entry: SocketAddr, patience: Duration) -> Result<TcpStream> {
    let tcp = TcpStream::connect_timeout(&entry, patience)
        .with_context(|| format!("cannot connect to {entry}"))?;
    tcp.set_nodelay(true)?;
    tcp.set_read_timeout(Some(patience))?;
    tcp.set_write_timeout(Some(patience))?;
    Ok(tcp)
}

/// Connects and says what is wanted.
///
/// # Errors
/// When nobody listens.
pub fn request(entry: SocketAddr, request: Request) -> Result<TcpStream> {
    let mut tcp = connect(entry, PATIENCE)?;
    tcp.write_all(&request.encode())?;
    Ok(tcp)
}

/// A connection that the target keeps open, and has confirmed.
///
/// # Errors
/// When the confirmation does not come in time.
pub fn hold(entry: SocketAddr, patience: Duration) -> Result<TcpStream> {
    let mut tcp = connect(entry, patience)?;
    tcp.write_all(&Request::Hold.encode())?;
    tcp.read_exact(&mut [0])
        .context("the target has not confirmed a connection")?;
    Ok(tcp)
}

/// `count` connections that are kept, made by several threads at once; `make` tries once.
///
/// # Errors
/// When one cannot be made.
pub fn many(count: usize, make: impl Fn() -> Result<TcpStream> + Sync) -> Result<Vec<TcpStream>> {
    std::thread::scope(|scope| {
        let share = |worker: usize| (count + worker) / AT_ONCE;
        let workers: Vec<_> = (0..AT_ONCE)
            .map(|worker| {
                let make = &make;
                scope.spawn(move || {
                    (0..share(worker))
                        .map(|_| make())
                        .collect::<Result<Vec<_>>>()
                })
            })
            .collect();
        let mut all = Vec::with_capacity(count);
        for worker in workers {
            let made = worker
                .join()
                .map_err(|_| anyhow!("a thread has panicked"))?;
            all.extend(made?);
        }
        Ok(all)
    })
}

/// Whether nothing happened for as long as it may.
pub fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// Connects, has `length` bytes echoed, and closes.
///
/// # Errors
/// When that does not work.
pub fn echo(entry: SocketAddr, length: usize, patience: Duration) -> Result<()> {
    let mut tcp = connect(entry, patience)?;
    let mut message = Request::Echo.encode().to_vec();
    message.resize(message.len() + length, 7);
    tcp.write_all(&message)?;
    tcp.read_exact(&mut vec![0; length])?;
    Ok(())
}

/// Tries until an echo comes back.
///
/// # Errors
/// When none does within `patience`; the error is that of the last try.
pub fn wait_echo(entry: SocketAddr, patience: Duration) -> Result<()> {
    let deadline = Instant::now() + patience;
    loop {
        match echo(entry, 1, Duration::from_secs(5)) {
            Ok(()) => return Ok(()),
            Err(error) if Instant::now() > deadline => bail!(error),
            Err(_) => std::thread::sleep(LOOK),
        }
    }
}
