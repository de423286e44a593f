//! Which openings there are, by port. Pure: it decides, and changes nothing but itself.

use std::{collections::BTreeMap, sync::Arc};

use common::{ids::OpeningId, ids::Uid};

use super::{Request, Shared};
use crate::store::StoredOpening;

/// The openings.
#[derive(Debug, Default)]
pub(super) struct Table {
    by_port: BTreeMap<u16, Arc<Shared>>,
}

/// What a request comes to.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It is there already.
    Same(Arc<Shared>),
    /// Its port belongs to another opening.
    Conflict(Arc<Shared>),
    /// The UID has as many as it may.
    Full(usize),
    /// It may be made.
    New,
}

impl Table {
    /// Decides about a request.
    pub(super) fn judge(&self, request: &Request, max_per_uid: usize) -> Verdict {
        if let Some(holder) = self.by_port.get(&request.port) {
            let stored = &holder.stored;
            let same = stored.uid == request.uid
                && stored.target == request.target
                && stored.options == request.options;
            return if same {
                Verdict::Same(holder.clone())
            } else {
                Verdict::Conflict(holder.clone())
            };
        }
        let held = self.of(&request.uid).count();
        if held >= max_per_uid {
            return Verdict::Full(held);
        }
        Verdict::New
    }

    pub(super) fn insert(&mut self, opening: Arc<Shared>) {
        let before = self.by_port.insert(opening.stored.port, opening);
        debug_assert!(before.is_none(), "a port has one opening");
    }

    pub(super) fn remove(&mut self, port: u16) -> Option<Arc<Shared>> {
        self.by_port.remove(&port)
    }

    pub(super) fn get(&self, port: u16) -> Option<&Arc<Shared>> {
        self.by_port.get(&port)
    }

    /// All, by port.
    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Shared>> {
        self.by_port.values()
    }

    /// Those of a UID.
    pub(super) fn of<'a>(&'a self, uid: &'a Uid) -> impl Iterator<Item = &'a Arc<Shared>> {
        self.all().filter(move |opening| opening.stored.uid == *uid)
    }

    /// What the store shall hold when `added` comes and `removed` goes.
    pub(super) fn stored_with(
        &self,
        added: Option<&StoredOpening>,
        removed: Option<OpeningId>,
    ) -> Vec<StoredOpening> {
        self.all()
            .map(|opening| &opening.stored)
            .filter(|stored| Some(stored.id) != removed)
            .chain(added)
            .cloned()
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::opening::Options;

    fn request(uid: &str, port: u16, target: &str) -> Request {
        Request {
            uid: uid.parse().unwrap(),
            port,
            target: target.parse().unwrap(),
            options: Options::default(),
        }
    }

    fn opening(request: &Request) -> Arc<Shared> {
        Arc::new(Shared::new(StoredOpening {
            id: OpeningId::random(),
            port: request.port,
            uid: request.uid.clone(),
            target: request.target.clone(),
            options: request.options.clone(),
        }))
    }

    #[test]
    fn the_same_again_is_the_same_and_anything_else_a_conflict() {
        let mut table = Table::default();
        let first = request("a", 9000, "h:1");
        assert!(matches!(table.judge(&first, 9), Verdict::New));
        table.insert(opening(&first));
        assert!(matches!(table.judge(&first, 9), Verdict::Same(_)));
        for other in [request("b", 9000, "h:1"), request("a", 9000, "h:2")] {
            assert!(matches!(table.judge(&other, 9), Verdict::Conflict(_)));
        }
        let mut options = first.clone();
        options.options.max_connections = Some(1);
        assert!(matches!(table.judge(&options, 9), Verdict::Conflict(_)));
    }

    #[test]
    fn a_uid_holds_no_more_than_it_may() {
        let mut table = Table::default();
        table.insert(opening(&request("a", 9000, "h:1")));
        assert!(matches!(
            table.judge(&request("a", 9001, "h:1"), 1),
            Verdict::Full(1)
        ));
        assert!(matches!(
            table.judge(&request("b", 9001, "h:1"), 1),
            Verdict::New
        ));
        assert!(matches!(
            table.judge(&request("a", 9000, "h:1"), 1),
            Verdict::Same(_)
        ));
    }

    #[test]
    fn the_store_gets_what_will_be() {
        let mut table = Table::default();
        let (first, second) = (
            opening(&request("a", 1, "h:1")),
            opening(&request("a", 2, "h:1")),
        );
        table.insert(first.clone());
        let ports = |stored: Vec<StoredOpening>| stored.iter().map(|s| s.port).collect::<Vec<_>>();
        assert_eq!(ports(table.stored_with(Some(&second.stored), None)), [1, 2]);
        assert_eq!(
            ports(table.stored_with(None, Some(first.stored.id))),
            [0; 0]
        );
    }
}
