//! A running `sw_listener`.

use std::{
    net::SocketAddr,
    ops::{Deref, DerefMut},
    process::Command,
};

use crate::{api::Api, binaries, daemon::Daemon, site::Site};

/// A listener and its API.
#[derive(Debug)]
pub struct Listener {
    daemon: Daemon,
    /// Where connectors dial.
    pub quic: SocketAddr,
    /// Its API.
    pub api: Api,
}

/// The command for a listener on free ports of loopback, with JSON logs; `settings` are variables, later ones win.
pub fn command(site: &Site, settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(binaries::folder().join("sw_listener"));
    with_settings(&mut command, site, settings);
    command
}

/// As [`command`], started by a shell that lowers a limit first (`ulimit -n 64`).
pub fn limited(site: &Site, limit: &str, settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new("sh");
    let binary = binaries::folder().join("sw_listener");
    command.arg("-c");
    command.arg(format!(
        "ulimit {limit} && exec {} \"$@\"",
        binary.display()
    ));
    // Arguments that come later are the daemon's.
    command.arg("sh");
    with_settings(&mut command, site, settings);
    command
}

fn with_settings(command: &mut Command, site: &Site, settings: &[(&str, &str)]) {
    command
        .env_clear()
        .current_dir(site.path(""))
        .env("SWL_CERT_PATH", site.path("server.crt"))
        .env("SWL_KEY_PATH", site.path("server.key"))
        .env("SWL_CA_PATH", site.path("ca.crt"))
        .env("SWL_ADDRS", "127.0.0.1")
        .env("SWL_PORT", "0")
        .env("APIS_PORT", "0")
        .env("SWL_LOG_FORMAT", "json")
        .envs(settings.iter().copied());
}

impl Listener {
    /// Starts one with the built-in settings and waits until it serves.
    pub fn start(site: &Site) -> Self {
        Self::with(site, &[])
    }

    /// Starts one with these variables.
    pub fn with(site: &Site, settings: &[(&str, &str)]) -> Self {
        Self::run(command(site, settings))
    }

    /// Waits until the command serves.
    ///
    /// # Panics
    /// When it does not.
    pub fn run(command: Command) -> Self {
        let daemon = Daemon::start("sw_listener", command);
        let address = |parts: &[&str]| {
            let line = daemon.wait_log(parts);
            line.field("address").unwrap().parse().unwrap()
        };
        let quic = address(&["listening for connectors"]);
        let api = Api::new(address(&["API listens"]));
        Self { daemon, quic, api }
    }
}

impl Deref for Listener {
    type Target = Daemon;

    fn deref(&self) -> &Daemon {
        &self.daemon
    }
}

impl DerefMut for Listener {
    fn deref_mut(&mut self) -> &mut Daemon {
        &mut self.daemon
    }
}
