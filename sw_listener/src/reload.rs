//! Reading the certificate files again: on SIGHUP and when they have changed. One task owns it.

use std::sync::Arc;

use common::{
    reload::{Cause, ReloadCounters, Reloads},
    session::quic::EndpointKeys,
    shutdown::Shutdown,
    systemd,
    tls::{Occasion, Role, log_findings},
};
use quinn::Endpoint;
use tokio::sync::watch;
use tracing::{debug, error, info};

use crate::{
    accept::quic::{EndpointSetup, set_up},
    config::Config,
    policy::chain::Authorities,
};

/// The task.
#[derive(Debug)]
pub struct Reloader {
    config: Config,
    reloads: Reloads,
    endpoint: Endpoint,
    keys: EndpointKeys,
    authorities: watch::Sender<Arc<Authorities>>,
    done: watch::Sender<()>,
    shutdown: Shutdown,
}

impl Reloader {
    /// The task over an endpoint that was set up with these keys and this CA bundle. `reloads` was made before the files
    /// were read.
    pub fn new(
        config: Config,
        reloads: Reloads,
        endpoint: Endpoint,
        (keys, authorities): (EndpointKeys, Arc<Authorities>),
        shutdown: Shutdown,
    ) -> Self {
        Self {
            config,
            reloads,
            endpoint,
            keys,
            authorities: watch::Sender::new(authorities),
            done: watch::Sender::new(()),
            shutdown,
        }
    }

    /// The CA bundle in force; it changes only when its certificates do.
    pub fn authorities(&self) -> watch::Receiver<Arc<Authorities>> {
        self.authorities.subscribe()
    }

    /// Changes whenever the files were read again, and are in force.
    pub fn done(&self) -> watch::Receiver<()> {
        self.done.subscribe()
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
                cause = self.reloads.next() => self.reload(cause),
            }
        }
    }

    /// The files are checked whole before they take the place of the old ones. New handshakes use them.
    fn reload(&mut self, cause: Cause) {
        systemd::reloading();
        match set_up(&self.config, Occasion::Replace) {
            Ok(setup) => self.use_from_now_on(setup),
            Err(error) => {
                if self.reloads.failed(cause, &error.to_string()) {
                    error!(%error, "certificates not reloaded, the old ones stay in force");
                } else {
                    debug!(%error, "certificates not reloaded: they may not be complete yet");
                }
            }
        }
        systemd::ready("serving");
    }

    fn use_from_now_on(&mut self, setup: EndpointSetup) {
        let EndpointSetup {
            mut server,
            authorities,
            warnings,
            ..
        } = setup;
        log_findings(&warnings, Role::Listener);
        // Whoever was asked to prove its address under the old key may answer under the new one.
        self.keys.protect_tokens(&mut server);
        self.endpoint.set_server_config(Some(server));
        self.reloads.succeeded();
        self.done.send_replace(());
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
