//! Bulk for as long as it is wanted, in the background.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

use super::{CHUNK, client, request::Request, target::Target, transfer::Direction};
use crate::{measure::moved::Moved, scenario::Set};

/// How soon a thread notices that it is over.
const TICK: Duration = Duration::from_millis(200);
/// More than any link carries in an hour.
const ENDLESS: u64 = 1 << 50;

/// Streams that move bytes as fast as they can. Dropping it resets them.
pub struct Bulk {
    direction: Direction,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    received: AtomicU64,
    broken: AtomicBool,
}

impl Bulk {
    /// Starts this many streams.
    ///
    /// # Errors
    /// When one cannot be connected.
    pub fn start(entry: SocketAddr, streams: usize, direction: Direction) -> Result<Self> {
        let shared = Arc::new(Shared::default());
        let mut bulk = Self {
            direction,
            shared,
            threads: Vec::new(),
        };
        let request = match direction {
            Direction::Down => Request::Send(ENDLESS),
            Direction::Up => Request::Take(ENDLESS),
        };
        for _ in 0..streams {
            let tcp = client::request(entry, request)?;
            tcp.set_read_timeout(Some(TICK))?;
            tcp.set_write_timeout(Some(TICK))?;
            // What is still on its way at the end shall not disturb what comes next.
            socket2::SockRef::from(&tcp).set_linger(Some(Duration::ZERO))?;
            let shared = bulk.shared.clone();
            let thread = std::thread::spawn(move || {
                if run(tcp, direction, &shared).is_err() {
                    shared.broken.store(true, Relaxed);
                }
            });
            bulk.threads.push(thread);
        }
        Ok(bulk)
    }

    /// How many bytes have arrived so far, at whichever end.
    ///
    /// # Errors
    /// When a stream has broken, or the target does not answer.
    pub fn received(&self, target: &Target) -> Result<u64> {
        if self.shared.broken.load(Relaxed) {
            bail!("a stream has broken");
        }
        match self.direction {
            Direction::Down => Ok(self.shared.received.load(Relaxed)),
            Direction::Up => target.taken(),
        }
    }

    /// What arrives within `window`, after `warm_up`.
    ///
    /// # Errors
    /// As [`Self::received`].
    pub fn measure(&self, set: &Set, warm_up: Duration, window: Duration) -> Result<Moved> {
        std::thread::sleep(warm_up);
        let (start, before) = (Instant::now(), self.received(&set.target)?);
        let cpu = set.running.cpu_seconds();
        std::thread::sleep(window);
        let bytes = self.received(&set.target)? - before;
        let elapsed = start.elapsed();
        let cpu = set.running.cpu_seconds() - cpu;
        Ok(Moved {
            bytes,
            elapsed,
            cpu_seconds: set.running.has_processes().then_some(cpu),
        })
    }
}

impl Drop for Bulk {
    fn drop(&mut self) {
        self.shared.stop.store(true, Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn run(mut tcp: TcpStream, direction: Direction, shared: &Shared) -> io::Result<()> {
    let mut chunk = vec![7; CHUNK];
    while !shared.stop.load(Relaxed) {
        let moved = match direction {
            Direction::Down => tcp.read(&mut chunk),
            Direction::Up => tcp.write(&chunk),
        };
        match moved {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => _ = shared.received.fetch_add(count as u64, Relaxed),
            Err(error) if client::is_timeout(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
