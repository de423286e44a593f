//! `revoked.tsv`: what was taken back, when and why; the revocation lists are made out of it. Pure: text in, values out.
//!
//! Columns: revoked, issuer, serial, reason, `not_after`, kind, name.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::issued::Entry;
use super::names::CaId;
use super::reason::Reason;
use super::text::stamp;

/// The first line.
const HEAD: &str = "revoked\tissuer\tserial\treason\tnot_after\tkind\tname";

/// A certificate that was taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Revoked {
    /// When, to the second; it never changes.
    pub(super) at: OffsetDateTime,
    pub(super) issuer: CaId,
    /// Hexadecimal.
    pub(super) serial: String,
    pub(super) reason: Reason,
    /// The end of the certificate's validity.
    pub(super) not_after: OffsetDateTime,
    pub(super) kind: String,
    pub(super) name: String,
}

/// All of them, in the order in which they were revoked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Table(Vec<Revoked>);

/// What became of a wish to revoke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is on the list now.
    Listed,
    /// It was there; the date stays, and the reason too unless it was on hold.
    Already {
        since: OffsetDateTime,
        reason: Reason,
        changed: bool,
    },
}

impl Table {
    /// Reads the table.
    ///
    /// # Errors
    ///
    /// The number of the first line, from 1, that is none of the table: nothing may be forgotten.
    pub(super) fn parse(text: &str) -> Result<Self, usize> {
        let lines = text.lines().enumerate().skip(1);
        let rows = lines.map(|(index, line)| row(line).ok_or(index + 1));
        match text.lines().next() {
            None | Some(HEAD) => rows.collect::<Result<_, _>>().map(Self),
            Some(_) => Err(1),
        }
    }

    /// It as text.
    pub(super) fn to_text(&self) -> String {
        let lines = self.0.iter().map(|revoked| {
            let Revoked {
                at,
                issuer,
                serial,
                reason,
                not_after,
                kind,
                name,
            } = revoked;
            let (at, not_after) = (stamp(*at), stamp(*not_after));
            format!("{at}\t{issuer}\t{serial}\t{reason}\t{not_after}\t{kind}\t{name}\n")
        });
        std::iter::once(format!("{HEAD}\n")).chain(lines).collect()
    }

    /// The line of a certificate.
    pub(super) fn find(&self, issuer: &CaId, serial: &str) -> Option<&Revoked> {
        self.0
            .iter()
            .find(|one| one.issuer == *issuer && one.serial == serial)
    }

    /// Whether the number is on the list of any CA here; they are random enough not to meet.
    pub(super) fn has_serial(&self, serial: &str) -> bool {
        self.0.iter().any(|one| one.serial == serial)
    }

    /// Those that `issuer` has issued.
    pub(super) fn of(&self, issuer: &CaId) -> impl Iterator<Item = &Revoked> {
        self.0.iter().filter(move |one| one.issuer == *issuer)
    }

    /// Puts a certificate on the list.
    pub(super) fn revoke(&mut self, entry: &Entry, reason: Reason, now: OffsetDateTime) -> Outcome {
        let there = |one: &&mut Revoked| one.issuer == entry.issuer && one.serial == entry.serial;
        if let Some(one) = self.0.iter_mut().find(there) {
            let changed = one.reason == Reason::CertificateHold && reason != one.reason;
            if changed {
                one.reason = reason;
            }
            return Outcome::Already {
                since: one.at,
                reason: one.reason,
                changed,
            };
        }
        self.0.push(Revoked {
            at: now.truncate_to_second(),
            issuer: entry.issuer.clone(),
            serial: entry.serial.clone(),
            reason,
            not_after: entry.not_after,
            kind: entry.kind.clone(),
            name: entry.name.clone(),
        });
        Outcome::Listed
    }

    /// Takes a certificate off the list that was on hold.
    ///
    /// # Errors
    ///
    /// It is not on the list, or for the reason returned.
    pub(super) fn release(&mut self, entry: &Entry) -> Result<(), Option<Reason>> {
        match self
            .find(&entry.issuer, &entry.serial)
            .map(|one| one.reason)
        {
            Some(Reason::CertificateHold) => {
                self.0
                    .retain(|one| one.issuer != entry.issuer || one.serial != entry.serial);
                Ok(())
            }
            other => Err(other),
        }
    }
}

fn row(line: &str) -> Option<Revoked> {
    let cells: Vec<&str> = line.split('\t').collect();
    let [at, issuer, serial, reason, not_after, kind, name] = *cells.as_slice() else {
        return None;
    };
    let hexadecimal = !serial.is_empty()
        && serial.len() % 2 == 0
        && serial.bytes().all(|b| b.is_ascii_hexdigit());
    Some(Revoked {
        at: OffsetDateTime::parse(at, &Rfc3339).ok()?,
        issuer: issuer.parse().ok()?,
        serial: hexadecimal.then(|| serial.to_owned())?,
        reason: reason.parse().ok()?,
        not_after: OffsetDateTime::parse(not_after, &Rfc3339).ok()?,
        kind: kind.to_owned(),
        name: name.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, serial: &str) -> Entry {
        Entry {
            kind: "client".to_owned(),
            name: name.to_owned(),
            serial: serial.to_owned(),
            not_after: OffsetDateTime::from_unix_timestamp(1_826_715_600).unwrap(),
            fingerprint: String::new(),
            file: format!("client-{name}.crt"),
            issuer: CaId::Root,
        }
    }

    fn at(seconds: i64) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(seconds).unwrap()
    }

    #[test]
    fn the_table_is_read_back_and_a_damaged_one_is_not() {
        let mut table = Table::default();
        table.revoke(&entry("a", "4a"), Reason::KeyCompromise, at(1_795_179_600));
        table.revoke(&entry("b", "4b"), Reason::Unspecified, at(1_795_179_601));
        let text = table.to_text();
        assert_eq!(Table::parse(&text), Ok(table));
        assert_eq!(Table::parse(""), Ok(Table::default()));
        assert_eq!(Table::parse(&text[..text.len() - 20]), Err(3));
        assert_eq!(Table::parse(&text.replace("\t4a\t", "\tzz\t")), Err(2));
        assert_eq!(Table::parse("other\n"), Err(1));
    }

    #[test]
    fn a_date_stays_and_only_a_hold_can_change_or_end() {
        let mut table = Table::default();
        let (a, b) = (entry("a", "4a"), entry("b", "4b"));
        let now = at(1_795_179_600);
        assert_eq!(
            table.revoke(&a, Reason::CertificateHold, now),
            Outcome::Listed
        );
        let again = table.revoke(&a, Reason::KeyCompromise, at(1_800_000_000));
        let reason = Reason::KeyCompromise;
        assert_eq!(
            again,
            Outcome::Already {
                since: now,
                reason,
                changed: true
            }
        );
        let third = table.revoke(&a, Reason::Superseded, at(1_800_000_000));
        assert_eq!(
            third,
            Outcome::Already {
                since: now,
                reason,
                changed: false
            }
        );
        assert_eq!(table.release(&a), Err(Some(reason)));
        assert_eq!(table.release(&b), Err(None));
        table.revoke(&b, Reason::CertificateHold, now);
        assert_eq!(table.release(&b), Ok(()));
        assert!(table.find(&CaId::Root, "4b").is_none());
    }
}
