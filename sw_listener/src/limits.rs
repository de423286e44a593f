//! Limits on streams: a client, or a connector that does not read, must not take what the others need.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

/// Descriptors that are kept for everything that is not a client: API, connectors, files, ports.
const RESERVED: usize = 512;

/// How many streams there may be.
#[derive(Debug, Clone)]
pub struct StreamLimits {
    /// Of one UID, whose sessions share them.
    pub per_uid: Places,
    /// In all.
    pub in_all: Places,
}

/// Places for streams; clones share them.
#[derive(Debug, Clone)]
pub struct Places {
    taken: Arc<AtomicUsize>,
    limit: usize,
}

/// One place, until it is dropped.
#[derive(Debug)]
pub struct StreamSlot(Arc<AtomicUsize>);

impl StreamLimits {
    /// The limits of the settings, and of the descriptors that the process may open.
    pub fn new(per_uid: usize, in_all: usize, descriptors: Option<u64>) -> Self {
        Self {
            per_uid: Places::new(per_uid),
            in_all: Places::new(in_all.min(Self::possible(descriptors))),
        }
    }

    /// How many streams the descriptors that the process may open are enough for.
    pub fn possible(descriptors: Option<u64>) -> usize {
        let descriptors = descriptors.map_or(usize::MAX, |count| {
            usize::try_from(count).unwrap_or(usize::MAX)
        });
        descriptors.saturating_sub(RESERVED).max(descriptors / 4)
    }

    /// The limits of a session: its UID's places are its own, or those of the session that has held the UID so far.
    pub fn of_uid(&self, before: Option<&Self>) -> Self {
        let per_uid = match before {
            Some(before) => before.per_uid.clone(),
            None => Places::new(self.per_uid.limit),
        };
        Self {
            per_uid,
            in_all: self.in_all.clone(),
        }
    }
}

impl Places {
    fn new(limit: usize) -> Self {
        Self {
            taken: Arc::default(),
            limit,
        }
    }

    /// Whether every place is taken.
    pub fn is_full(&self) -> bool {
        self.taken.load(Relaxed) >= self.limit
    }

    /// Takes a place, whether or not there is one.
    pub fn enter(&self) -> StreamSlot {
        self.taken.fetch_add(1, Relaxed);
        StreamSlot(self.taken.clone())
    }
}

impl Drop for StreamSlot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_bound_the_streams() {
        assert_eq!(StreamLimits::new(1, 50_000, None).in_all.limit, 50_000);
        assert_eq!(StreamLimits::new(1, 50_000, Some(4096)).in_all.limit, 3584);
        assert_eq!(StreamLimits::new(1, 50_000, Some(64)).in_all.limit, 16);
    }

    #[test]
    fn a_uid_has_its_places_once_whatever_session_it_has() {
        let limits = StreamLimits::new(1, 10, None);
        let first = limits.of_uid(None);
        let _slot = first.per_uid.enter();
        assert!(limits.of_uid(Some(&first)).per_uid.is_full());
        assert!(!limits.of_uid(None).per_uid.is_full());
    }

    #[test]
    fn places_are_given_back() {
        let places = StreamLimits::new(1, 1, None).in_all;
        let slot = places.enter();
        assert!(places.is_full());
        drop(slot);
        assert!(!places.is_full());
    }
}
