//! New connections: each one has 64 bytes echoed and is closed.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use super::{PING, client};

/// How long one may take before it counts as failed.
const PATIENCE: Duration = Duration::from_secs(10);

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// How many were served, per second.
    pub rate: f64,
    /// How many were not.
    pub failures: usize,
}

/// Makes connections, `at_once` at any time, until there were `count` or `limit` is over.
pub fn connect(entry: SocketAddr, at_once: usize, count: usize, limit: Duration) -> Outcome {
    let share = count.div_ceil(at_once);
    let start = Instant::now();
    let results = std::thread::scope(|scope| {
        let running: Vec<_> = (0..at_once)
            .map(|_| scope.spawn(move || worker(entry, share, start + limit)))
            .collect();
        let results = running.into_iter().filter_map(|thread| thread.join().ok());
        results.collect::<Vec<_>>()
    });
    let elapsed = start.elapsed().as_secs_f64();
    let served: usize = results.iter().map(|(served, _)| served).sum();
    Outcome {
        rate: served as f64 / elapsed,
        failures: results.iter().map(|(_, failed)| failed).sum(),
    }
}

/// How many were served, and how many not.
fn worker(entry: SocketAddr, count: usize, deadline: Instant) -> (usize, usize) {
    let (mut served, mut failed) = (0, 0);
    while served + failed < count && Instant::now() < deadline {
        match client::echo(entry, PING, PATIENCE) {
            Ok(()) => served += 1,
            Err(_) => failed += 1,
        }
    }
    (served, failed)
}
