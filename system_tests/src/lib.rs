//! What the system tests are made of: the daemons as guarded processes, certificates, clients, targets, a network that
//! can be cut, and stand-ins for everything that talks with the daemons.
//!
//! Nothing here sleeps to let things settle: helpers wait for an event under a deadline ([`PATIENCE`]).

use std::time::{Duration, Instant};

pub mod api;
pub mod binaries;
pub mod client;
pub mod connector;
pub mod crl;
pub mod daemon;
pub mod doctor;
pub mod door;
pub mod download;
pub mod far;
pub mod http;
pub mod legacy;
pub mod listener;
pub mod live;
pub mod log;
pub mod noise;
pub mod notify;
pub mod ocsp;
pub mod peer;
pub mod pki;
pub mod ports;
pub mod relay;
pub mod rotation;
pub mod scep;
pub mod site;
pub mod target;
pub mod web;
pub mod world;

/// How long a test waits for something that should happen soon. It only decides how long a failing test takes, so it
/// has room for a machine that is busy with something else.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Time between two looks at something that cannot be waited for.
const LOOK: Duration = Duration::from_millis(20);

/// Looks until `found` finds something.
///
/// # Panics
/// When it has not within [`PATIENCE`]; `what` tells what was looked for.
pub fn until<T>(what: &str, found: impl FnMut() -> Option<T>) -> T {
    until_within(PATIENCE, what, found)
}

/// As [`until`], with a time limit of its own.
///
/// # Panics
/// When nothing was found within `limit`.
pub fn until_within<T>(limit: Duration, what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {limit:?}: {what}");
        std::thread::sleep(LOOK);
    }
}

/// Runs the jobs at the same time and returns their results in order.
///
/// # Panics
/// When one of them panics.
pub fn at_once<T: Send, F: FnOnce() -> T + Send>(jobs: impl IntoIterator<Item = F>) -> Vec<T> {
    std::thread::scope(|scope| {
        let running: Vec<_> = jobs.into_iter().map(|job| scope.spawn(job)).collect();
        let results = running.into_iter().map(|job| job.join().expect("a job"));
        results.collect()
    })
}
