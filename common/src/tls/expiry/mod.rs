//! What ends soon, or has ended: certificates, and whatever else has a date.
//!
//! [`findings`] is pure and decides; [`Loaded::items`](super::Loaded::items) tells the dates of what a daemon has read;
//! [`Watch`] reports, and keeps what it found for those who show it.

mod items;
mod watch;

use std::{fmt, path::PathBuf};

use time::{Duration, OffsetDateTime};

pub use self::{items::of_cas, watch::Watch};

/// What kind of thing ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The daemon's own certificate.
    Leaf,
    /// A certificate between it and its CA.
    Intermediate,
    /// A CA of the other side.
    Ca,
    /// A revocation list: its `nextUpdate` (RFC 5280, section 5.1.2.5).
    Crl,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Leaf => "certificate",
            Self::Intermediate => "intermediate certificate",
            Self::Ca => "CA certificate",
            Self::Crl => "revocation list",
        })
    }
}

impl Kind {
    fn advice(self) -> &'static str {
        match self {
            Self::Leaf => "get a new one from its CA and put it into the file",
            Self::Intermediate => {
                "get the current one from the CA and put it into the file, behind a certificate that it has signed"
            }
            Self::Ca => {
                "every certificate under it ends with it: add its successor to the file, and take this one out once \
                 nobody uses it"
            }
            Self::Crl => "get the current one from the CA",
        }
    }
}

/// Something with an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// What it is.
    pub kind: Kind,
    /// Where it stands.
    pub file: PathBuf,
    /// Whose it is: the subject of a certificate, the issuer of a list; fit for a log.
    pub name: String,
    /// Its end.
    pub not_after: OffsetDateTime,
}

/// Something that ends soon, or has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub item: Item,
    /// Whole days until its end; negative afterwards.
    pub days_left: i64,
}

impl Finding {
    /// Whether it has ended.
    pub fn is_over(&self) -> bool {
        self.days_left < 0
    }

    /// What a person should do.
    pub fn advice(&self) -> &'static str {
        self.item.kind.advice()
    }
}

/// Whole days from `now` until `end`; negative once it is over, if only by a second.
pub fn days_left(now: OffsetDateTime, end: OffsetDateTime) -> i64 {
    (end - now)
        .whole_seconds()
        .div_euclid(Duration::DAY.whole_seconds())
}

/// Those of the items that have ended or end within `warn_days` days, the next end first.
pub fn findings(
    now: OffsetDateTime,
    warn_days: u32,
    items: impl IntoIterator<Item = Item>,
) -> Vec<Finding> {
    let found = items.into_iter().map(|item| Finding {
        days_left: days_left(now, item.not_after),
        item,
    });
    let mut found: Vec<_> = found
        .filter(|finding| finding.days_left < i64::from(warn_days))
        .collect();
    found.sort_by_key(|finding| finding.item.not_after);
    found
}

#[cfg(test)]
mod tests;
