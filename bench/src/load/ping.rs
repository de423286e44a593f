//! Small messages there and back, one after the other on one connection.

use std::{
    io::{Read, Write},
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

use super::{PING, client, request::Request};
use crate::measure::statistics::quantile;

/// How long the round trips took.
#[derive(Debug, Clone, PartialEq)]
pub struct Times(pub Vec<f64>);

/// Sends a ping of 64 bytes and waits for it to come back, `count` times or until `limit` is over, whichever comes first.
/// The times are in microseconds.
///
/// # Errors
/// When a connection fails or stalls, so that not one comes back.
pub fn ping(entry: SocketAddr, count: usize, limit: Duration) -> Result<Times> {
    let mut tcp = client::request(entry, Request::Echo)?;
    let mut times = Vec::with_capacity(count);
    let mut message = [7; PING];
    let deadline = Instant::now() + limit;
    while times.len() < count && Instant::now() < deadline {
        let start = Instant::now();
        tcp.write_all(&message)?;
        tcp.read_exact(&mut message)?;
        times.push(start.elapsed().as_secs_f64() * 1e6);
    }
    if times.is_empty() {
        bail!("no ping came back within {} s", limit.as_secs());
    }
    Ok(Times(times))
}

impl Times {
    /// The time that this share (0 to 1) of the round trips did not exceed, in microseconds.
    pub fn quantile(&self, share: f64) -> f64 {
        quantile(&self.0, share)
    }
}
