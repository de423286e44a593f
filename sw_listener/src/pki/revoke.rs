//! `pki revoke`: on the list, and the list of the issuer signed anew, before the command ends.

use std::path::{Path, PathBuf};

use time::OffsetDateTime;

use super::args::RevokeArgs;
use super::authority::Authority;
use super::cas::{self, Ca};
use super::crl::{self, Form, Which};
use super::error::{PkiError, RevokeError};
use super::facts::{Facts, parse};
use super::find::{self, Found};
use super::issued::Entry;
use super::names::CaId;
use super::reason::Reason;
use super::revoked::{Outcome, Table};
use super::show;
use super::store::Store;
use super::text::{command, printable, stamp};

/// Takes certificates back.
///
/// # Errors
///
/// Nothing here is called that, its issuer cannot sign (then nothing is recorded), or the files cannot be written.
pub(super) fn revoke(
    store: &Store,
    args: &RevokeArgs,
    now: OffsetDateTime,
) -> Result<String, PkiError> {
    let cas = cas::all(store)?;
    let wanted = select(store, &cas, &args.what)?;
    if wanted.iter().any(|entry| is_root(&cas, entry)) {
        let what = printable(&args.what);
        return Err(RevokeError::Root { what }.into());
    }
    let mut table = store.revoked()?;
    let (valid, ended): (Vec<_>, Vec<_>) =
        wanted.into_iter().partition(|entry| now < entry.not_after);
    let mut text: Vec<_> = ended
        .iter()
        .map(|entry| {
            let end = stamp(entry.not_after);
            format!("{}: ended at {end}, and needs no list", told(entry))
        })
        .collect();
    if valid.is_empty() {
        return Ok(text.join("\n"));
    }
    let mut issuers: Vec<CaId> = valid.iter().map(|entry| entry.issuer.clone()).collect();
    issuers.sort();
    issuers.dedup();
    for id in &issuers {
        // A revocation that no list can tell of would only seem to be one.
        Authority::load(store, id, now)?;
    }
    for entry in &valid {
        text.push(apply(&mut table, entry, args.reason.listed(), now)?);
    }
    store.keep_revoked(&table)?;
    text.push(crl::refresh(
        store,
        &Which::These(issuers),
        Form::default(),
        now,
    )?);
    text.push(
        "next: give the listener crl.pem (crl_paths); it closes the sessions of what was revoked"
            .to_owned(),
    );
    Ok(text.join("\n"))
}

/// Puts one certificate on the list, and tells what became of it.
pub(super) fn apply(
    table: &mut Table,
    entry: &Entry,
    reason: Option<Reason>,
    now: OffsetDateTime,
) -> Result<String, RevokeError> {
    let told = told(entry);
    let Some(reason) = reason else {
        return match table.release(entry) {
            Ok(()) => Ok(format!("{told}: not on hold any more")),
            Err(reason) => Err(RevokeError::NotOnHold {
                serial: entry.serial.clone(),
                name: entry.name.clone(),
                reason: reason.map(|reason| reason.to_string()),
            }),
        };
    };
    Ok(match table.revoke(entry, reason, now) {
        Outcome::Listed => format!("{told}: revoked ({reason})"),
        Outcome::Already {
            since,
            reason,
            changed,
        } => {
            let since = stamp(since);
            let now = if changed { "now for" } else { "for" };
            format!("{told}: already revoked since {since}, {now} {reason}")
        }
    })
}

/// What the user means: a path if it looks like one, else what was issued under that name or number, else a file.
fn select(store: &Store, cas: &[Ca], what: &str) -> Result<Vec<Entry>, PkiError> {
    let path = Path::new(what);
    let looks_like_a_path = what.contains('/')
        || [".crt", ".pem", ".cer", ".der"]
            .iter()
            .any(|end| what.ends_with(end));
    if looks_like_a_path && let Some(path) = existing(store, path) {
        return Ok(vec![from_file(store, cas, &path)?]);
    }
    let entries = find::known(store, cas)?;
    match find::find(&entries, what) {
        Found::Named(entries) => Ok(entries),
        Found::Numbered(entry) => Ok(vec![entry]),
        Found::Ambiguous => Err(RevokeError::Ambiguous {
            what: printable(what),
        }
        .into()),
        Found::Nothing if path.is_file() => Ok(vec![from_file(store, cas, path)?]),
        Found::Nothing => Err(RevokeError::Unknown {
            what: printable(what),
            near: find::near(&entries, what),
            list: command("list", store.dir()),
        }
        .into()),
    }
}

/// A file as named, or one of that name in the folder.
pub(super) fn existing(store: &Store, path: &Path) -> Option<PathBuf> {
    let inside = store.dir().join(path);
    [path.to_owned(), inside]
        .into_iter()
        .find(|path| path.exists())
}

fn from_file(store: &Store, cas: &[Ca], path: &Path) -> Result<Entry, PkiError> {
    let der = show::leaf(path)?;
    let unreadable = |source| PkiError::File {
        path: path.to_owned(),
        source,
    };
    let facts = Facts::from_der(&der).map_err(unreadable)?;
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    if let Some(ca) = cas::issuer_of(cas, &der) {
        return Ok(Entry::new(&facts, ca.id.clone(), &file));
    }
    let x509 = parse(&der).map_err(unreadable)?;
    Err(RevokeError::Foreign {
        path: path.to_owned(),
        dir: store.dir().to_owned(),
        issuer: printable(&x509.issuer().to_string()),
    }
    .into())
}

fn is_root(cas: &[Ca], entry: &Entry) -> bool {
    let root = cas.iter().find(|ca| ca.id == CaId::Root);
    entry.issuer == CaId::Root && root.is_some_and(|root| root.serial == entry.serial)
}

fn told(entry: &Entry) -> String {
    format!("{} {}, serial {}", entry.kind, entry.name, entry.serial)
}
