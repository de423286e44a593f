//! What a session is dialled with: certificate, key and CA bundle, checked whole. One task reads the files again.

use std::{path::PathBuf, sync::Arc, time::SystemTime};

use aws_lc_rs::digest::{Context as Digest, SHA256};
use common::{
    blocking,
    reload::{Cause, Reloads},
    systemd,
    tls::{
        self, CertificateFacts, Credentials, Demands, Finding, LoadErrors, Occasion, Role,
        TlsError, expiry::Item, log_findings,
    },
};
use rustls::pki_types::TrustAnchor;
use thiserror::Error;
use time::OffsetDateTime;
use tokio::sync::watch;
use tracing::{debug, error, info};

use crate::config::Config;

/// Why the certificate files cannot be used.
#[derive(Debug, Error)]
pub(crate) enum MaterialError {
    /// Files cannot be used.
    #[error(transparent)]
    Load(#[from] LoadErrors),
    /// They do not go together.
    #[error("{}: {source}", .certificate.display())]
    Tls {
        certificate: PathBuf,
        source: TlsError,
    },
}

/// The TLS side of a dial.
#[derive(Debug)]
pub(crate) struct Material {
    client: quinn::ClientConfig,
    shown: Shown,
    authorities: Vec<TrustAnchor<'static>>,
    chain: Vec<CertificateFacts>,
    ends: Vec<Item>,
}

/// Which certificate and key are shown; a digest of both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shown([u8; 32]);

impl Material {
    /// Reads the files and judges them; with what somebody should look at.
    ///
    /// # Errors
    /// [`MaterialError`] names every file that cannot be used, and what to do.
    pub(crate) fn load(
        config: &Config,
        occasion: Occasion,
    ) -> Result<(Self, Vec<Finding>), MaterialError> {
        let files = &config.files;
        let demands = Demands {
            role: Role::Connector,
            occasion,
            names: &[],
            tls: &config.tls,
        };
        let loaded = files.load(&demands, SystemTime::now())?;
        let (ends, chain) = (loaded.items(files), loaded.chain_facts);
        let shown = Shown::of(&loaded.credentials);
        let authorities = loaded.ca.roots.clone();
        let crypto = tls::client_config(
            loaded.credentials,
            loaded.ca,
            &config.tls,
            &config.listener_checks,
            config.legacy_protocol,
        )
        .map_err(|source| MaterialError::Tls {
            certificate: files.chain.clone(),
            source,
        })?;
        let client = quinn::ClientConfig::new(Arc::new(crypto));
        let material = Self {
            client,
            shown,
            authorities,
            chain,
            ends,
        };
        Ok((material, loaded.warnings))
    }

    /// For quinn.
    pub(crate) fn client(&self) -> &quinn::ClientConfig {
        &self.client
    }

    /// What the listener is shown.
    pub(crate) fn shown(&self) -> Shown {
        self.shown
    }

    /// What the own certificate says.
    pub(crate) fn leaf(&self) -> Option<&CertificateFacts> {
        self.chain.first()
    }

    /// Whether all own certificates are valid at this moment.
    pub(crate) fn is_valid_at(&self, moment: OffsetDateTime) -> bool {
        self.chain.iter().all(|facts| facts.is_valid_at(moment))
    }

    /// What ends of it.
    pub(crate) fn ends(&self) -> &[Item] {
        &self.ends
    }

    /// A CA that was issued again with the same key is the same but for its end.
    fn is_same(&self, other: &Self) -> bool {
        self.shown == other.shown
            && self.authorities == other.authorities
            && self.ends == other.ends
    }
}

impl Shown {
    fn of(credentials: &Credentials) -> Self {
        let mut digest = Digest::new(&SHA256);
        for certificate in &credentials.chain {
            digest.update(certificate);
        }
        digest.update(credentials.key.secret_der());
        let digest = digest.finish();
        Self(digest.as_ref().try_into().expect("SHA-256 has 32 bytes"))
    }
}

/// The task that reads the files again, on SIGHUP and when they have changed.
#[derive(Debug)]
pub(crate) struct Reloader {
    config: Config,
    reloads: Reloads,
    material: watch::Sender<Option<Arc<Material>>>,
    done: watch::Sender<()>,
}

impl Reloader {
    /// The task, and what it finds. `reloads` was made before the files were read.
    pub(crate) fn new(
        config: Config,
        reloads: Reloads,
        material: Option<Material>,
    ) -> (Self, watch::Receiver<Option<Arc<Material>>>) {
        let (sender, receiver) = watch::channel(material.map(Arc::new));
        let task = Self {
            config,
            reloads,
            material: sender,
            done: watch::Sender::new(()),
        };
        (task, receiver)
    }

    /// Changes whenever the files were read again; not for retries without news.
    pub(crate) fn done(&self) -> watch::Receiver<()> {
        self.done.subscribe()
    }

    /// Runs for ever.
    pub(crate) async fn run(mut self) {
        loop {
            let cause = self.reloads.next().await;
            if cause.is_news() {
                systemd::reloading();
            }
            self.reload(cause).await;
            if cause.is_news() {
                systemd::ready("serving");
            }
        }
    }

    async fn reload(&mut self, cause: Cause) {
        let config = self.config.clone();
        // Their file system may not answer, which must not hold up anything else.
        let loading = blocking::run(move || Material::load(&config, Occasion::Replace));
        match loading.await {
            Ok((found, warnings)) => {
                log_findings(&warnings, Role::Connector);
                self.reloads.succeeded();
                self.publish(found);
            }
            Err(error) => {
                let aloud = self.reloads.failed(cause, &error.to_string());
                if aloud {
                    error!(%error, "the certificate files cannot be used, the old ones stay in force");
                } else {
                    debug!(%error, "the certificate files cannot be used: they may not be complete yet");
                }
                if !aloud && !cause.is_news() {
                    return;
                }
            }
        }
        self.done.send_replace(());
    }

    fn publish(&self, found: Material) {
        match self.material.borrow().as_ref() {
            Some(before) if before.is_same(&found) => {
                return info!("the certificate files are in order, and the same as before");
            }
            Some(before) if before.shown == found.shown => {
                info!("the CA bundle has changed: the next session uses it");
            }
            Some(_) => info!("there is a new certificate: the sessions move to it"),
            None => info!("the certificate files can be used now"),
        }
        self.material.send_replace(Some(Arc::new(found)));
    }
}
