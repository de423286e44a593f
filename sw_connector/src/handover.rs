//! Moving to a new certificate: a second session takes over while the first one finishes its streams.

use std::{sync::Arc, time::Duration, time::Instant};

use common::{
    backoff::Backoff,
    ids::SessionId,
    trouble::{Say, Trouble},
};
use tokio::sync::watch;
use tracing::{info, warn};

use crate::{
    config::ListenerAddress,
    daemon::Context,
    dial::{self, DialError, Dialled},
    material::{Material, Shown},
};

/// The first wait after a hand-over that failed is at most this long.
const BASE: Duration = Duration::from_secs(1);
/// Every wait is at most this long: the session works, so there is no hurry.
const CAP: Duration = Duration::from_secs(300);

/// The session that is to be handed over.
#[derive(Debug, Clone)]
pub(crate) struct Current {
    shown: Shown,
    /// Its name, if its listener can hand over.
    id: Option<SessionId>,
}

impl Current {
    /// A session that was dialled with this material.
    pub(crate) fn new(dialled: &Dialled, material: &Material) -> Self {
        let welcome = dialled.control.as_ref().map(|(_, _, welcome)| welcome);
        Self {
            shown: material.shown(),
            id: welcome
                .filter(|welcome| welcome.hands_over())
                .map(|welcome| welcome.session),
        }
    }
}

/// Waits for another certificate than that of the current session, and dials with it until the listener lets that session
/// take over. Never completes when the listener cannot, or we are stopping.
///
/// # Cancel safety
/// Cancel safe: a session that was being dialled is given up.
pub(crate) async fn successor(
    current: Current,
    listener: ListenerAddress,
    context: Arc<Context>,
) -> (Dialled, Arc<Material>) {
    let mut materials = context.material.clone();
    let mut trouble = Trouble::default();
    let mut backoff = Backoff::new(BASE, CAP);
    loop {
        let found = materials.borrow_and_update().clone();
        let Some(material) = found.filter(|material| material.shown() != current.shown) else {
            changed(&mut materials).await;
            continue;
        };
        let Some(id) = current.id else {
            info!(
                "the listener cannot hand over to another session: the new certificate is used from the next session on"
            );
            changed(&mut materials).await;
            continue;
        };
        let dialling = dial::dial(&listener, &context.config, &material, Some(id));
        let dialled = tokio::select! {
            dialled = dialling => dialled,
            // The session that we have drains, and nothing shall come after it.
            () = context.shutdown.draining() => return std::future::pending().await,
        };
        let error = match dialled {
            Ok(dialled) => return (dialled, material),
            Err(error) => error,
        };
        if error.is_duplicate() {
            info!(
                %error,
                "the listener does not hand over to a session with this certificate: it is used from the next session on"
            );
            changed(&mut materials).await;
            continue;
        }
        let wait = backoff.next(rand::random());
        complain(&mut trouble, &error, wait);
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = changed(&mut materials) => backoff.reset(),
        }
    }
}

/// The task that reads the files ends only with the connector.
async fn changed(materials: &mut watch::Receiver<Option<Arc<Material>>>) {
    if materials.changed().await.is_err() {
        std::future::pending().await
    }
}

fn complain(trouble: &mut Trouble, error: &DialError, wait: Duration) {
    match trouble.failed(&error.to_string(), Instant::now()) {
        Say::Full => warn!(
            %error, retry_in = ?wait,
            "no session with the new certificate; the one with the old certificate goes on"
        ),
        Say::Still(lasted, tries) => warn!(
            %error, ?lasted, tries, retry_in = ?wait, "still no session with the new certificate"
        ),
        Say::Nothing => {}
    }
}
