//! Limits on streams: a client, or a connector that does not read, must not take what the others need.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use common::ids::Uid;

/// Descriptors that are kept for everything that is not a client: API, connectors, files, ports.
const RESERVED: usize = 512;

/// UIDs among which those that are gone need not be looked for.
const FEW: usize = 64;

/// How many streams there may be: makes the limits of sessions.
#[derive(Debug)]
pub struct Limits {
    per_uid: usize,
    in_all: Places,
    uids: Mutex<Uids>,
}

/// The places of UIDs. They live as long as a session or a stream of the UID does, whatever has become of its place in
/// the registry.
#[derive(Debug, Default)]
struct Uids {
    taken: HashMap<Uid, Weak<AtomicUsize>>,
    /// At this size it is swept: twice what was left by the last sweep.
    sweep_at: usize,
}

/// How many streams a session may have.
#[derive(Debug, Clone)]
pub struct StreamLimits {
    /// Of its UID, whose sessions share them.
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

impl Limits {
    /// The limits of the settings, and of the descriptors that the process may open.
    pub fn new(per_uid: usize, in_all: usize, descriptors: Option<u64>) -> Self {
        Self {
            per_uid,
            in_all: Places::new(in_all.min(Self::possible(descriptors))),
            uids: Mutex::default(),
        }
    }

    /// How many streams the descriptors that the process may open are enough for.
    pub fn possible(descriptors: Option<u64>) -> usize {
        let descriptors = descriptors.map_or(usize::MAX, |count| {
            usize::try_from(count).unwrap_or(usize::MAX)
        });
        descriptors.saturating_sub(RESERVED).max(descriptors / 4)
    }

    /// The limits of a session of this UID.
    pub fn of(&self, uid: &Uid) -> StreamLimits {
        let mut uids = self
            .uids
            .lock()
            .expect("nothing panics while it holds this lock");
        StreamLimits {
            per_uid: Places {
                taken: uids.taken(uid),
                limit: self.per_uid,
            },
            in_all: self.in_all.clone(),
        }
    }
}

impl Uids {
    fn taken(&mut self, uid: &Uid) -> Arc<AtomicUsize> {
        if let Some(taken) = self.taken.get(uid).and_then(Weak::upgrade) {
            return taken;
        }
        if self.taken.len() >= self.sweep_at {
            self.taken.retain(|_, taken| taken.strong_count() > 0);
            self.sweep_at = (2 * self.taken.len()).max(FEW);
        }
        let taken = Arc::default();
        self.taken.insert(uid.clone(), Arc::downgrade(&taken));
        taken
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

    fn uid(name: &str) -> Uid {
        name.parse().unwrap()
    }

    #[test]
    fn descriptors_bound_the_streams() {
        assert_eq!(Limits::new(1, 50_000, None).in_all.limit, 50_000);
        assert_eq!(Limits::new(1, 50_000, Some(4096)).in_all.limit, 3584);
        assert_eq!(Limits::new(1, 50_000, Some(64)).in_all.limit, 16);
    }

    /// A session that has left the registry, and even one that is gone but for a stream, counts.
    #[test]
    fn a_uid_has_its_places_once_whatever_session_it_has() {
        let limits = Limits::new(1, 10, None);
        let first = limits.of(&uid("a"));
        let slot = first.per_uid.enter();
        assert!(limits.of(&uid("a")).per_uid.is_full());
        assert!(!limits.of(&uid("b")).per_uid.is_full());
        drop(first);
        assert!(limits.of(&uid("a")).per_uid.is_full());
        drop(slot);
        assert!(!limits.of(&uid("a")).per_uid.is_full());
    }

    #[test]
    fn uids_that_are_gone_take_no_memory() {
        let limits = Limits::new(1, 10, None);
        let stays = limits.of(&uid("stays"));
        let _slot = stays.per_uid.enter();
        for number in 0..10_000 {
            limits.of(&uid(&number.to_string()));
        }
        assert!(limits.uids.lock().unwrap().taken.len() <= FEW);
        assert!(limits.of(&uid("stays")).per_uid.is_full());
    }

    #[test]
    fn places_are_given_back() {
        let places = Limits::new(1, 1, None).in_all;
        let slot = places.enter();
        assert!(places.is_full());
        drop(slot);
        assert!(!places.is_full());
    }
}
