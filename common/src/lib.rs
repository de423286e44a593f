//! What `sw_listener` and `sw_connector` must agree on, and nothing else.
//!
//! [`wire`] is pure (bytes in, values out). [`session`] hides the carrier behind one type, [`splice()`](splice::splice)
//! joins a TCP socket with a stream of a session. The rest is what both daemons need to live as services: settings,
//! logs, certificates, signals, shards. What only one of the two needs does not belong here.

pub mod backoff;
pub mod blocking;
pub mod config;
pub mod descriptors;
pub mod doctor;
pub mod errors;
pub mod ids;
pub mod printable;
pub mod quiet;
pub mod reload;
pub mod session;
pub mod shard;
pub mod shutdown;
pub mod splice;
pub mod systemd;
pub mod target;
pub mod telemetry;
pub mod tls;
pub mod trouble;
pub mod watch;
pub mod wire;

/// The version that both daemons report (`--version`, `hello`, `welcome`).
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
