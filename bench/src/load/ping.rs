//! Small messages there and back, one after the other on one connection.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use anyhow::Result;

use super::{PING, client, request::Request};
use crate::{measure::statistics::quantile, report::metric::Metric, scenario::Samples};

/// How long the round trips took, in microseconds; there is at least one.
#[derive(Debug, Clone, PartialEq)]
pub struct Times(Vec<f64>);

impl Times {
    /// Adds the quantiles of 50 and 99 %, in microseconds.
    pub fn tell(&self, case: &str, samples: &mut Samples) {
        samples.add(case, Metric::P50Micros, quantile(&self.0, 0.5));
        samples.add(case, Metric::P99Micros, quantile(&self.0, 0.99));
    }

    /// The same in milliseconds.
    pub fn tell_millis(&self, case: &str, samples: &mut Samples) {
        samples.add(case, Metric::P50Millis, quantile(&self.0, 0.5) / 1e3);
        samples.add(case, Metric::P99Millis, quantile(&self.0, 0.99) / 1e3);
    }
}

/// Sends a ping of 64 bytes and waits for it to come back, `count` times or until `limit` is over, whichever comes first.
/// One that does not come back for [`client::PATIENCE`] is the last, and counts with that time.
///
/// # Errors
/// When the connection fails.
pub fn ping(entry: SocketAddr, count: usize, limit: Duration) -> Result<Times> {
    let mut tcp = client::request(entry, Request::Echo)?;
    let mut times = Vec::new();
    let deadline = Instant::now() + limit;
    while times.is_empty() || (times.len() < count && Instant::now() < deadline) {
        let start = Instant::now();
        let came_back = round_trip(&mut tcp)?;
        times.push(start.elapsed().as_secs_f64() * 1e6);
        if !came_back {
            break;
        }
    }
    Ok(Times(times))
}

/// Whether it came back in time.
fn round_trip(tcp: &mut TcpStream) -> io::Result<bool> {
    let mut message = [7; PING];
    tcp.write_all(&message)?;
    match tcp.read_exact(&mut message) {
        Ok(()) => Ok(true),
        Err(error) if client::is_timeout(&error) => Ok(false),
        Err(error) => Err(error),
    }
}
