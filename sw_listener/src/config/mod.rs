//! The listener's settings: names as 1.x knows them, values proven.

mod flags;
mod keys;
mod ocsp;
mod policy;
mod revocation;
mod token;

use std::{
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    path::PathBuf,
    str::FromStr,
    time::Duration,
};

use common::{
    config::{Problems, Settings},
    session::quic::TransportSettings,
    telemetry::{LogFormat, LogLevel},
    tls::{CertificateFiles, ListenerName, TlsPolicy},
};

pub use self::{
    flags::Flags,
    keys::help,
    ocsp::{CertIdHash, NonceUse, OcspConfig, OcspScope, OcspUrl},
    policy::{PolicyConfig, RulesConfig, ScepConfig},
    revocation::{CrlConfig, ListsConfig},
    token::{ApiToken, Role},
};

/// Everything that the listener is told.
#[derive(Debug, Clone)]
pub struct Config {
    /// Certificate, key and CA files.
    pub files: CertificateFiles,
    /// Names that connectors use: the certificate must have all of them.
    pub server_names: Vec<ListenerName>,
    /// Which TLS is spoken.
    pub tls: TlsPolicy,
    /// Where connectors dial: UDP.
    pub quic: SocketAddr,
    /// Transport parameters of the sessions.
    pub transport: TransportSettings,
    /// Bytes asked for as UDP socket buffers.
    pub udp_buffer: usize,
    /// The HTTP API.
    pub api: ApiConfig,
    /// Which certificates get in.
    pub policy: PolicyConfig,
    /// Limits before a session is registered.
    pub admission: AdmissionConfig,
    /// What happens when a UID comes twice.
    pub duplicate_uid: DuplicateUid,
    /// Whether 1.x connectors are served.
    pub legacy_protocol: bool,
    /// How long streams may go on after SIGTERM.
    pub drain_timeout: Duration,
    /// How many days before its end a certificate is warned of.
    pub expiry_warning_days: u32,
    /// Openings that one UID may hold.
    pub max_openings_per_uid: usize,
    /// Streams that one UID may have.
    pub max_streams_per_uid: usize,
    /// Streams in all.
    pub max_streams: usize,
    /// Where openings are kept; `None`: in memory.
    pub state_dir: Option<PathBuf>,
    /// Threads of the data plane.
    pub threads: usize,
    /// What to log.
    pub log_level: LogLevel,
    /// How to log.
    pub log_format: LogFormat,
}

/// The HTTP API.
#[derive(Debug, Clone)]
pub struct ApiConfig {
    /// Where it listens: TCP.
    pub address: SocketAddr,
    /// Who may call it; without any, only callers on loopback.
    pub tokens: Vec<ApiToken>,
    /// Names besides the address by which it may be called.
    pub hosts: Vec<String>,
}

/// Limits before a session is registered.
#[derive(Debug, Clone, Copy)]
pub struct AdmissionConfig {
    /// Handshakes in flight before address validation is demanded.
    pub handshakes: usize,
    /// How long TLS may take, and then `hello`.
    pub deadline: Duration,
    /// Sessions in all.
    pub sessions: usize,
}

/// What happens when a live session holds the UID of a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DuplicateUid {
    /// The later one is refused.
    Refuse,
    /// The later one takes over.
    Replace,
}

impl FromStr for DuplicateUid {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "refuse" => Ok(Self::Refuse),
            "replace" => Ok(Self::Replace),
            _ => Err(format!("must be \"refuse\" or \"replace\", not {text:?}")),
        }
    }
}

/// An address to bind: an IP address, or a name that the system resolves.
struct BindAddress(IpAddr);

impl FromStr for BindAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let resolved = (text, 0)
            .to_socket_addrs()
            .ok()
            .and_then(|mut all| all.next());
        resolved
            .map(|address| Self(address.ip()))
            .ok_or_else(|| format!("must be an address of this machine, not {text:?}"))
    }
}

