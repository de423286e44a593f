//! The connector's settings: `settings.json` as 1.x knows it, and more.

mod keys;
mod renew;

use std::{path::PathBuf, time::Duration};

use clap::Args;
use common::{
    config::{Problems, Settings},
    session::quic::TransportSettings,
    target::Target,
    telemetry::{LogFormat, LogLevel},
    tls::{self, CertificateFiles, ListenerChecks, TlsPolicy},
};

pub use self::{keys::help, renew::RenewConfig};
use crate::target_policy::{Rule, TargetPolicy};

/// The file that is read when `--config` names no other.
const DEFAULT_FILE: &str = "settings.json";

/// Everything that the connector is told.
#[derive(Debug, Clone)]
pub struct Config {
    /// Certificate, key and CA files.
    pub files: CertificateFiles,
    /// Which TLS is spoken.
    pub tls: TlsPolicy,
    /// What the listener's certificate must be besides verified.
    pub listener_checks: ListenerChecks,
    /// The listeners; a session is held to each.
    pub listeners: Vec<ListenerAddress>,
    /// Transport parameters of the sessions.
    pub transport: TransportSettings,
    /// Bytes asked for as UDP socket buffers.
    pub udp_buffer: usize,
    /// What may be dialled.
    pub targets: TargetPolicy,
    /// How long dialling a target may take, resolving its name included.
    pub dial_timeout: Duration,
    /// The receive buffer of a socket to a target, in bytes; 0: the kernel's own tuning.
    pub target_receive_buffer: u32,
    /// How long streams may go on after SIGTERM.
    pub drain_timeout: Duration,
    /// How the certificate is renewed, if it is.
    pub renew: Option<RenewConfig>,
    /// How many days before its end a certificate is warned of.
    pub expiry_warning_days: u32,
    /// Whether 1.x listeners are served.
    pub legacy_protocol: bool,
    /// What to log.
    pub log_level: LogLevel,
    /// How to log.
    pub log_format: LogFormat,
}

/// A listener to hold a session to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerAddress {
    /// Where it is dialled.
    pub address: Target,
    /// The name that its certificate must have.
    pub name: String,
}

/// Settings on the command line; they win over the environment and the file.
#[derive(Args, Debug, Clone, Default)]
pub struct Flags {
    /// The file with the settings: TOML if its name ends in .toml, else JSON [default: settings.json]
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,

    /// Any setting, by the name in the table below; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = common::config::pair, global = true)]
    pub set: Vec<(String, String)>,
}

impl Config {
    /// Reads file, environment and flags, in this order; later ones win. The default file need not be there when the
    /// environment says everything.
    ///
    /// # Errors
    /// All [`Problems`] at once.
    pub fn load(
        flags: &Flags,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Problems> {
        let mut settings = Settings::default();
        match &flags.config {
            Some(file) => settings.add_file(file, "swc_"),
            None if PathBuf::from(DEFAULT_FILE).exists() => {
                settings.add_file(DEFAULT_FILE.as_ref(), "swc_");
            }
            None => {}
        }
        let nothing = settings.is_empty();
        settings.add_environment("SWC_", &[], environment);
        for (key, value) in &flags.set {
            settings.add_flag(key, value.clone());
        }
        if nothing && settings.is_empty() {
            settings.conflict(
                DEFAULT_FILE,
                "there is none in this folder; --config FILE names another",
            );
        }
        let config = Self::read(&mut settings);
        settings.finish()?;
        Ok(config)
    }

    fn read(s: &mut Settings) -> Self {
        let seconds = Duration::from_secs;
        let max_streams = s.number("max_streams", 1..=1_000_000, 16_384);
        Self {
            files: read_files(s),
            tls: s.tls(),
            listener_checks: s.listener_checks(),
            listeners: read_listeners(s),
            transport: s.transport(max_streams),
            udp_buffer: s.number("udp_buffer_bytes", 65536..=1 << 30, 8 << 20),
            targets: TargetPolicy::new(s.list::<Rule>("allowed_targets")),
            // The listener gives up after 75 s.
            dial_timeout: seconds(s.number("dial_timeout_seconds", 1..=60, 10)),
            target_receive_buffer: s.number("target_receive_buffer_bytes", 0..=1 << 30, 256 << 10),
            drain_timeout: seconds(s.number("drain_timeout_seconds", 0..=3600, 30)),
            renew: renew::read(s),
            expiry_warning_days: s.number("expiry_warning_days", 0..=3650, 30),
            legacy_protocol: s.flag("legacy_protocol", true),
            log_level: s.or("log_level", LogLevel::default()),
            log_format: s.or("log_format", LogFormat::default()),
        }
    }
}

fn read_files(s: &mut Settings) -> CertificateFiles {
    let insecure = s.flag("allow_insecure_key_permissions", false);
    CertificateFiles {
        chain: s.required_path("client_cert_path", "this connector's certificate (PEM)"),
        key: s.required_path(
            "client_key_path",
            "the private key of client_cert_path (PEM)",
        ),
        ca: s.required_path("ca_cert_path", "the CA certificates for the listener (PEM)"),
        permissions: insecure.into(),
    }
}

/// `listeners`, or the one that 1.x's `server_name` and `service_port` name.
fn read_listeners(s: &mut Settings) -> Vec<ListenerAddress> {
    let name: Option<String> = s.optional("server_name");
    let port = s.number("service_port", 1..=65535, 11443);
    if let Some(name) = &name
        && !tls::is_server_name(name)
    {
        s.conflict(
            "server_name",
            format!("must be a DNS name or an IP address, not {name:?}"),
        );
    }
    let listed = s.list::<Target>("listeners").unwrap_or_default();
    if !listed.is_empty() {
        let named = |address: Target| ListenerAddress {
            name: name.clone().unwrap_or_else(|| address.host().to_string()),
            address,
        };
        return listed.into_iter().map(named).collect();
    }
    let Some(name) = name else {
        s.missing(
            "server_name",
            "the name of the listener, or listeners with several host:port",
        );
        return Vec::new();
    };
    match Target::new(&name, port) {
        Ok(address) => vec![ListenerAddress { address, name }],
        Err(error) => {
            s.conflict("server_name", error);
            Vec::new()
        }
    }
}

#[cfg(test)]
mod tests;
