//! `init`, `server` and `client`: parameters in, files out, and the text that says so.

use std::fmt::Write as _;

use rcgen::SerialNumber;
use time::OffsetDateTime;

use super::authority::{Authority, Pair};
use super::error::PkiError;
use super::facts::Facts;
use super::issue::{self, Validity};
use super::names::{Host, Stem};
use super::store::{Overwrite, Store};
use super::text::{command, stamp};
use super::{ClientArgs, InitArgs, ServerArgs};

/// Makes the folder and the CA.
///
/// # Errors
///
/// There is a CA already, or the files cannot be written.
pub(super) fn init(
    store: &Store,
    args: &InitArgs,
    now: OffsetDateTime,
) -> Result<String, PkiError> {
    let subject = args.name.to_string();
    let params = issue::ca(&args.name, Validity::new(now, args.days), fresh_serial());
    let pair = Pair::self_signed(&params).map_err(|source| PkiError::Make {
        subject: subject.clone(),
        source,
    })?;
    store.make_dir()?;
    let made = keep(store, &Stem::ca(), &pair, &subject, Overwrite::Never, now)?;
    let key = store.paths(&Stem::ca()).1;
    let next = command("server NAME...", store.dir());
    Ok(format!(
        "{made}\nkeep {} secret: whoever has it can issue certificates\n\
         next: {next}   (NAME: the DNS names and IP addresses at which connectors reach the listener)",
        key.display()
    ))
}

/// Issues a certificate for a listener.
///
/// # Errors
///
/// The CA cannot be used, the first name is too long, a file is in the way, or the files cannot be written.
pub(super) fn server(
    store: &Store,
    args: &ServerArgs,
    now: OffsetDateTime,
) -> Result<String, PkiError> {
    let authority = Authority::load(store, now)?;
    let (validity, clamped) = Validity::new(now, args.days).clamped(authority.not_after);
    let params = issue::server(&args.names, validity, fresh_serial())?;
    let subject = args.names.first().map(Host::to_string).unwrap_or_default();
    let pair = authority.issue(&params, &subject)?;
    let mut text = keep(
        store,
        &args.out,
        &pair,
        &subject,
        overwrite(args.force),
        now,
    )?;
    note_clamp(&mut text, clamped, args.days);
    let ca = store.paths(&Stem::ca()).0;
    let next = command("client UID", store.dir());
    Ok(format!(
        "{text}\nnext: give the listener these two and {} (the CA of its clients), then for each connector: {next}",
        ca.display()
    ))
}

/// Issues a certificate for a connector.
///
/// # Errors
///
/// The CA cannot be used, a file is in the way, or the files cannot be written.
pub(super) fn client(
    store: &Store,
    args: &ClientArgs,
    now: OffsetDateTime,
) -> Result<String, PkiError> {
    let authority = Authority::load(store, now)?;
    let (validity, clamped) = Validity::new(now, args.days).clamped(authority.not_after);
    let params = issue::client(&args.uid, validity, fresh_serial());
    let subject = args.uid.to_string();
    let pair = authority.issue(&params, &subject)?;
    let mut text = keep(
        store,
        &Stem::client(&args.uid),
        &pair,
        &subject,
        overwrite(args.force),
        now,
    )?;
    note_clamp(&mut text, clamped, args.days);
    let ca = store.paths(&Stem::ca()).0;
    Ok(format!(
        "{text}\nnext: copy these two and {} to the machine of the connector",
        ca.display()
    ))
}

/// Stores a new pair, and says what was made and where.
fn keep(
    store: &Store,
    stem: &Stem,
    pair: &Pair,
    subject: &str,
    overwrite: Overwrite,
    now: OffsetDateTime,
) -> Result<String, PkiError> {
    let facts = Facts::from_der(pair.certificate.der()).map_err(|source| PkiError::ReadBack {
        subject: subject.to_owned(),
        source,
    })?;
    let replaced = store.save(stem, pair, &facts, overwrite, now)?;
    let (certificate, key) = store.paths(stem);
    let mut text = format!(
        "made a {} certificate for {}, valid until {}\n  certificate  {}\n  private key  {}",
        facts.kind,
        facts.name,
        stamp(facts.not_after),
        certificate.display(),
        key.display()
    );
    if replaced {
        let index = store.index();
        let note =
            "note: the one that it replaces is still valid until it expires; its serial is in";
        let _ = write!(text, "\n{note} {}", index.display());
    }
    Ok(text)
}

fn note_clamp(text: &mut String, clamped: bool, days: u16) {
    if clamped {
        let _ = write!(
            text,
            "\nnote: valid for less than the {days} days asked for, because the CA ends then"
        );
    }
}

fn overwrite(force: bool) -> Overwrite {
    match force {
        true => Overwrite::Force,
        false => Overwrite::Refuse,
    }
}

fn fresh_serial() -> SerialNumber {
    issue::serial(rand::random())
}
