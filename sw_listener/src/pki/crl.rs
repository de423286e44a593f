//! The revocation lists (RFC 5280, section 5): `ca.crl` for the root, `ca-NAME.crl` for each CA below it, and `crl.pem`
//! with all of them, for the setting `crl_paths` of the listener.
//!
//! The numbers of the lists increase because each is at least the time of its writing in seconds since 1970, and more than
//! the one before: a list that was lost, or a folder put back from a copy, does not make them start again.

use std::fmt::Write as _;
use std::path::PathBuf;

use rcgen::{CertificateRevocationListParams, KeyIdMethod, RevokedCertParams, SerialNumber};
use time::{Duration, OffsetDateTime};

use super::args::CrlArgs;
use super::authority::Authority;
use super::cas::{self, Ca};
use super::crl_file::{self, Previous};
use super::error::{CaError, PkiError, RevokeError};
use super::names::CaId;
use super::revoked::{Revoked, Table};
use super::store::{Store, TABLE_LIMIT, read_bounded};
use super::text::{ca_command, shell_word, stamp};

/// How long the first list of a CA is valid.
const WINDOW: Duration = Duration::days(7);

/// A certificate stays on the list for this long after its own end: clocks differ, and at least one list after the end
/// must have it (RFC 5280, section 3.3).
const AFTERWARDS: Duration = Duration::days(30);

/// All lists in one file.
const BUNDLE: &str = "crl.pem";

const TABLE: &str = "revoked.tsv";

impl Store {
    /// What was revoked; nothing without the table.
    ///
    /// # Errors
    ///
    /// It cannot be read, or a line of it is damaged.
    pub(super) fn revoked(&self) -> Result<Table, PkiError> {
        let path = self.dir().join(TABLE);
        let text = self.read_table(&path)?.unwrap_or_default();
        Ok(Table::parse(&text).map_err(|line| RevokeError::Damaged { path, line })?)
    }

    /// Keeps what was revoked.
    ///
    /// # Errors
    ///
    /// It cannot be written; the table before stays.
    pub(super) fn keep_revoked(&self, table: &Table) -> Result<(), PkiError> {
        let path = self.dir().join(TABLE);
        Ok(self.write(&path, table.to_text().as_bytes(), 0o644)?)
    }

    /// Whether there are lists to keep whole.
    pub(super) fn has_lists(&self) -> bool {
        self.dir().join(BUNDLE).exists()
    }
}

/// Which lists are written anew; one that is missing always is, if its CA can sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// Of every CA whose key is in the folder.
    All,
    /// Of these; that they cannot sign is an error.
    These(Vec<CaId>),
}

/// How lists are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Form {
    /// How long they are valid; without this as long as the one before.
    pub(super) days: Option<u16>,
    /// As DER, too; without this only where there is such a file already.
    pub(super) der: bool,
}

/// `pki crl`.
///
/// # Errors
///
/// There is no CA, one that was asked for cannot sign, or the files cannot be read or written.
pub(super) fn crl(store: &Store, args: &CrlArgs, now: OffsetDateTime) -> Result<String, PkiError> {
    let which = match &args.issuer {
        None => Which::All,
        Some(id) => Which::These(vec![id.clone()]),
    };
    let form = Form {
        days: args.days,
        der: args.der,
    };
    let text = refresh(store, &which, form, now)?;
    let dir = std::path::absolute(store.dir()).unwrap_or_else(|_| store.dir().to_owned());
    // In a crontab a bare `%` ends the command.
    let dir = shell_word(&dir.display().to_string()).replace('%', r"\%");
    Ok(format!(
        "{text}\nnext: let the listener read it (crl_paths), and write it anew well before it ends, for example daily by cron:\n  \
         17 3 * * *  sw_listener pki crl --dir {dir}"
    ))
}

