//! What the rest of the listener holds of the keeper: checks, news and commands.

use std::{sync::Arc, time::SystemTime};

use common::tls::expiry::Item;
use rustls::pki_types::CertificateDer;
use tokio::sync::{mpsc, oneshot, watch};

use super::{CrlFinding, CrlScope, CrlSnapshot, CrlStatus};
use crate::policy::chain::{Issuer, Path};

/// What the keeper is told.
pub(super) enum Command {
    Reload(oneshot::Sender<()>),
    Authorities(Vec<CertificateDer<'static>>),
    Met(Issuer),
}

/// Checks paths, and talks to the keeper.
#[derive(Debug, Clone)]
pub struct CrlHandle {
    pub(super) snapshots: watch::Receiver<Arc<CrlSnapshot>>,
    pub(super) status: watch::Receiver<Arc<CrlStatus>>,
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) scope: CrlScope,
}

impl CrlHandle {
    /// Checks a verified path against the lists of now, and lets the keeper know of CAs that it has not seen.
    ///
    /// # Errors
    /// [`CrlFinding`].
    pub fn check(&self, path: &Path, now: SystemTime) -> Result<(), CrlFinding> {
        let snapshot = self.snapshots.borrow().clone();
        for issuer in snapshot.strangers(path) {
            // When it is full, the next check tells.
            let _ = self.commands.try_send(Command::Met(issuer.clone()));
        }
        snapshot.check(path, self.scope, now)
    }

    /// The lists; it changes when a check may have another result.
    pub fn snapshots(&self) -> watch::Receiver<Arc<CrlSnapshot>> {
        self.snapshots.clone()
    }

    /// The lists whose end is near.
    pub fn ends(&self) -> Vec<Item> {
        self.snapshots.borrow().ends(SystemTime::now())
    }

    /// How the sources are doing.
    pub fn status(&self) -> watch::Receiver<Arc<CrlStatus>> {
        self.status.clone()
    }

    /// Reads all files again, and begins to fetch all addresses; done when the files are read.
    pub async fn reload(&self) {
        let (done, ended) = oneshot::channel();
        if self.commands.send(Command::Reload(done)).await.is_ok() {
            let _ = ended.await;
        }
    }

    /// The CA bundle has changed.
    pub async fn set_authorities(&self, bundle: Vec<CertificateDer<'static>>) {
        // Without a keeper there is nobody to tell.
        let _ = self.commands.send(Command::Authorities(bundle)).await;
    }
}
