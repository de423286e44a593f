//! `pki renew`: the same names, a new certificate and, unless told otherwise, a new key.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::CertificateDer;
use time::{Duration, OffsetDateTime};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};

use super::args::RenewArgs;
use super::authority::Pair;
use super::cas::{self, Ca};
use super::commands::{fresh_serial, issuer, note_clamp};
use super::crl::{self, Form, Which};
use super::error::{PkiError, RenewError};
use super::facts::{Facts, Kind, first_der, general_name, parse};
use super::find::{self, Found};
use super::issue::{self, BACKDATE, Validity};
use super::issued::Entry;
use super::names::{Host, Stem};
use super::reason::Reason;
use super::replace;
use super::revoke;
use super::show;
use super::store::{READ_LIMIT, Store, read_bounded};
use super::text::{command, hex, printable, stamp};
use crate::identity::{self, UidSource};

/// The certificate that is to be replaced.
struct Old {
    stem: Stem,
    path: PathBuf,
    der: CertificateDer<'static>,
    entry: Entry,
}

/// Replaces a pair.
///
/// # Errors
///
/// There is no such certificate, it cannot be made again with the same names, its issuer cannot be used, or the files
/// cannot be written.
pub(super) fn renew(
    store: &Store,
    args: &RenewArgs,
    now: OffsetDateTime,
) -> Result<String, PkiError> {
    let cas = cas::all(store)?;
    let old = select(store, &cas, &args.what)?;
    let unreadable = |source| PkiError::File {
        path: old.path.clone(),
        source,
    };
    let x509 = parse(&old.der).map_err(unreadable)?;
    if x509.is_ca() {
        return Err(RenewError::Ca {
            path: old.path.clone(),
            way: command("intermediate NAME", store.dir()),
        }
        .into());
    }
    let authority = issuer(store, &old.entry.issuer, now)?;
    let days = args.days.unwrap_or_else(|| days(&x509));
    let (validity, clamped) = Validity::new(now, days).clamped(authority.not_after);
    let params = params(&old.path, &x509, validity)?;
    let name = &old.entry.name;
    let pair = match args.keep_key {
        false => authority.issue(&params, name)?,
        true => authority.issue_for(kept_key(store, &old, &x509)?, &params, name)?,
    };
    check_same(&old.path, &x509, &pair)?;
    let facts = Facts::from_der(pair.certificate.der()).map_err(unreadable)?;
    store.replace(&old.stem, &pair, &facts, now)?;

    let (certificate, key) = store.paths(&old.stem);
    let mut text = format!(
        "renewed the {} certificate for {name}, valid until {}\n  certificate  {}\n  private key  {} ({})",
        facts.kind,
        stamp(facts.not_after),
        certificate.display(),
        key.display(),
        if args.keep_key { "as before" } else { "new" }
    );
    note_clamp(&mut text, clamped, days);
    text.push('\n');
    text.push_str(&farewell(store, &old, args.revoke_old, now)?);
    Ok(text)
}

/// What becomes of the certificate before.
fn farewell(
    store: &Store,
    old: &Old,
    revoke: bool,
    now: OffsetDateTime,
) -> Result<String, PkiError> {
    let (serial, end) = (&old.entry.serial, stamp(old.entry.not_after));
    if !revoke {
        let kept = replace::old(&old.path);
        let way = command(&format!("revoke {serial}"), store.dir());
        return Ok(format!(
            "note: the one before is kept in {}, and stays valid until {end}; to take it back: {way}",
            kept.display()
        ));
    }
    let text = if now < old.entry.not_after {
        let mut table = store.revoked()?;
        let told = revoke::apply(&mut table, &old.entry, Some(Reason::Superseded), now)?;
        store.keep_revoked(&table)?;
        let which = Which::These(vec![old.entry.issuer.clone()]);
        let written = crl::refresh(store, &which, Form::default(), now)?;
        format!("{told}\n{written}")
    } else {
        format!("the one before, serial {serial}, ended at {end}, and needs no list")
    };
    store.remove_old(&old.stem)?;
    Ok(text)
}

fn select(store: &Store, cas: &[Ca], what: &str) -> Result<Old, PkiError> {
    let entries = find::present(store, cas)?;
    let path = Path::new(what);
    let looks_like_a_path = what.contains('/') || what.ends_with(".crt");
    let found = match revoke::existing(store, path).filter(|_| looks_like_a_path) {
        Some(path) => {
            let der = show::leaf(&path)?;
            if cas::issuer_of(cas, &der).is_none() {
                return Err(foreign(&path, &der));
            }
            let fingerprint = Facts::from_der(&der).map(|facts| facts.fingerprint);
            let same = |entry: &&Entry| fingerprint.as_deref() == Ok(entry.fingerprint.as_str());
            entries.iter().filter(same).cloned().collect()
        }
        None => match find::find(&entries, what) {
            Found::Named(entries) => entries,
            Found::Numbered(entry) => vec![entry],
            Found::Nothing | Found::Ambiguous => Vec::new(),
        },
    };
    match found.as_slice() {
        [entry] => read(store, entry),
        [] => Err(RenewError::Unknown {
            what: printable(what),
            dir: store.dir().to_owned(),
            near: find::near(&entries, what),
            list: command("list", store.dir()),
        }
        .into()),
        several => Err(RenewError::Ambiguous {
            what: printable(what),
            files: several.iter().map(|entry| printable(&entry.file)).collect(),
        }
        .into()),
    }
}

