//! The composition root: one client per listener, signals, the service manager.

use std::{io, sync::Arc, time::Duration};

use common::{
    descriptors,
    session::quic,
    shard::Shards,
    shutdown::{Shutdown, Signals},
    systemd,
};
use thiserror::Error;
use tokio::{task::JoinSet, time::timeout};
use tracing::{info, warn};

use crate::{
    client,
    config::Config,
    dial::{self, DialError},
};

/// How long the clients may take to end after their own time limits.
const JOIN_LIMIT: Duration = Duration::from_secs(5);

/// What every client needs.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) config: Config,
    pub(crate) shutdown: Shutdown,
}

/// Why the connector did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The certificate files cannot be used.
    #[error("{0}")]
    Certificates(String),
    /// The system gives no threads or signals.
    #[error("cannot {doing}: {source}")]
    System {
        /// What was tried.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

/// Checks the certificate files without dialling.
///
/// # Errors
/// [`StartError::Certificates`] names the file and what to do.
pub fn check(config: &Config) -> Result<(), StartError> {
    dial::client_config(config)
        .map(drop)
        .map_err(|error: DialError| StartError::Certificates(error.to_string()))
}

/// Runs the connector until a signal ends it.
///
/// # Errors
/// [`StartError`]; once it has started it ends without an error.
pub async fn run(config: Config) -> Result<(), StartError> {
    let system = |doing| move |source| StartError::System { doing, source };
    check(&config)?;
    descriptors::raise_limit();
    let signals = Signals::take().map_err(system("take over signals"))?;
    let threads = config.listeners.len().min(processors());
    let shards = Arc::new(Shards::start(threads).map_err(system("start threads"))?);
    warn_about(&config);
    let context = Arc::new(Context {
        config,
        shutdown: Shutdown::default(),
    });
    let mut helpers = JoinSet::new();
    let reloading = context.clone();
    helpers.spawn(signals.run(context.shutdown.clone(), move || {
        let context = reloading.clone();
        async move { reload(&context.config) }
    }));
    let turning = shards.clone();
    helpers.spawn(systemd::feed_watchdog(move || {
        let shards = turning.clone();
        async move { shards.turn().await }
    }));
    systemd::ready("serving");
    serve(&context, &shards).await;
    info!("stopped");
    Ok(())
}

/// Runs a client for each listener, on a shard of its own if there are enough, until all have ended.
async fn serve(context: &Arc<Context>, shards: &Shards) {
    let mut clients = JoinSet::new();
    for listener in context.config.listeners.clone() {
        let seat = shards.seat();
        let client = client::run(listener, context.clone());
        clients.spawn(async move {
            let ended = seat.shard().spawn(client).await;
            if let Err(error) = ended {
                tracing::error!(%error, "a client ended by a fault of ours");
            }
        });
    }
    let all = async { while clients.join_next().await.is_some() {} };
    tokio::pin!(all);
    tokio::select! {
        () = &mut all => return,
        () = context.shutdown.draining() => systemd::stopping(),
    }
    let limit = context.config.drain_timeout + JOIN_LIMIT;
    if timeout(limit, all).await.is_err() {
        warn!("some sessions did not end in time");
    }
}

fn warn_about(config: &Config) {
    info!(
        version = common::VERSION,
        listeners = config.listeners.len(),
        "connector starts"
    );
    if config.targets.is_open() {
        warn!(
            "allowed_targets is not set: whoever commands the listener reaches everything that this machine can \
             reach; set it to a list such as [\"127.0.0.1:22\"]"
        );
    }
    let any = std::net::SocketAddr::from(([0, 0, 0, 0], 0));
    match quic::bind(any, config.udp_buffer) {
        Ok((_, buffers)) => {
            if let Some(advice) = buffers.advice() {
                warn!("{advice}");
            }
        }
        Err(error) => warn!(%error, "UDP is not available for now"),
    }
}

/// Every dial reads the certificate files anew; this only says early whether the next one will succeed.
fn reload(config: &Config) {
    systemd::reloading();
    match check(config) {
        Ok(()) => info!("the certificate files are in order; the next session uses them"),
        Err(error) => {
            warn!(%error, "the certificate files cannot be used; the running sessions stay")
        }
    }
    systemd::ready("serving");
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