/// Writes lists anew, and then the file with all of them; returns the text that says so.
///
/// # Errors
///
/// As [`crl`].
pub(super) fn refresh(
    store: &Store,
    which: &Which,
    form: Form,
    now: OffsetDateTime,
) -> Result<String, PkiError> {
    let table = store.revoked()?;
    let cas = cas::all(store)?;
    if let Which::These(ids) = which
        && let Some(id) = ids.iter().find(|id| cas.iter().all(|ca| ca.id != **id))
    {
        let path = store.paths(&id.stem()).0;
        let init = ca_command(id, store.dir());
        return Err(CaError::Missing { path, init }.into());
    }
    let (mut bundle, mut text) = (String::new(), Vec::new());
    for ca in &cas {
        let previous = previous(store, ca);
        let must = matches!(which, Which::These(ids) if ids.contains(&ca.id));
        let may = ca.has_key && now < ca.not_after && (*which == Which::All || previous.is_none());
        let list = if must || may {
            let list = write(store, ca, &table, previous.as_ref(), form, now)?;
            text.push(format!(
                "wrote {}: {}",
                list_path(store, ca).display(),
                told(ca, &list)
            ));
            Some(list)
        } else {
            text.extend(note(ca, previous.as_ref(), *which == Which::All, now));
            previous
        };
        // The list of a CA that has ended would only be found to have ended, too.
        if let Some(list) = list.filter(|_| now < ca.not_after) {
            bundle.push_str(&to_pem(&list.der));
        }
    }
    let path = store.dir().join(BUNDLE);
    store.write(&path, bundle.as_bytes(), 0o644)?;
    text.push(format!(
        "wrote {}: the lists of all CAs, for the setting crl_paths of the listener",
        path.display()
    ));
    Ok(text.join("\n"))
}

/// Signs a list and puts it in place.
fn write(
    store: &Store,
    ca: &Ca,
    table: &Table,
    previous: Option<&Previous>,
    form: Form,
    now: OffsetDateTime,
) -> Result<Previous, PkiError> {
    let authority = Authority::load(store, &ca.id, now)?;
    let signed = authority.sign_crl(params(table.of(&ca.id), previous, form.days, now))?;
    let pem = to_pem(signed.der());
    let der_path = store.dir().join(ca.id.stem().der_crl());
    store.write(&list_path(store, ca), pem.as_bytes(), 0o644)?;
    if form.der || der_path.exists() {
        store.write(&der_path, signed.der(), 0o644)?;
    }
    crl_file::read(pem.as_bytes()).ok_or_else(|| PkiError::ReadBack {
        subject: ca.name.clone(),
        source: super::facts::Unreadable::Pem,
    })
}

/// What goes into a list. Pure.
fn params<'a>(
    revoked: impl Iterator<Item = &'a Revoked>,
    previous: Option<&Previous>,
    days: Option<u16>,
    now: OffsetDateTime,
) -> CertificateRevocationListParams {
    // A list that is older than the one before is taken for a roll-back, and refused.
    let this_update = previous
        .map_or(now, |previous| previous.this_update.max(now))
        .truncate_to_second();
    let window = match (days, previous) {
        (Some(days), _) => Duration::days(i64::from(days)),
        (None, Some(previous)) if previous.window().is_positive() => previous.window(),
        (None, _) => WINDOW,
    };
    CertificateRevocationListParams {
        this_update,
        next_update: this_update.saturating_add(window),
        crl_number: SerialNumber::from(number(previous, now)),
        issuing_distribution_point: None,
        revoked_certs: revoked
            .filter(|one| now < one.not_after.saturating_add(AFTERWARDS))
            .map(entry)
            .collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    }
}

fn number(previous: Option<&Previous>, now: OffsetDateTime) -> u64 {
    let seconds = u64::try_from(now.unix_timestamp()).unwrap_or(0);
    let before = previous.and_then(|previous| previous.number).unwrap_or(0);
    seconds.max(before.saturating_add(1))
}

fn entry(revoked: &Revoked) -> RevokedCertParams {
    RevokedCertParams {
        serial_number: SerialNumber::from(unhex(&revoked.serial)),
        revocation_time: revoked.at,
        reason_code: revoked.reason.code(),
        invalidity_date: None,
    }
}

/// Pairs of hexadecimal digits, as the table has them.
fn unhex(digits: &str) -> Vec<u8> {
    let value = |digit: u8| char::from(digit).to_digit(16).unwrap_or(0) as u8;
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | value(*digit)))
        .collect()
}

/// The list before. One that is damaged, or another CA's, is none.
fn previous(store: &Store, ca: &Ca) -> Option<Previous> {
    let text = read_bounded(&list_path(store, ca), TABLE_LIMIT).ok()?;
    crl_file::read(&text).filter(|list| list.issuer == ca.subject)
}

