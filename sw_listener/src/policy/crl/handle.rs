//! What the rest of the listener holds of the keeper: checks, news and wishes. Nothing here waits for it.

use std::{sync::Arc, time::SystemTime};

use common::tls::expiry::Item;
use rustls::pki_types::CertificateDer;
use tokio::sync::{Notify, mpsc, watch};

use super::{CrlFinding, CrlScope, CrlSnapshot, CrlStatus};
use crate::policy::chain::{Issuer, Path};

/// Checks paths, and talks to the keeper.
#[derive(Debug, Clone)]
pub struct CrlHandle {
    pub(super) snapshots: watch::Receiver<Arc<CrlSnapshot>>,
    pub(super) status: watch::Receiver<Arc<CrlStatus>>,
    pub(super) asked: Arc<Notify>,
    pub(super) bundle: watch::Sender<Vec<CertificateDer<'static>>>,
    pub(super) met: mpsc::Sender<Issuer>,
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
            let _ = self.met.try_send(issuer.clone());
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

    /// Has all files read again, and all addresses fetched. Nobody waits for it: a file may be on a mount that hangs.
    /// [`CrlStatus::reloads`] tells when the files were read.
    pub fn reload(&self) {
        self.asked.notify_one();
    }

    /// The CA bundle has changed.
    pub fn set_authorities(&self, bundle: Vec<CertificateDer<'static>>) {
        self.bundle.send_replace(bundle);
    }
}
