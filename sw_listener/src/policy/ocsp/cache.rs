//! What responders have said, kept while it counts. Pure: the time is an argument.

use std::{
    collections::HashMap,
    time::{Duration, SystemTime},
};

use thiserror::Error;

use super::{response::Status, verify::Statement};

/// SHA-256 of the certificate.
pub(super) type Key = [u8; 32];

/// Certificates that are remembered: about 30 MB when full.
const MAX_ENTRIES: usize = 100_000;

/// It is older than what the same certificate's responder has said before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("it is older than an answer seen before")]
pub(super) struct RolledBack;

/// An answer, and who gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) status: Status,
    pub(super) responder: String,
}

/// What the cache knows of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Known {
    /// Nothing that counts.
    Nothing,
    /// This, and it is old enough to ask again.
    Stale(Kept),
    /// This, and it was asked just now.
    Fresh(Kept),
}

#[derive(Debug)]
struct Entry {
    /// The newest that was seen, for whatever it said.
    this_update: SystemTime,
    asked: SystemTime,
    until: SystemTime,
    /// Whether it may be used until then without asking.
    promised: bool,
    /// Good or revoked; unknown is remembered for its time only.
    kept: Option<Kept>,
}

impl Entry {
    fn is_revoked(&self) -> bool {
        matches!(&self.kept, Some(kept) if matches!(kept.status, Status::Revoked { .. }))
    }
}

/// The answers, by certificate.
#[derive(Debug, Default)]
pub(super) struct Cache {
    entries: HashMap<Key, Entry>,
}

impl Cache {
    /// What is known of a certificate; fresh if it was asked at most `max_age` ago.
    ///
    /// Revoked stays: that its answer runs out makes nobody trustworthy, only a newer answer does.
    pub(super) fn look(&self, key: &Key, now: SystemTime, max_age: Duration) -> Known {
        let Some(entry) = self.entries.get(key) else {
            return Known::Nothing;
        };
        let Some(kept) = entry.kept.clone() else {
            return Known::Nothing;
        };
        let counts = now <= entry.until;
        // A clock that was set back makes everything old, rather than fresh for long.
        let age = now.duration_since(entry.asked);
        if counts && age.is_ok_and(|age| age <= max_age) {
            Known::Fresh(kept)
        } else if (counts && entry.promised) || entry.is_revoked() {
            Known::Stale(kept)
        } else {
            Known::Nothing
        }
    }

    /// Takes a verified statement, asked for at `asked`, to be kept at most `max_age`.
    ///
    /// # Errors
    /// [`RolledBack`]: what says less than is known already is refused. A revocation is taken in any order, so that a
    /// responder whose clock is behind another's cannot hide it; it is lifted only by an answer that is newer.
    pub(super) fn store(
        &mut self,
        key: Key,
        statement: &Statement,
        responder: &str,
        asked: SystemTime,
        max_age: Duration,
    ) -> Result<(), RolledBack> {
        let revoked = matches!(statement.status, Status::Revoked { .. });
        let before = self.entries.get(&key);
        let seen = before.map(|entry| entry.this_update);
        if let Some(before) = before
            && !revoked
            && (statement.this_update < before.this_update
                || (before.is_revoked() && statement.this_update == before.this_update))
        {
            return Err(RolledBack);
        }
        let kept = match statement.status {
            Status::Good | Status::Revoked { .. } => Some(Kept {
                status: statement.status,
                responder: responder.to_owned(),
            }),
            // Some responders forget what has expired. That takes no revocation back.
            Status::Unknown => before
                .filter(|e| e.is_revoked())
                .and_then(|e| e.kept.clone()),
        };
        if before.is_none() {
            self.make_room();
        }
        let entry = Entry {
            this_update: statement
                .this_update
                .max(seen.unwrap_or(statement.this_update)),
            asked,
            until: statement.until.min(asked + max_age),
            promised: statement.promised,
            kept,
        };
        self.entries.insert(key, entry);
        Ok(())
    }

    /// Forgets a tenth when full: those asked longest ago, revoked ones last.
    fn make_room(&mut self) {
        if self.entries.len() < MAX_ENTRIES {
            return;
        }
        let order = |entry: &Entry| (entry.is_revoked(), entry.asked);
        let mut all: Vec<_> = self.entries.values().map(order).collect();
        let (_, limit, _) = all.select_nth_unstable(MAX_ENTRIES / 10);
        let limit = *limit;
        let mut left = MAX_ENTRIES / 10;
        self.entries.retain(|_, entry| {
            let goes = left > 0 && order(entry) <= limit;
            left -= usize::from(goes);
            !goes
        });
    }
}
