//! Reading the certificate files again: on SIGHUP and when they have changed. One task owns it.

use std::sync::Arc;

use common::{
    blocking,
    reload::{Cause, ReloadCounters, Reloads},
    session::quic::EndpointKeys,
    shutdown::Shutdown,
    systemd,
    tls::{Occasion, Role, expiry::Item, log_findings},
};
use quinn::Endpoint;
use tokio::sync::watch;
use tracing::{debug, error, info};

use crate::{
    accept::quic::{EndpointError, EndpointSetup, set_up},
    config::Config,
    policy::chain::Authorities,
};

/// What the endpoint was set up with.
#[derive(Debug)]
pub struct InForce {
    /// Keys of the endpoint itself.
    pub keys: EndpointKeys,
    /// The CA bundle for connectors.
    pub authorities: Arc<Authorities>,
    /// When the certificates end.
    pub ends: Vec<Item>,
}

/// The task.
#[derive(Debug)]
pub struct Reloader {
    config: Config,
    reloads: Reloads,
    endpoint: Endpoint,
    keys: EndpointKeys,
    authorities: watch::Sender<Arc<Authorities>>,
    ends: watch::Sender<Vec<Item>>,
    shutdown: Shutdown,
}

impl Reloader {
    /// The task over an endpoint that was set up like this. `reloads` was made before the files were read.
    pub fn new(
        config: Config,
        reloads: Reloads,
        endpoint: Endpoint,
        started: InForce,
        shutdown: Shutdown,
    ) -> Self {
        Self {
            config,
            reloads,
            endpoint,
            keys: started.keys,
            authorities: watch::Sender::new(started.authorities),
            ends: watch::Sender::new(started.ends),
            shutdown,
        }
    }

    /// The CA bundle in force; it changes only when its certificates do.
    pub fn authorities(&self) -> watch::Receiver<Arc<Authorities>> {
        self.authorities.subscribe()
    }

    /// When what is in force ends; it changes whenever files were read again and put into force.
    pub fn ends(&self) -> watch::Receiver<Vec<Item>> {
        self.ends.subscribe()
    }

    /// How often it has been done.
    pub fn counters(&self) -> Arc<ReloadCounters> {
        self.reloads.counters()
    }

    /// Runs until the listener drains: from then on nobody is let in, by whatever certificate.
    pub async fn run(mut self) {
        let shutdown = self.shutdown.clone();
        loop {
            tokio::select! {
                biased;
                () = shutdown.draining() => return,
                cause = self.reloads.next() => self.reload(cause).await,
            }
        }
    }

    /// The files are checked whole before they take the place of the old ones. New handshakes use them.
    async fn reload(&mut self, cause: Cause) {
        if cause.is_news() {
            systemd::reloading();
        }
        match self.set_up().await {
            Ok(setup) => self.use_from_now_on(setup),
            Err(error) => {
                if self.reloads.failed(cause, &error.to_string()) {
                    error!(%error, "certificates not reloaded, the old ones stay in force");
                } else {
                    debug!(%error, "certificates not reloaded: they may not be complete yet");
                }
            }
        }
        if cause.is_news() {
            systemd::ready("serving");
        }
    }

    /// Their file system may not answer, which must not hold up the control plane.
    async fn set_up(&self) -> Result<EndpointSetup, EndpointError> {
        let config = self.config.clone();
        blocking::run(move || set_up(&config, Occasion::Replace)).await
    }

    fn use_from_now_on(&mut self, setup: EndpointSetup) {
        let EndpointSetup {
            mut server,
            authorities,
            warnings,
            ends,
            ..
        } = setup;
        log_findings(&warnings, Role::Listener);
        // Whoever was asked to prove its address under the old key may answer under the new one.
        self.keys.protect_tokens(&mut server);
        self.endpoint.set_server_config(Some(server));
        self.reloads.succeeded();
        self.ends.send_replace(ends);
        let other_authorities = self.authorities.send_if_modified(|current| {
            let other = current.certificates != authorities.certificates;
            *current = authorities;
            other
        });
        info!(
            other_authorities,
            "certificates reloaded; running sessions stay as they are"
        );
    }
}
