//! `init`, `intermediate`, `server` and `client`: parameters in, files out, and the text that says so.

use std::fmt::Write as _;

use rcgen::SerialNumber;
use time::OffsetDateTime;

use super::args::{ClientArgs, InitArgs, IntermediateArgs, ServerArgs};
use super::authority::{Authority, Pair};
use super::cas;
use super::crl::{self, Form, Which};
use super::error::{CaError, PkiError};
use super::facts::{Facts, parse, serial_text};
use super::issue::{self, Validity};
use super::names::{CaId, Host, Stem};
use super::store::{Overwrite, Store};
use super::text::{command, stamp};

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
    let made = keep(store, &Stem::ca(), &pair, &subject, Overwrite::Never, now)?;
    let key = store.paths(&Stem::ca()).1;
    let next = command("server NAME...", store.dir());
    Ok(format!(
        "{made}\nkeep {} secret: whoever has it can issue certificates\n\
         next: {next}   (NAME: the DNS names and IP addresses at which connectors reach the listener)",
        key.display()
    ))
}

/// Makes a CA below the root.
///
/// # Errors
///
/// The root cannot be used or allows none below it, the name is taken, or the files cannot be written.
pub(super) fn intermediate(
    store: &Store,
    args: &IntermediateArgs,
    now: OffsetDateTime,
) -> Result<String, PkiError> {
    let root = Authority::load(store, &CaId::Root, now)?;
    let id = CaId::Intermediate(args.label.clone());
    let name = args.name.clone().unwrap_or_else(|| args.label.to_name());
    check_below(store, &root, &id)?;
    let (validity, clamped) = Validity::new(now, args.days).clamped(root.not_after);
    let params = issue::intermediate(&name, validity, fresh_serial());
    let subject = name.to_string();
    let pair = root.issue(&params, &subject)?;
    let made = parse(pair.certificate.der()).map_err(|source| PkiError::ReadBack {
        subject: subject.clone(),
        source,
    })?;
    let made = made.subject().as_raw();
    if let Some(other) = cas::all(store)?
        .into_iter()
        .find(|ca| ca.subject == made && ca.id != id)
    {
        return Err(CaError::NameTaken { path: other.path }.into());
    }
    let mut text = keep(store, &id.stem(), &pair, &subject, Overwrite::Never, now)?;
    note_clamp(&mut text, clamped, args.days);
    if store.has_lists() {
        // Without a list of its own, what it issues would count as unknown where lists are checked.
        let written = crl::refresh(store, &Which::These(vec![id.clone()]), Form::default(), now)?;
        let _ = write!(text, "\n{written}");
    }
    let key = store.paths(&Stem::ca()).1;
    let next = command(&format!("client UID --issuer {id}"), store.dir());
    Ok(format!(
        "{text}\nnext: issue from it: {next}   (servers likewise)\n\
         {} is needed for its list and for further CAs alone: it can be kept on another machine",
        key.display()
    ))
}

/// That `root` may have a CA below it; `id` only words the error.
fn check_below(store: &Store, root: &Authority, id: &CaId) -> Result<(), PkiError> {
    let path = store.paths(&CaId::Root.stem()).0;
    let x509 = parse(&root.der).map_err(|source| PkiError::ReadBack {
        subject: id.to_string(),
        source,
    })?;
    let constraints = x509.basic_constraints().ok().flatten();
    match constraints.and_then(|constraints| constraints.value.path_len_constraint) {
        Some(0) => Err(CaError::PathLength { path }.into()),
        _ => Ok(()),
    }
}

/// The CA that is to issue something; one that was revoked does not.
///
/// # Errors
///
/// It cannot be used.
pub(super) fn issuer(store: &Store, id: &CaId, now: OffsetDateTime) -> Result<Authority, PkiError> {
    let authority = Authority::load(store, id, now)?;
    let x509 = parse(&authority.der).map_err(|source| PkiError::ReadBack {
        subject: id.to_string(),
        source,
    })?;
    let serial = serial_text(x509.raw_serial());
    match store.revoked()?.find(&CaId::Root, &serial) {
        Some(revoked) if *id != CaId::Root => Err(CaError::Revoked {
            path: store.paths(&id.stem()).0,
            since: stamp(revoked.at),
            reason: revoked.reason.to_string(),
        }
        .into()),
        _ => Ok(authority),
    }
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
    let authority = issuer(store, &args.issuer, now)?;
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
    let authority = issuer(store, &args.issuer, now)?;
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
        let note = "note: the one that it replaces is still valid until it expires or is revoked \
                    (pki revoke SERIAL); its serial is in";
        let _ = write!(text, "\n{note} {}", index.display());
    }
    Ok(text)
}

pub(super) fn note_clamp(text: &mut String, clamped: bool, days: u16) {
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

pub(super) fn fresh_serial() -> SerialNumber {
    issue::serial(rand::random())
}
