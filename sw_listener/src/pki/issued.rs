//! `issued.tsv`: a line for each certificate ever issued, replaced ones included. Pure: text in, values out.
//!
//! Columns: issued, kind, name, serial, `not_after`, sha256, file, issuer. Lines from before there were intermediate
//! CAs lack the last one: the root has issued those.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::facts::Facts;
use super::names::{CaId, Stem};
use super::text::stamp;

/// The first line.
pub(super) const HEAD: &str = "issued\tkind\tname\tserial\tnot_after\tsha256\tfile\tissuer\n";

/// A certificate, as far as taking it back is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// As `Kind` is written.
    pub(super) kind: String,
    /// As in [`Facts`].
    pub(super) name: String,
    /// Hexadecimal.
    pub(super) serial: String,
    pub(super) not_after: OffsetDateTime,
    /// SHA-256 of the DER, hexadecimal.
    pub(super) fingerprint: String,
    /// The name of its file.
    pub(super) file: String,
    pub(super) issuer: CaId,
}

impl Entry {
    /// That of a certificate in a file.
    pub(super) fn new(facts: &Facts, issuer: CaId, file: &str) -> Self {
        Self {
            kind: facts.kind.to_string(),
            name: facts.name.clone(),
            serial: facts.serial.clone(),
            not_after: facts.not_after,
            fingerprint: facts.fingerprint.clone(),
            file: file.to_owned(),
            issuer,
        }
    }
}

/// A line of the table, with its end.
pub(super) fn line(facts: &Facts, issuer: &CaId, stem: &Stem, now: OffsetDateTime) -> String {
    let Facts {
        kind,
        name,
        serial,
        not_after,
        fingerprint,
    } = facts;
    let (issued, not_after, file) = (stamp(now), stamp(*not_after), stem.certificate());
    format!("{issued}\t{kind}\t{name}\t{serial}\t{not_after}\t{fingerprint}\t{file}\t{issuer}\n")
}

/// The table. A line that is none, as a crash may cut one off, says nothing: its certificate was never put in place.
pub(super) fn parse(text: &str) -> Vec<Entry> {
    text.lines().filter_map(entry).collect()
}

fn entry(line: &str) -> Option<Entry> {
    let cells: Vec<&str> = line.split('\t').collect();
    let (kind, name, serial, not_after, fingerprint, file, issuer) = match *cells.as_slice() {
        [_, kind, name, serial, not_after, fingerprint, file] => {
            (kind, name, serial, not_after, fingerprint, file, CaId::Root)
        }
        [_, kind, name, serial, not_after, fingerprint, file, issuer] => (
            kind,
            name,
            serial,
            not_after,
            fingerprint,
            file,
            issuer.parse().ok()?,
        ),
        _ => return None,
    };
    Some(Entry {
        kind: kind.to_owned(),
        name: name.to_owned(),
        serial: serial.to_owned(),
        not_after: OffsetDateTime::parse(not_after, &Rfc3339).ok()?,
        fingerprint: fingerprint.to_owned(),
        file: file.to_owned(),
        issuer,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_with_and_without_an_issuer_are_read_and_others_are_not() {
        let text = format!(
            "{HEAD}\
             2026-11-20T13:00:00Z\tclient\ta\t4a\t2027-11-20T13:00:00Z\tff\tclient-a.crt\n\
             2026-11-20T13:00:00Z\tclient\tb\t4b\t2027-11-20T13:00:00Z\tfe\tclient-b.crt\tplant\n\
             2026-11-20T13:00:00Z\tclient\tc\t4"
        );
        let entries = parse(&text);
        assert_eq!(entries.len(), 2);
        assert_eq!(
            (entries[0].name.as_str(), &entries[0].issuer),
            ("a", &CaId::Root)
        );
        assert_eq!(entries[1].issuer, "plant".parse().unwrap());
        assert_eq!(entries[1].not_after.unix_timestamp(), 1_826_715_600);
    }
}
