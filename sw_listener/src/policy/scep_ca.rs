//! Who may have issued the SCEP server's own certificate: read again when the file changes.

use std::path::{Path, PathBuf};

use common::tls::{LoadError, load_certificates};
use rustls::pki_types::CertificateDer;
use thiserror::Error;
use tokio::{sync::watch, task};
use tracing::info;

use super::{
    fetch::{FetchError, Fetcher},
    scep::ScepVerifier,
};

/// Why the file is not taken.
#[derive(Debug, Error)]
pub enum ScepCaError {
    /// It cannot be read.
    #[error("scep_ca_path: {0}")]
    Load(#[from] LoadError),
    /// No client can be made with it.
    #[error("scep_ca_path, {}: {source}", path.display())]
    Fetch {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: FetchError,
    },
    /// The process is ending.
    #[error("scep_ca_path: given up")]
    GivenUp,
}

/// The file, and the verifier that depends on it.
#[derive(Debug)]
pub(super) struct ScepCa {
    path: PathBuf,
    certificates: Vec<CertificateDer<'static>>,
    fetcher: watch::Sender<Fetcher>,
}

impl ScepCa {
    /// Gives a verifier what is in the file.
    ///
    /// # Errors
    /// [`ScepCaError`].
    pub(super) async fn start(path: PathBuf, scep: &ScepVerifier) -> Result<Self, ScepCaError> {
        let mut this = Self {
            path,
            certificates: Vec::new(),
            fetcher: scep.fetcher(),
        };
        this.reload().await?;
        Ok(this)
    }

    /// Reads the file again. Whatever is wrong with it, what it held stays in force.
    ///
    /// # Errors
    /// [`ScepCaError`].
    pub(super) async fn reload(&mut self) -> Result<(), ScepCaError> {
        let path = self.path.clone();
        let reading = task::spawn_blocking(move || load_certificates(&path));
        let certificates = reading.await.map_err(|_| ScepCaError::GivenUp)??;
        if certificates != self.certificates {
            self.fetcher
                .send_replace(fetcher(&self.path, &certificates)?);
            self.certificates = certificates;
            info!(path = %self.path.display(), "the CA of the SCEP server's certificate was read");
        }
        Ok(())
    }
}

fn fetcher(path: &Path, ca: &[CertificateDer<'_>]) -> Result<Fetcher, ScepCaError> {
    Fetcher::new(Some(ca)).map_err(|source| ScepCaError::Fetch {
        path: path.to_owned(),
        source,
    })
}
