//! Signals: the first SIGTERM or SIGINT drains, the second ends at once, SIGHUP reloads.

use std::{future::Future, io};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// The two stages of stopping. Clones are handles of the same one.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    drain: CancellationToken,
    now: CancellationToken,
}

impl Shutdown {
    /// Begins the drain.
    pub fn begin(&self) {
        self.drain.cancel();
    }

    /// Ends at once.
    pub fn end(&self) {
        self.drain.cancel();
        self.now.cancel();
    }

    /// Completes when the drain has begun.
    pub async fn draining(&self) {
        self.drain.cancelled().await;
    }

    /// Whether the drain has begun.
    pub fn is_draining(&self) -> bool {
        self.drain.is_cancelled()
    }

    /// Completes when everything must end at once.
    pub async fn ended(&self) {
        self.now.cancelled().await;
    }
}

/// The signals that the daemons listen to.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// Takes the signals over; from here on they no longer kill the process.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn take() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Turns signals into the stages of `shutdown`, and SIGHUP into a call of `reload`, until the second signal to stop.
    pub async fn run<F: Future<Output = ()>>(mut self, shutdown: Shutdown, reload: impl Fn() -> F) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => {}
                _ = self.interrupt.recv() => {}
                _ = self.hangup.recv() => {
                    if !shutdown.is_draining() {
                        reload().await;
                    }
                    continue;
                }
            }
            if shutdown.is_draining() {
                warn!("second signal: ending at once");
                shutdown.end();
                return;
            }
            info!("signal: draining; a second one ends at once");
            shutdown.begin();
        }
    }
}
