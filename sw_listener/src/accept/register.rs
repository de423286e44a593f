//! One live session per UID: who holds the name may keep it, if there is still somebody, or hand it over.

use std::{sync::Arc, time::Duration};

use common::wire::close::CloseCode;
use thiserror::Error;
use tracing::{info, warn};

use super::AcceptContext;
use crate::{
    config::DuplicateUid,
    policy::Permit,
    registry::{HandOverError, LiveSession, Occupied, Registration},
    succession::{self, Unfit},
};

/// How long the registered session has to prove that it is alive.
const PROOF: Duration = Duration::from_secs(2);

/// Why a session was not registered.
#[derive(Debug, Error)]
pub(super) enum ClaimError {
    /// A live session holds its UID.
    #[error("UID {0} has a live session already: it stays, this one is refused")]
    Duplicate(String),
    /// It asked to take over from the live session, and may not.
    #[error("UID {uid} has a live session already, which does not hand over to this one: {why}")]
    Unfit {
        /// The UID.
        uid: String,
        /// Why it may not.
        why: Unfit,
    },
    /// It may, but not now.
    #[error("UID {uid}: no hand-over for now: {source}")]
    NotNow {
        /// The UID.
        uid: String,
        /// Why not.
        source: HandOverError,
    },
}

impl ClaimError {
    /// What the connector is told.
    pub(super) fn close_code(&self) -> CloseCode {
        match self {
            Self::Duplicate(_) | Self::Unfit { .. } => CloseCode::DuplicateUid,
            Self::NotNow { .. } => CloseCode::Limit,
        }
    }
}

/// Registers a session. A holder of its UID that is dead is replaced, and one that it may succeed hands over to it.
///
/// # Errors
/// [`ClaimError`].
pub(super) async fn claim(
    permit: Permit,
    live: &Arc<LiveSession>,
    context: &AcceptContext,
) -> Result<Registration, ClaimError> {
    match succeed(permit, live, context)? {
        Succeeded::Registered(registration) => Ok(registration),
        Succeeded::NotAsked(permit) => displace(permit, live, context)
            .await
            .ok_or_else(|| ClaimError::Duplicate(live.uid().to_string())),
    }
}

enum Succeeded {
    Registered(Registration),
    NotAsked(Permit),
}

/// Takes over from the session that the connector names in its `hello`, if that one holds the UID.
fn succeed(
    permit: Permit,
    live: &Arc<LiveSession>,
    context: &AcceptContext,
) -> Result<Succeeded, ClaimError> {
    let replaces = live.hello.as_ref().and_then(|hello| hello.replaces);
    let Some(holder) = context.registry.get(live.uid()) else {
        return Ok(Succeeded::NotAsked(permit));
    };
    let uid = live.uid().to_string();
    let judged = succession::judge(replaces, &live.identity, (holder.id, &holder.identity));
    let succession = match judged {
        Ok(succession) => succession,
        // It may have died meanwhile, like any session.
        Err(Unfit::OtherSession) => return Ok(Succeeded::NotAsked(permit)),
        Err(why) => return Err(ClaimError::Unfit { uid, why }),
    };
    match context.registry.hand_over(permit, live, &succession) {
        Ok(registration) => {
            info!(%uid, old = %holder.id, new = %live.id, "the session hands over to one with a newer certificate");
            Ok(Succeeded::Registered(registration))
        }
        Err(HandOverError::Gone(permit)) => Ok(Succeeded::NotAsked(permit)),
        Err(source @ HandOverError::Full) => Err(ClaimError::NotNow { uid, source }),
    }
}

/// Registers a session; `None` when a live one holds its UID. A holder that does not answer is replaced.
async fn displace(
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
