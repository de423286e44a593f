//! `sw_listener pki`: a small certificate authority in a folder, so that neither openssl nor a SCEP server is needed to
//! start a development or small-site installation.
//!
//! Not for: checking peers (that is `policy`), revocation lists, or intermediate authorities. Nothing here prints, and
//! the time is an argument.
//!
//! The folder holds `ca.crt`, `ca.key`, a `.crt` and a `.key` for each certificate issued, and `issued.tsv`, a line for
//! each certificate ever issued, replaced ones included.

mod authority;
mod commands;
mod error;
mod facts;
mod issue;
mod list;
mod names;
mod store;
mod text;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::SystemTime;

use clap::{Args, Subcommand};
use common::ids::Uid;
use time::OffsetDateTime;

pub use error::{CaError, PkiError, StoreError};
pub use facts::Unreadable;
pub use names::NameError;
use names::{CaName, Host, Stem};
use store::Store;

/// Make a small certificate authority, and certificates from it
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
To start from nothing, in this order:
  sw_listener pki init                     make the CA (once)
  sw_listener pki server tunnel.example    a certificate for the listener
  sw_listener pki client UID               a certificate for each connector
  sw_listener pki list                     what was issued")]
pub struct PkiArgs {
    /// The folder of the CA: ca.crt, ca.key, and everything that it issued
    #[arg(long, value_name = "DIR", default_value = "pki", global = true)]
    dir: PathBuf,

    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Debug, Subcommand)]
enum Command {
    /// Make the folder and the CA in it; an existing CA is never overwritten
    Init(InitArgs),
    /// Issue the certificate that the listener shows to connectors
    Server(ServerArgs),
    /// Issue the certificate that a connector shows to the listener
    Client(ClientArgs),
    /// List what was issued, read from the certificates themselves
    List,
}

#[derive(Args, Clone, Debug)]
struct InitArgs {
    /// The common name of the CA, 1 to 64 characters
    #[arg(long, value_name = "NAME", default_value = "socket-warp CA")]
    name: CaName,

    /// How long the CA is valid; nothing that it issues outlives it
    #[arg(long, default_value_t = 3650, value_parser = days())]
    days: u16,
}

#[derive(Args, Clone, Debug)]
struct ServerArgs {
    /// The DNS names and IP addresses at which connectors reach the listener
    #[arg(required = true, value_name = "NAME")]
    names: Vec<Host>,

    /// How long the certificate is valid; at most as long as the CA
    #[arg(long, default_value_t = 365, value_parser = days())]
    days: u16,

    /// The files are STEM.crt and STEM.key
    #[arg(long, value_name = "STEM", default_value = "server")]
    out: Stem,

    /// Replace the certificate and the key if they are there
    #[arg(long)]
    force: bool,
}

#[derive(Args, Clone, Debug)]
struct ClientArgs {
    /// The UID of the connector: 1 to 64 of A-Z a-z 0-9 . _ @ -
    ///
    /// It becomes the common name of the certificate; the files are client-UID.crt and client-UID.key.
    uid: Uid,

    /// How long the certificate is valid; at most as long as the CA
    #[arg(long, default_value_t = 365, value_parser = days())]
    days: u16,

    /// Replace the certificate and the key if they are there
    #[arg(long)]
    force: bool,
}

/// A validity from one day to a century.
fn days() -> clap::builder::RangedI64ValueParser<u16> {
    clap::value_parser!(u16).range(1..=36_500)
}

/// Does what the command line asked for, and returns the text to print: what was made, where, and the next step.
///
/// Lines are separated by `\n`, without one at the end. `now` is the time of issue, and what `list` compares with.
///
/// # Errors
///
/// The CA is missing, damaged or not valid at `now`; a file would be overwritten; a file cannot be read or written.
pub fn run(args: &PkiArgs, now: SystemTime) -> Result<String, PkiError> {
    let store = Store::new(&args.dir);
    let now = OffsetDateTime::from(now);
    match &args.command {
        Command::Init(init) => commands::init(&store, init, now),
        Command::Server(server) => commands::server(&store, server, now),
        Command::Client(client) => commands::client(&store, client, now),
        Command::List => list::list(&store, now),
    }
}