impl Config {
    /// Reads file, environment and flags, in this order; later ones win.
    ///
    /// # Errors
    /// All [`Problems`] at once.
    pub fn load(
        flags: &Flags,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Problems> {
        let mut settings = Settings::default();
        if let Some(file) = &flags.config {
            settings.add_file(file, "swl_");
        }
        settings.add_environment("SWL_", &["APIS_ADDRS", "APIS_PORT"], environment);
        for (key, value) in &flags.set {
            settings.add_flag(key, value.clone());
        }
        let config = Self::read(&mut settings);
        settings.finish()?;
        Ok(config)
    }

    fn read(settings: &mut Settings) -> Self {
        let s = settings;
        let seconds = Duration::from_secs;
        let ip = |s: &mut Settings, key, default| s.or(key, BindAddress(default)).0;
        let config = Self {
            files: read_files(s),
            server_names: s.list("server_names").unwrap_or_default(),
            tls: s.tls(),
            quic: SocketAddr::new(
                ip(s, "addrs", IpAddr::from([0, 0, 0, 0])),
                s.number("port", 0..=65535, 11443),
            ),
            // The connector opens the control stream and nothing else.
            transport: s.transport(1),
            udp_buffer: s.number("udp_buffer_bytes", 65536..=1 << 30, 8 << 20),
            api: ApiConfig {
                address: SocketAddr::new(
                    ip(s, "apis_addrs", IpAddr::from([127, 0, 0, 1])),
                    s.number("apis_port", 0..=65535, 8080),
                ),
                tokens: s.secret_list("api_tokens").unwrap_or_default(),
                hosts: s.list("api_hosts").unwrap_or_default(),
            },
            policy: PolicyConfig::read(s),
            admission: AdmissionConfig {
                handshakes: s.number("handshake_limit", 1..=100_000, 100),
                deadline: seconds(s.number("handshake_deadline_seconds", 1..=60, 5)),
                sessions: s.number("max_sessions", 1..=1_000_000, 10_000),
            },
            duplicate_uid: s.or("duplicate_uid", DuplicateUid::Refuse),
            legacy_protocol: s.flag("legacy_protocol", true),
            drain_timeout: seconds(s.number("drain_timeout_seconds", 0..=3600, 30)),
            expiry_warning_days: s.number("expiry_warning_days", 0..=3650, 30),
            max_openings_per_uid: s.number("max_openings_per_uid", 1..=65535, 1000),
            max_streams_per_uid: s.number("max_streams_per_uid", 1..=1_000_000, 10_000),
            max_streams: s.number("max_streams", 1..=10_000_000, 50_000),
            state_dir: s.path("state_dir"),
            threads: s.number("threads", 1..=1024, processors()),
            log_level: s.or("log_level", LogLevel::default()),
            log_format: s.or("log_format", LogFormat::default()),
        };
        config.check_together(s);
        config
    }

    fn check_together(&self, settings: &mut Settings) {
        if !self.api.address.ip().is_loopback() && self.api.tokens.is_empty() {
            settings.conflict(
                "apis_addrs",
                format!(
                    "the API would listen on {} for anyone: set api_tokens (NAME:ROLE:SHA256 of the token), or use \
                     127.0.0.1",
                    self.api.address
                ),
            );
        }
    }
}

fn read_files(s: &mut Settings) -> CertificateFiles {
    let insecure = s.flag("allow_insecure_key_permissions", false);
    CertificateFiles {
        chain: s.required_path(
            "cert_path",
            "the listener's certificate (PEM); `sw_listener pki server` makes one",
        ),
        key: s.required_path("key_path", "the private key of cert_path (PEM)"),
        ca: s.required_path(
            "ca_path",
            "the CA certificates for connectors (PEM); `sw_listener pki init` makes one",
        ),
        permissions: insecure.into(),
    }
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests;
