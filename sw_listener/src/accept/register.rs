//! One live session per UID: who holds the name may keep it, if there is still somebody.

use std::{sync::Arc, time::Duration};

use common::wire::close::CloseCode;
use tracing::warn;

use super::AcceptContext;
use crate::{
    config::DuplicateUid,
    policy::Permit,
    registry::{LiveSession, Occupied, Registration},
};

/// How long the registered session has to prove that it is alive.
const PROOF: Duration = Duration::from_secs(2);

/// Registers a session; `None` when a live one holds its UID. A holder that does not answer is replaced.
pub(super) async fn claim(
    mut permit: Permit,
    live: &Arc<LiveSession>,
    context: &AcceptContext,
) -> Option<Registration> {
    let mut evicted: Option<Arc<LiveSession>> = None;
    loop {
        let evict = evicted.as_ref().map(|holder| holder.id);
        let occupied = match context.registry.register(permit, live, evict) {
            Ok(registration) => {
                if let Some(old) = evicted {
                    warn!(uid = %old.uid(), old = %old.id, new = %live.id, "the session of this UID was replaced");
                    old.session.close(CloseCode::Replaced);
                }
                return Some(registration);
            }
            Err(occupied) => occupied,
        };
        let Occupied {
            holder,
            permit: back,
        } = occupied;
        permit = back;
        let refuse = context.duplicate_uid == DuplicateUid::Refuse;
        if refuse && holder.is_alive(PROOF).await {
            return None;
        }
        evicted = Some(holder);
    }
}
