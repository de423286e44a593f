//! A running `sw_connector`.

use std::{
    net::SocketAddr,
    ops::{Deref, DerefMut},
    process::Command,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use serde_json::{Value, json};

use crate::{binaries, daemon::Daemon, pki::Issued, site::Site};

/// A connector.
#[derive(Debug)]
pub struct Connector(Daemon);

/// Writes a settings file for a certificate of [`Site::issue`] and gives the command that reads it. `more` is put over
/// the basic settings, key by key.
pub fn command(site: &Site, name: &str, listener: SocketAddr, more: &Value) -> Command {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let mut settings = json!({
        "client_cert_path": format!("{name}.crt"),
        "client_key_path": format!("{name}.key"),
        "ca_cert_path": "ca.crt",
        "listeners": [listener.to_string()],
        "log_format": "json",
    });
    for (key, value) in more.as_object().into_iter().flatten() {
        settings[key] = value.clone();
    }
    let file = format!("settings-{}.json", NUMBER.fetch_add(1, Relaxed));
    let path = site.write(&file, &settings.to_string());
    let mut command = Command::new(binaries::folder().join("sw_connector"));
    command
        .env_clear()
        .current_dir(site.path(""))
        .arg("--config")
        .arg(path);
    command
}

impl Connector {
    /// Starts one with a certificate for this UID. It may take a while until it has a session.
    pub fn start(site: &Site, uid: &str, listener: SocketAddr) -> Self {
        Self::with(site, uid, listener, &json!({}))
    }

    /// As [`Self::start`], with more settings.
    pub fn with(site: &Site, uid: &str, listener: SocketAddr, more: &Value) -> Self {
        Self::certified(site, uid, &site.ca.client(uid), listener, more)
    }

    /// With any certificate, kept in files of that name.
    pub fn certified(
        site: &Site,
        name: &str,
        issued: &Issued,
        listener: SocketAddr,
        more: &Value,
    ) -> Self {
        site.issue(name, issued);
        Self::run(name, command(site, name, listener, more))
    }

    /// Starts a command.
    pub fn run(name: &str, command: Command) -> Self {
        Self(Daemon::start(&format!("sw_connector {name}"), command))
    }

    /// Waits for its first session.
    pub fn wait_session(&self) {
        self.wait_log(&["session established"]);
    }
}

impl Deref for Connector {
    type Target = Daemon;

    fn deref(&self) -> &Daemon {
        &self.0
    }
}

impl DerefMut for Connector {
    fn deref_mut(&mut self) -> &mut Daemon {
        &mut self.0
    }
}
