//! What is measured: ways from a client to a target.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::{
    load::client,
    measure::usage,
    place::Place,
    process::{Process, Recipe},
    site::Site,
    until,
};

pub mod direct;
pub mod installed;
pub mod one_x;
pub mod rathole;
pub mod scep;
pub mod socket_warp;
pub mod ssh;

/// How long a contender may take until it carries bytes.
const START_PATIENCE: Duration = Duration::from_secs(30);

/// How long one try may take.
const ECHO_PATIENCE: Duration = Duration::from_secs(5);
/// How long one look takes that tells whether it is quiet,
const LOOK: Duration = Duration::from_millis(250);
/// the share of that time which counts as busy (a clock tick is 4 % of it),
const BUSY: f64 = 0.1;
/// and how many looks in a row must find it quiet. TCP's window probes after 0.2, 0.4 and 0.8 s each let a little more
/// into a stalled connection; with 1,000 of them that was a tenth of what the machine moves.
const QUIET_LOOKS: u32 = 8;

/// A way from clients to targets.
pub trait Contender: Sync {
    /// Its short name, in every table.
    fn name(&self) -> &str;

    /// What it is, with its version.
    fn about(&self) -> String;

    /// What it can do at most.
    fn limits(&self) -> Limits {
        Limits::default()
    }

    /// Starts it with these tunnels. They need not be ready.
    ///
    /// # Errors
    /// When a process cannot be started.
    fn start(&self, place: &Place, site: Site, tunnels: &[Tunnel]) -> Result<Running>;
}

/// What a contender can do at most.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Clients at the same time.
    pub streams: usize,
    /// Connectors on one listener.
    pub connectors: usize,
    /// Whether its connectors come back after the listener was restarted.
    pub reconnects: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            streams: usize::MAX,
            connectors: usize::MAX,
            reconnects: true,
        }
    }
}

/// What is wanted of a contender: a port on the near side that leads to one on the far side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tunnel {
    /// Through which connector; all numbers up to the highest have one.
    pub connector: usize,
    /// The target's port; it listens on all addresses of the far side.
    pub port: u16,
}

/// How many connectors these tunnels need.
pub fn connectors(tunnels: &[Tunnel]) -> usize {
    let highest = tunnels.iter().map(|tunnel| tunnel.connector).max();
    highest.map_or(0, |highest| highest + 1)
}

/// A contender that runs. Dropping it ends it.
pub struct Running {
    /// Where clients connect, for each tunnel.
    pub entries: Vec<SocketAddr>,
    /// The listener's side.
    pub listener: Vec<Process>,
    /// The connector's side.
    pub connectors: Vec<Process>,
    /// What must live as long, helpers and files.
    pub keep: Vec<Box<dyn Send>>,
}

impl Running {
    /// Without any process, so far.
    pub fn new(site: Site) -> Self {
        Self {
            entries: Vec::new(),
            listener: Vec::new(),
            connectors: Vec::new(),
            keep: vec![Box::new(site)],
        }
    }

    /// Starts a process of the listener's side.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start_listener(&mut self, place: &Place, recipe: Recipe) -> Result<()> {
        self.listener.push(Process::start(&place.near, recipe)?);
        Ok(())
    }

    /// Starts a process of the connector's side.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start_connector(&mut self, place: &Place, recipe: Recipe) -> Result<()> {
        self.connectors.push(Process::start(&place.far, recipe)?);
        Ok(())
    }

    /// Waits until it is so, as long as all processes run.
    ///
    /// # Errors
    /// When it is not within `limit`, or a process has ended; with the ends of the logs.
    pub fn wait(
        &mut self,
        what: &str,
        limit: Duration,
        mut is_so: impl FnMut() -> Result<bool>,
    ) -> Result<()> {
        let waited = until(limit, || {
            self.check()?;
            is_so()
        });
        waited.with_context(|| format!("{what}; {}", self.last_words()))
    }

    /// An error when a process has ended.
    fn check(&mut self) -> Result<()> {
        for process in self.listener.iter_mut().chain(&mut self.connectors) {
            if !process.is_running() {
                bail!("process {} has ended", process.pid());
            }
        }
        Ok(())
    }

    /// Waits until every tunnel carries bytes. To be called on the near side.
    ///
    /// # Errors
    /// When one does not in time; with the ends of the logs.
    pub fn wait_ready(&mut self) -> Result<()> {
        for entry in self.entries.clone() {
            let carries = || Ok(client::echo(entry, 1, ECHO_PATIENCE).is_ok());
            self.wait("no bytes come through", START_PATIENCE, carries)?;
        }
        Ok(())
    }

    /// Whether it has processes at all; direct TCP has none.
    pub fn has_processes(&self) -> bool {
        !self.listener.is_empty()
    }

    /// Waits until it does next to nothing for two seconds, or `limit` is over.
    pub fn wait_quiet(&self, limit: Duration) {
        let deadline = Instant::now() + limit;
        let mut before = self.cpu_seconds();
        let mut quiet = 0;
        while quiet < QUIET_LOOKS && Instant::now() < deadline {
            std::thread::sleep(LOOK);
            let now = self.cpu_seconds();
            let is_quiet = now - before < LOOK.as_secs_f64() * BUSY;
            quiet = if is_quiet { quiet + 1 } else { 0 };
            before = now;
        }
    }

    /// Processor time over `window`, in thousandths of a second for each second.
    pub fn cpu_millis_per_second(&self, window: Duration) -> f64 {
        usage::cpu_millis_per_second(&self.pids(), window)
    }

    /// The same of the listener's side only.
    pub fn listener_cpu_millis_per_second(&self, window: Duration) -> f64 {
        usage::cpu_millis_per_second(&pids(&self.listener), window)
    }

    /// User and system time of all its processes so far, in seconds.
    pub fn cpu_seconds(&self) -> f64 {
        usage::cpu_seconds(&self.pids())
    }

    /// Resident memory of the listener's side, in bytes.
    pub fn listener_memory(&self) -> u64 {
        usage::memory(&pids(&self.listener))
    }

    /// Resident memory of the connector's side, in bytes.
    pub fn connector_memory(&self) -> u64 {
        usage::memory(&pids(&self.connectors))
    }

    /// The ends of the logs.
    pub fn last_words(&mut self) -> String {
        let processes = self.listener.iter_mut().chain(&mut self.connectors);
        let words = processes.take(4).map(|process| {
            let state = if process.is_running() {
                "runs"
            } else {
                "has ended"
            };
            format!(
                "process {} {state}: {}",
                process.pid(),
                process.last_words()
            )
        });
        words.collect::<Vec<_>>().join("; ")
    }

    fn pids(&self) -> Vec<u32> {
        let mut all = pids(&self.listener);
        all.extend(pids(&self.connectors));
        all
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // All at once; dropping each waits for it.
        for process in self.connectors.iter_mut().chain(&mut self.listener) {
            process.shoot();
        }
    }
}

fn pids(processes: &[Process]) -> Vec<u32> {
    processes.iter().map(Process::pid).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_up_to_the_highest_is_a_connector() {
        let tunnel = |connector| Tunnel { connector, port: 1 };
        assert_eq!(connectors(&[]), 0);
        assert_eq!(connectors(&[tunnel(0), tunnel(0)]), 1);
        assert_eq!(connectors(&[tunnel(2), tunnel(0)]), 3);
    }
}
