//! What the rules depend on and changes while the listener runs: lists, CRLs and the SCEP server's CA, read again when asked
//! and when they change.

use std::{path::PathBuf, sync::Arc, time::Duration};

use common::{
    reload::{Cause, Reloads},
    tls::TlsPolicy,
};
use thiserror::Error;
use tokio::{
    sync::{Notify, Semaphore, watch},
    task,
};
use tracing::{debug, error, info, warn};

use super::{
    AT_ONCE, Policy, ScepCaError, ScepVerifier,
    chain::Authorities,
    crl::{CrlHandle, CrlKeeper, CrlSetup},
    fetch::{FetchError, Fetcher},
    lists::{ListFiles, ListProblem, Lists},
    ocsp::OcspVerifier,
    scep_ca::ScepCa,
};
use crate::config::PolicyConfig;

/// A revocation ends live sessions within this time, unless the settings say otherwise.
const PROMISED: Duration = Duration::from_secs(60);

/// Why the rules cannot be put into force.
#[derive(Debug, Error)]
pub enum PolicyError {
    /// No client for the servers that know of certificates.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// A list cannot be read, and there is no earlier state of it.
    #[error(transparent)]
    List(#[from] ListProblem),
    /// The CA of the SCEP server.
    #[error(transparent)]
    ScepCa(#[from] ScepCaError),
}

/// Keeps the rules up to date. Both tasks belong to the control plane.
pub struct Keeper {
    files: ListFiles,
    lists: watch::Sender<Arc<Lists>>,
    crl: Option<CrlHandle>,
    scep_ca: Option<ScepCa>,
    authorities: watch::Receiver<Arc<Authorities>>,
    reloads: Reloads,
}

/// The rules, and the tasks that keep them.
pub struct Started {
    /// Decides.
    pub policy: Policy,
    /// To be run.
    pub keeper: Keeper,
    /// To be run, where CRLs are looked up.
    pub crl_keeper: Option<CrlKeeper>,
    /// The CRLs, for who shows their state.
    pub crl: Option<CrlHandle>,
}

/// Puts the rules into force, on the runtime that shall ask the servers.
///
/// # Errors
/// [`PolicyError`]. CRLs that cannot be read or fetched are no error: who depends on them is refused until they can.
pub async fn start(
    config: PolicyConfig,
    state_dir: Option<PathBuf>,
    tls: &TlsPolicy,
    authorities: watch::Receiver<Arc<Authorities>>,
) -> Result<Started, PolicyError> {
    if config.rules.recheck > PROMISED {
        let recheck = config.rules.recheck;
        warn!(
            ?recheck,
            "recheck_seconds is above 60: a revocation that a server knows of may take as long to end a session"
        );
    }
    let supported = tls.provider().signature_verification_algorithms;
    let fetcher = Fetcher::new(None)?;
    // Before they are read, so that no change is missed.
    let reloads = Reloads::new(config.files());
    let (files, current) = ListFiles::open(config.lists)?;
    let (lists, lists_seen) = watch::channel(current);
    let (crl_keeper, crl) = match config.crl.is_on() {
        true => {
            let setup = CrlSetup {
                config: config.crl,
                state_dir,
                authorities: authorities.borrow().certificates.clone(),
                supported,
                fetcher: fetcher.clone(),
            };
            let (keeper, handle) = CrlKeeper::start(setup).await;
            (Some(keeper), Some(handle))
        }
        false => (None, None),
    };
    let ocsp = config.ocsp.is_on();
    let ocsp = ocsp.then(|| OcspVerifier::new(config.ocsp, fetcher.clone(), supported));
    let scep = config.scep.as_ref();
    let scep = scep.map(|scep| ScepVerifier::new(scep.url.clone(), fetcher));
    let ca_path = config.scep.and_then(|scep| scep.ca_path);
    let scep_ca = match (ca_path, &scep) {
        (Some(path), Some(scep)) => Some(ScepCa::start(path, scep).await?),
        _ => None,
    };
    let policy = Policy {
        rules: config.rules,
        supported,
        authorities: authorities.clone(),
        lists: lists_seen,
        crl: crl.clone(),
        ocsp,
        scep,
        turns: Semaphore::new(AT_ONCE),
    };
    let keeper = Keeper {
        files,
        lists,
        crl: crl.clone(),
        scep_ca,
        authorities,
        reloads,
    };
    Ok(Started {
        policy,
        keeper,
        crl_keeper,
        crl,
    })
}

impl Keeper {
    /// Notifying it has all files read again.
    pub fn asked(&self) -> Arc<Notify> {
        self.reloads.asked()
    }

    /// Runs for ever.
    pub async fn run(mut self) {
        loop {
            tokio::select! {
                cause = self.reloads.next() => self.reload(cause).await,
                Ok(()) = self.authorities.changed() => self.tell_authorities(),
            }
        }
    }

    /// A bad file leaves what it held in force. The keeper of the CRLs speaks of its own files.
    async fn reload(&mut self, cause: Cause) {
        if let Some(crl) = &self.crl {
            crl.reload();
        }
        let mut files = self.files.clone();
        let reading = task::spawn_blocking(move || {
            let read = files.reload(cause);
            (files, read)
        });
        // It does not panic, and is given up with the process.
        let Ok((files, (lists, problems))) = reading.await else {
            return;
        };
        self.files = files;
        let changed = self.lists.send_if_modified(|current| {
            let other = **current != *lists;
            *current = lists;
            other
        });
        let mut problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
        if let Some(scep_ca) = &mut self.scep_ca
            && let Err(error) = scep_ca.reload().await
        {
            problems.push(error.to_string());
        }
        if problems.is_empty() {
            self.reloads.succeeded();
            if changed || cause == Cause::Asked {
                info!(changed, "allow and deny lists read again");
            }
            return;
        }
        let error = problems.join("; ");
        match self.reloads.failed(cause, &error) {
            true => {
                error!(%error, "a file was not read again, its last good contents stay in force")
            }
            false => debug!(%error, "a file was not read again: it may not be complete yet"),
        }
    }

    fn tell_authorities(&mut self) {
        let certificates = self.authorities.borrow_and_update().certificates.clone();
        if let Some(crl) = &self.crl {
            crl.set_authorities(certificates);
        }
    }
}

#[cfg(test)]
mod tests;
