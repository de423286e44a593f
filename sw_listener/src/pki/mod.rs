//! `sw_listener pki`: a small certificate authority in a folder, so that neither openssl nor a SCEP server is needed to
//! start a development or small-site installation.
//!
//! Not for: checking peers (that is `policy`). Nothing here prints, and the time is an argument.
//!
//! The folder holds `ca.crt` and `ca.key`, `ca-NAME.crt` and `ca-NAME.key` for each CA below that one, a `.crt` and a
//! `.key` for each certificate issued (`.old`: the pair before), and `issued.tsv`, a line for each certificate ever issued,
//! replaced ones included. What was revoked is in `revoked.tsv`, and for others in `ca.crl`, `ca-NAME.crl` and, all
//! together, `crl.pem`. Commands that write hold a lock on `.lock`.

mod args;
mod authority;
mod cas;
mod commands;
mod crl;
mod crl_file;
mod error;
mod facts;
mod find;
mod issue;
mod issued;
mod list;
mod lock;
mod names;
mod reason;
mod renew;
mod replace;
mod revoke;
mod revoked;
mod show;
mod store;
mod text;

#[cfg(test)]
mod tests;

use std::time::SystemTime;

use time::OffsetDateTime;

use args::Command;
pub use args::PkiArgs;
pub use error::{CaError, PkiError, RenewError, RevokeError, StoreError};
pub use facts::Unreadable;
pub use names::NameError;
use store::Store;

/// Does what the command line asked for, and returns the text to print: what was made, where, and the next step.
///
/// Lines are separated by `\n`, without one at the end. `now` is the time of issue, and what `list` compares with.
///
/// # Errors
///
/// The CA is missing, damaged or not valid at `now`; what is to be revoked or renewed is not known; a file would be
/// overwritten; a file cannot be read or written; another command that writes does not end.
pub fn run(args: &PkiArgs, now: SystemTime) -> Result<String, PkiError> {
    let store = Store::new(&args.dir);
    let now = OffsetDateTime::from(now);
    match &args.command {
        Command::List => list::list(&store, now),
        Command::Show(show) => show::show(show, now),
        Command::Fingerprint(fingerprint) => show::fingerprint(fingerprint),
        Command::Init(_)
        | Command::Intermediate(_)
        | Command::Server(_)
        | Command::Client(_)
        | Command::Renew(_)
        | Command::Revoke(_)
        | Command::Crl(_) => write(&store, &args.command, now),
    }
}

/// The commands that change the folder: one at a time, and each first finishes what a crash has interrupted.
fn write(store: &Store, command: &Command, now: OffsetDateTime) -> Result<String, PkiError> {
    if matches!(command, Command::Init(_)) {
        store.make_dir()?;
    }
    let _lock = store.lock()?;
    let recovered = store.recover()?;
    let text = match command {
        Command::Init(init) => commands::init(store, init, now),
        Command::Intermediate(intermediate) => commands::intermediate(store, intermediate, now),
        Command::Server(server) => commands::server(store, server, now),
        Command::Client(client) => commands::client(store, client, now),
        Command::Renew(renew) => renew::renew(store, renew, now),
        Command::Revoke(revoke) => revoke::revoke(store, revoke, now),
        Command::Crl(crl) => crl::crl(store, crl, now),
        Command::List => list::list(store, now),
        Command::Show(show) => show::show(show, now),
        Command::Fingerprint(fingerprint) => show::fingerprint(fingerprint),
    }?;
    let notes = recovered.iter().map(|stem| {
        format!(
            "note: finished the renewal of {0}, which had been interrupted; if the certificate before was to be revoked, \
             do it now: it is {0}.crt.old\n",
            stem.as_str()
        )
    });
    Ok(notes.collect::<String>() + &text)
}