fn read(store: &Store, entry: &Entry) -> Result<Old, PkiError> {
    let path = store.dir().join(&entry.file);
    let der = read_bounded(&path, READ_LIMIT).and_then(|bytes| first_der(&bytes));
    let der = der.map_err(|source| PkiError::File {
        path: path.clone(),
        source,
    })?;
    Ok(Old {
        // `certificates` lists nothing else.
        stem: Stem::of_certificate(&entry.file).unwrap_or_else(Stem::ca),
        path,
        der,
        entry: entry.clone(),
    })
}

fn foreign(path: &Path, der: &[u8]) -> PkiError {
    let issuer = parse(der).map(|x509| printable(&x509.issuer().to_string()));
    RenewError::Foreign {
        path: path.to_owned(),
        issuer: issuer.unwrap_or_default(),
    }
    .into()
}

/// How long a certificate is valid from its issue, in days; at least one.
fn days(x509: &X509Certificate<'_>) -> u16 {
    let validity = x509.validity();
    let length = validity.not_after.to_datetime() - validity.not_before.to_datetime() - BACKDATE;
    let days = (length + Duration::hours(12)).whole_days();
    u16::try_from(days.clamp(1, 36_500)).unwrap_or(365)
}

/// What the certificate says, to be said again. Pure.
fn params(
    path: &Path,
    x509: &X509Certificate<'_>,
    validity: Validity,
) -> Result<CertificateParams, PkiError> {
    let form = |what: String| RenewError::Form {
        path: path.to_owned(),
        what,
    };
    match super::facts::kind(x509) {
        Kind::Client => {
            let identity = identity::read(x509.as_raw(), UidSource::CommonName);
            let uid = identity
                .map_err(|error| form(format!("a name ({error})")))?
                .uid;
            Ok(issue::client(&uid, validity, fresh_serial()))
        }
        Kind::Server => {
            let names = hosts(x509).map_err(form)?;
            Ok(issue::server(&names, validity, fresh_serial())?)
        }
        kind @ (Kind::Ca | Kind::ServerAndClient | Kind::Other) => {
            Err(form(format!("a use ({kind})")).into())
        }
    }
}

/// The alternative names of a server.
fn hosts(x509: &X509Certificate<'_>) -> Result<Vec<Host>, String> {
    let names = x509.subject_alternative_name().ok().flatten();
    let names = names
        .map(|names| names.value.general_names.as_slice())
        .unwrap_or_default();
    let host = |name: &GeneralName<'_>| {
        let text = printable(&general_name(name));
        let named = matches!(name, GeneralName::DNSName(_)) || text.parse::<IpAddr>().is_ok();
        let host = text.parse().ok().filter(|_| named);
        host.ok_or_else(|| format!("a name ({text})"))
    };
    match names {
        [] => Err("no alternative name, only a subject".to_owned()),
        names => names.iter().map(host).collect(),
    }
}

/// That nothing but the key, the number and the time has changed.
fn check_same(path: &Path, old: &X509Certificate<'_>, pair: &Pair) -> Result<(), PkiError> {
    let new = parse(pair.certificate.der()).map_err(|source| PkiError::File {
        path: path.to_owned(),
        source,
    })?;
    let form = |what: String| RenewError::Form {
        path: path.to_owned(),
        what,
    };
    if old.subject().as_raw() != new.subject().as_raw() {
        let subject = printable(&old.subject().to_string());
        return Err(form(format!("a subject ({subject})")).into());
    }
    let (old, new) = (extensions(old), extensions(&new));
    match old.iter().find(|extension| !new.contains(extension)) {
        Some((name, value)) => Err(form(format!("an extension ({name}: {})", hex(value))).into()),
        None => Ok(()),
    }
}

/// The extensions that do not depend on keys.
fn extensions(x509: &X509Certificate<'_>) -> Vec<(String, Vec<u8>)> {
    let keyed = |parsed: &ParsedExtension<'_>| {
        matches!(
            parsed,
            ParsedExtension::AuthorityKeyIdentifier(_) | ParsedExtension::SubjectKeyIdentifier(_)
        )
    };
    let kept = x509
        .iter_extensions()
        .filter(|one| !keyed(one.parsed_extension()));
    kept.map(|one| (one.oid.to_id_string(), one.value.to_vec()))
        .collect()
}

/// The key of the certificate before, if it may serve again.
fn kept_key(store: &Store, old: &Old, x509: &X509Certificate<'_>) -> Result<KeyPair, PkiError> {
    let path = store.paths(&old.stem).1;
    let revoked = store.revoked()?;
    let compromised = |reason| matches!(reason, Reason::KeyCompromise | Reason::CaCompromise);
    if let Some(revoked) = revoked.find(&old.entry.issuer, &old.entry.serial)
        && compromised(revoked.reason)
    {
        let reason = revoked.reason.to_string();
        return Err(RenewError::Compromised { path, reason }.into());
    }
    let unusable = |reason: String| RenewError::Key {
        path: path.clone(),
        reason,
    };
    let text = read_bounded(&path, READ_LIMIT).map_err(|error| unusable(error.to_string()))?;
    let key = KeyPair::from_pem(&String::from_utf8_lossy(&text))
        .map_err(|error| unusable(format!("it is not a usable PKCS#8 private key: {error}")))?;
    match x509.public_key().subject_public_key.data.as_ref() == key.public_key_raw() {
        true => Ok(key),
        false => Err(unusable(format!("it is not the key of {}", old.path.display())).into()),
    }
}