fn list_path(store: &Store, ca: &Ca) -> PathBuf {
    store.dir().join(ca.id.stem().crl())
}

fn told(ca: &Ca, list: &Previous) -> String {
    let mut text = format!("the list of {}", ca.name);
    if let Some(number) = list.number {
        let _ = write!(text, ", number {number}");
    }
    let plural = if list.entries == 1 {
        "certificate"
    } else {
        "certificates"
    };
    let _ = write!(
        text,
        ", {} {plural}, until {}",
        list.entries,
        stamp(list.next_update)
    );
    text
}

/// What the user should know of a list that was not written.
fn note(ca: &Ca, previous: Option<&Previous>, all: bool, now: OffsetDateTime) -> Option<String> {
    if now >= ca.not_after {
        return all.then(|| {
            format!(
                "note: {} has ended: it has no list any more",
                ca.path.display()
            )
        });
    }
    let without = format!("note: the key of {} is not here", ca.path.display());
    match previous {
        None => Some(format!(
            "{without}: make its list where the key is, and copy it to this folder"
        )),
        Some(list) if list.next_update <= now => Some(format!(
            "{without}, and its list has ended: make a new one where the key is"
        )),
        Some(list) if all => Some(format!("{without}: kept {}", told(ca, list))),
        Some(_) => None,
    }
}

fn to_pem(der: &[u8]) -> String {
    let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    pem::encode_config(&pem::Pem::new("X509 CRL", der), config)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(seconds).unwrap()
    }

    fn list(number: Option<u64>, days: i64) -> Previous {
        Previous {
            der: Vec::new(),
            issuer: Vec::new(),
            number,
            this_update: at(0),
            next_update: at(days * 86_400),
            entries: 0,
        }
    }

    #[test]
    fn numbers_only_increase_even_if_the_clock_goes_back_or_a_list_is_lost() {
        assert_eq!(number(None, at(1000)), 1000);
        assert_eq!(number(Some(&list(Some(1000), 7)), at(1000)), 1001);
        assert_eq!(number(Some(&list(Some(5000), 7)), at(1000)), 5001);
        assert_eq!(number(Some(&list(None, 7)), at(1000)), 1000);
    }

    #[test]
    fn no_list_is_older_than_the_one_before_if_the_clock_goes_back() {
        let before = Previous {
            this_update: at(5000),
            next_update: at(5000 + 7 * 86_400),
            ..list(Some(5000), 7)
        };
        let written = |now| {
            let params = params(std::iter::empty(), Some(&before), None, at(now));
            (params.this_update, params.next_update)
        };
        assert_eq!(written(1000), (at(5000), at(5000 + 7 * 86_400)));
        assert_eq!(written(6000), (at(6000), at(6000 + 7 * 86_400)));
    }

    #[test]
    fn a_list_is_valid_as_long_as_the_one_before_unless_told() {
        let window = |previous: Option<&Previous>, days| {
            let params = params(std::iter::empty(), previous, days, at(1000));
            (params.next_update - params.this_update).whole_days()
        };
        assert_eq!(window(None, None), 7);
        assert_eq!(window(Some(&list(None, 30)), None), 30);
        assert_eq!(window(Some(&list(None, 30)), Some(3)), 3);
        assert_eq!(window(Some(&list(None, 0)), None), 7);
    }

    #[test]
    fn a_certificate_leaves_the_list_some_time_after_its_end() {
        let revoked = Revoked {
            at: at(0),
            issuer: CaId::Root,
            serial: "4aff".to_owned(),
            reason: super::super::reason::Reason::Unspecified,
            not_after: at(1000),
            kind: "client".to_owned(),
            name: "a".to_owned(),
        };
        let count = |now| {
            params([&revoked].into_iter(), None, None, now)
                .revoked_certs
                .len()
        };
        assert_eq!(count(at(1000 + 30 * 86_400 - 1)), 1);
        assert_eq!(count(at(1000 + 30 * 86_400)), 0);
        let params = params([&revoked].into_iter(), None, None, at(0));
        assert_eq!(
            params.revoked_certs[0].serial_number.to_bytes(),
            [0x4a, 0xff]
        );
    }
}
