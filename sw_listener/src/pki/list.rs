//! `pki list`: a table of the certificates in the folder, read from the files themselves.

use std::path::Path;

use time::OffsetDateTime;

use super::error::{CaError, PkiError};
use super::facts::{Facts, Kind, Unreadable, first_der};
use super::names::Stem;
use super::revoked::Table;
use super::store::{READ_LIMIT, Store, read_bounded};
use super::text::{init_command, printable, stamp};

const COLUMNS: usize = 6;
const HEAD: [&str; COLUMNS] = ["KIND", "NAME", "SERIAL", "NOT AFTER", "SHA-256", "FILE"];

/// The table, the root first, then the other CAs, then by file name. A file that is no certificate is a row with the reason in it.
///
/// # Errors
///
/// The folder is missing or cannot be read.
pub(super) fn list(store: &Store, now: OffsetDateTime) -> Result<String, PkiError> {
    if !store.dir().exists() {
        let (path, init) = (store.paths(&Stem::ca()).0, init_command(store.dir()));
        return Err(CaError::Missing { path, init }.into());
    }
    let files = store.certificates()?;
    if files.is_empty() {
        let (dir, init) = (store.dir().display(), init_command(store.dir()));
        return Ok(format!("no certificates in {dir}\nnext: {init}"));
    }
    let mut rows: Vec<_> = files
        .iter()
        .map(|path| (read(path), file_name(path)))
        .collect();
    rows.sort_by_key(|(facts, file)| (!is_ca(facts), file != "ca.crt", file.clone()));
    let revoked = store.revoked()?;
    let cells = rows
        .iter()
        .map(|(facts, file)| row(facts, file, &revoked, now));
    Ok(table(
        &std::iter::once(HEAD.map(str::to_owned))
            .chain(cells)
            .collect::<Vec<_>>(),
    ))
}

fn read(path: &Path) -> Result<Facts, Unreadable> {
    let text = read_bounded(path, READ_LIMIT)?;
    Facts::from_der(&first_der(&text)?)
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .map(|name| printable(&name.to_string_lossy()))
        .unwrap_or_default()
}

fn is_ca(facts: &Result<Facts, Unreadable>) -> bool {
    facts.as_ref().is_ok_and(|facts| facts.kind == Kind::Ca)
}

fn row(
    facts: &Result<Facts, Unreadable>,
    file: &str,
    revoked: &Table,
    now: OffsetDateTime,
) -> [String; COLUMNS] {
    let file = file.to_owned();
    match facts {
        Ok(facts) => [
            facts.kind.to_string(),
            facts.name.clone(),
            facts.serial.clone(),
            stamp(facts.not_after)
                + match (facts.not_after < now, revoked.has_serial(&facts.serial)) {
                    (true, _) => " (expired)",
                    (false, true) => " (revoked)",
                    (false, false) => "",
                },
            facts.fingerprint.clone(),
            file,
        ],
        Err(reason) => {
            let none = || "-".to_owned();
            [
                "unreadable".to_owned(),
                printable(&reason.to_string()),
                none(),
                none(),
                none(),
                file,
            ]
        }
    }
}

/// Left-aligned columns, two spaces apart, as wide as their widest cell.
fn table(rows: &[[String; COLUMNS]]) -> String {
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: [usize; COLUMNS] = std::array::from_fn(width);
    let line = |row: &[String; COLUMNS]| {
        let cells = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}
