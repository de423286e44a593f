//! The command line of `pki`: its commands, their arguments and their help.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use common::ids::Uid;

use super::names::{CaId, CaLabel, CaName, Host, Stem};
use super::reason::ReasonArg;

/// Make a small certificate authority, certificates from it, and the lists of those that it takes back
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
To start from nothing, in this order:
  sw_listener pki init                     make the CA (once)
  sw_listener pki server tunnel.example    a certificate for the listener
  sw_listener pki client UID               a certificate for each connector
  sw_listener pki list                     what was issued

To take a certificate back, or to replace one:
  sw_listener pki revoke UID               no new session, and the live one is closed
  sw_listener pki crl                      sign the revocation lists anew, before they end (daily)
  sw_listener pki renew UID                a new certificate and key under the same names

To keep the key of the root on another machine:
  sw_listener pki intermediate NAME        a CA below the root; then --issuer NAME, and ca.key can go

What is in a file, made here or elsewhere:
  sw_listener pki show FILE                everything in it
  sw_listener pki fingerprint FILE         the SHA-256 for a deny list, and the pin of its key")]
pub struct PkiArgs {
    /// The folder of the CA: ca.crt, ca.key, and everything that it issued
    #[arg(long, value_name = "DIR", default_value = "pki", global = true)]
    pub(super) dir: PathBuf,

    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Clone, Debug, Subcommand)]
pub(super) enum Command {
    /// Make the folder and the CA in it; an existing CA is never overwritten
    Init(InitArgs),
    /// Make a CA below the root, so that the key of the root can be kept elsewhere
    Intermediate(IntermediateArgs),
    /// Issue the certificate that the listener shows to connectors
    Server(ServerArgs),
    /// Issue the certificate that a connector shows to the listener
    Client(ClientArgs),
    /// Replace a certificate by a new one with the same names
    Renew(RenewArgs),
    /// Take a certificate back, and write the revocation list of its issuer
    Revoke(RevokeArgs),
    /// Write the revocation lists (CRLs) anew
    Crl(CrlArgs),
    /// List what was issued, read from the certificates themselves
    List,
    /// Show what is in a PEM or DER file: certificates, CRLs, requests, keys (never the secret)
    Show(ShowArgs),
    /// Print the SHA-256 of a certificate (sha256:HEX) and the pin of its key (sha256/BASE64), a line each
    Fingerprint(FingerprintArgs),
}

#[derive(Args, Clone, Debug)]
pub(super) struct InitArgs {
    /// The common name of the CA, 1 to 64 characters
    #[arg(long, value_name = "NAME", default_value = "socket-warp CA")]
    pub(super) name: CaName,

    /// How long the CA is valid; nothing that it issues outlives it
    #[arg(long, default_value_t = 3650, value_parser = days())]
    pub(super) days: u16,
}

#[derive(Args, Clone, Debug)]
pub(super) struct IntermediateArgs {
    /// What it is called in `--issuer`: 1 to 48 of A-Z a-z 0-9 _ -
    ///
    /// The files are ca-NAME.crt and ca-NAME.key.
    #[arg(value_name = "NAME")]
    pub(super) label: CaLabel,

    /// The common name of the CA, 1 to 64 characters [default: NAME]
    #[arg(long, value_name = "NAME")]
    pub(super) name: Option<CaName>,

    /// How long the CA is valid; at most as long as the root
    #[arg(long, default_value_t = 1825, value_parser = days())]
    pub(super) days: u16,
}

#[derive(Args, Clone, Debug)]
pub(super) struct ServerArgs {
    /// The DNS names and IP addresses at which connectors reach the listener
    #[arg(required = true, value_name = "NAME")]
    pub(super) names: Vec<Host>,

    /// How long the certificate is valid; at most as long as the CA
    #[arg(long, default_value_t = 365, value_parser = days())]
    pub(super) days: u16,

    /// The CA that issues it: `ca`, the root, or the NAME of an intermediate one
    #[arg(long, value_name = "NAME", default_value = "ca")]
    pub(super) issuer: CaId,

    /// The files are STEM.crt and STEM.key
    #[arg(long, value_name = "STEM", default_value = "server")]
    pub(super) out: Stem,

    /// Replace the certificate and the key if they are there
    #[arg(long)]
    pub(super) force: bool,
}

#[derive(Args, Clone, Debug)]
pub(super) struct ClientArgs {
    /// The UID of the connector: 1 to 64 of A-Z a-z 0-9 . _ @ -
    ///
    /// It becomes the common name of the certificate; the files are client-UID.crt and client-UID.key.
    pub(super) uid: Uid,

    /// How long the certificate is valid; at most as long as the CA
    #[arg(long, default_value_t = 365, value_parser = days())]
    pub(super) days: u16,

    /// The CA that issues it: `ca`, the root, or the NAME of an intermediate one
    #[arg(long, value_name = "NAME", default_value = "ca")]
    pub(super) issuer: CaId,

    /// Replace the certificate and the key if they are there
    #[arg(long)]
    pub(super) force: bool,
}

#[derive(Args, Clone, Debug)]
#[command(after_help = "\
The pair before stays as STEM.crt.old and STEM.key.old, and stays valid until it expires or is revoked.
The key changes before the certificate. Whoever reads the two in between finds that they do not match, and keeps what
it has; after a crash in between, the next command that writes to the folder finishes the change.")]
pub(super) struct RenewArgs {
    /// A UID, a name of a server certificate, a file stem, or the certificate file
    #[arg(value_name = "UID|NAME|FILE")]
    pub(super) what: String,

    /// How long the new certificate is valid [default: as long as the one before was]
    #[arg(long, value_parser = days())]
    pub(super) days: Option<u16>,

    /// Keep the private key; without this there is a new one
    #[arg(long)]
    pub(super) keep_key: bool,

    /// Revoke the certificate before (superseded), and keep no copy of it: sessions that use it are closed
    #[arg(long)]
    pub(super) revoke_old: bool,
}

#[derive(Args, Clone, Debug)]
#[command(after_help = "\
A UID or a name revokes every certificate of that name that is still valid, those that were replaced included; a
serial number or a file revokes that one. A certificate can be revoked again after a certificateHold, for another
reason; `--reason removeFromCRL` ends a certificateHold.")]
pub(super) struct RevokeArgs {
    /// A UID, a name of a server certificate or of an intermediate CA, a serial number (hexadecimal), or a file
    #[arg(value_name = "UID|SERIAL|FILE")]
    pub(super) what: String,

    /// Why: it is written into the list
    #[arg(long, value_enum, default_value_t)]
    pub(super) reason: ReasonArg,
}

#[derive(Args, Clone, Debug)]
pub(super) struct CrlArgs {
    /// How long the lists are valid [default: as long as the one before was, 7 at first]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=3650))]
    pub(super) days: Option<u16>,

    /// Only the list of this CA: `ca`, the root, or the NAME of an intermediate one
    #[arg(long, value_name = "NAME")]
    pub(super) issuer: Option<CaId>,

    /// Also write each list as DER, into ca.der.crl, and from then on whenever it changes
    #[arg(long)]
    pub(super) der: bool,
}

#[derive(Args, Clone, Debug)]
pub(super) struct ShowArgs {
    /// A PEM or DER file
    pub(super) file: PathBuf,

    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Args, Clone, Debug)]
pub(super) struct FingerprintArgs {
    /// A certificate, PEM or DER; the first one if there are several
    pub(super) file: PathBuf,
}

/// A validity from one day to a century.
fn days() -> clap::builder::RangedI64ValueParser<u16> {
    clap::value_parser!(u16).range(1..=36_500)
}
