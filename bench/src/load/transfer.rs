//! Bulk: many bytes, on one or several streams at once.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Barrier,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail};
use serde::{Deserialize, Serialize};

use super::{
    CHUNK,
    client::{self, PATIENCE},
    request::Request,
};

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Direction {
    /// From the target to the client.
    Down,
    /// From the client to the target.
    Up,
}

impl Direction {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Down, Self::Up];

    /// In a table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Down => "target → client",
            Self::Up => "client → target",
        }
    }
}

/// Moves `volume` bytes in all, the same share on each of `streams` streams, and tells how long it took: from when all
/// are connected until the last byte has been received.
///
/// # Errors
/// When a connection fails or stalls.
pub fn transfer(
    entry: SocketAddr,
    streams: usize,
    direction: Direction,
    volume: u64,
) -> Result<Duration> {
    let share = volume / streams as u64;
    let connections: Result<Vec<_>> = (0..streams)
        .map(|_| client::connect(entry, PATIENCE))
        .collect();
    let barrier = Barrier::new(streams);
    std::thread::scope(|scope| {
        let running: Vec<_> = connections?
            .into_iter()
            .map(|tcp| {
                let barrier = &barrier;
                scope.spawn(move || {
                    barrier.wait();
                    let start = Instant::now();
                    move_bytes(tcp, direction, share)?;
                    Ok::<_, anyhow::Error>((start, Instant::now()))
                })
            })
            .collect();
        let mut spans = Vec::new();
        for (number, thread) in running.into_iter().enumerate() {
            let done = thread
                .join()
                .map_err(|_| anyhow!("a thread has panicked"))?;
            spans.push(done.with_context(|| format!("stream {number} of {streams}"))?);
        }
        let first = spans.iter().map(|(start, _)| *start).min();
        let last = spans.iter().map(|(_, end)| *end).max();
        let (first, last) = first.zip(last).context("no streams")?;
        Ok(last - first)
    })
}

fn move_bytes(mut tcp: TcpStream, direction: Direction, volume: u64) -> Result<()> {
    match direction {
        Direction::Down => {
            tcp.write_all(&Request::Send(volume).encode())?;
            receive(&mut tcp, volume)
        }
        Direction::Up => {
            tcp.write_all(&Request::Take(volume).encode())?;
            send(&mut tcp, volume)?;
            tcp.read_exact(&mut [0])
                .context("the target has not confirmed")
        }
    }
}

fn receive(tcp: &mut TcpStream, volume: u64) -> Result<()> {
    let mut room = vec![0; CHUNK];
    let mut left = volume;
    while left > 0 {
        let count = tcp.read(&mut room)? as u64;
        if count == 0 {
            bail!("{left} of {volume} bytes have not come");
        }
        left = left.saturating_sub(count);
    }
    Ok(())
}

fn send(tcp: &mut TcpStream, volume: u64) -> Result<()> {
    let chunk = vec![7; CHUNK];
    let mut left = volume;
    while left > 0 {
        let length = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
        tcp.write_all(&chunk[..length])?;
        left -= length as u64;
    }
    Ok(())
}
