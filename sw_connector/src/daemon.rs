//! The composition root: one client per listener, signals, the service manager.

use std::{io, sync::Arc, time::Duration};

use common::{
    descriptors,
    reload::Reloads,
    session::quic,
    shard::Shards,
    shutdown::{Shutdown, Signals},
    systemd,
    tls::KeyPermissions,
};
use thiserror::Error;
use tokio::{
    sync::watch,
    task::{JoinError, JoinSet},
};
use tracing::{info, warn};

use crate::{
    client,
    config::Config,
    material::{Material, MaterialError, Renewal},
};

/// How long the clients may take to end after their own time limits.
const JOIN_LIMIT: Duration = Duration::from_secs(5);

/// What every client needs.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) config: Config,
    pub(crate) shutdown: Shutdown,
    /// What sessions are dialled with now.
    pub(crate) material: watch::Receiver<Arc<Material>>,
}

/// How long listeners have to hear that we are gone, after a second signal.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// Why the connector did not start, or did not go on.
#[derive(Debug, Error)]
pub enum StartError {
    /// The certificate files cannot be used.
    #[error("{0}")]
    Certificates(String),
    /// A task ended that should not have.
    #[error("a fault of sw_connector: {0}")]
    Fault(JoinError),
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
    load(config).map(drop)
}

fn load(config: &Config) -> Result<Material, StartError> {
    let unusable = |error: MaterialError| StartError::Certificates(error.to_string());
    Material::load(config).map_err(unusable)
}

/// Runs the connector until a signal ends it.
///
/// # Errors
/// [`StartError`]; once it has started, only [`StartError::Fault`].
pub async fn run(config: Config) -> Result<(), StartError> {
    let system = |doing| move |source| StartError::System { doing, source };
    // Before they are read, so that no change is missed.
    let reloads = Reloads::new(config.files.paths());
    let material = load(&config)?;
    descriptors::raise_limit();
    let signals = Signals::take().map_err(system("take over signals"))?;
    let threads = config.listeners.len().min(processors());
    let shards = Arc::new(Shards::start(threads).map_err(system("start threads"))?);
    warn_about(&config);
    let asked = reloads.asked();
    let (renewal, material) = Renewal::new(config.clone(), reloads, material);
    let context = Arc::new(Context {
        config,
        shutdown: Shutdown::default(),
        material,
    });
    let mut helpers = JoinSet::new();
    let draining = context.shutdown.clone();
    helpers.spawn(async move {
        tokio::select! {
            () = renewal.run() => {}
            () = draining.draining() => {}
        }
    });
    helpers.spawn(signals.run(context.shutdown.clone(), move || {
        asked.notify_one();
        std::future::ready(())
    }));
    let turning = shards.clone();
    helpers.spawn(systemd::feed_watchdog(move || {
        let shards = turning.clone();
        async move { shards.turn().await }
    }));
    systemd::ready("serving");
    serve(&context, &shards).await?;
    info!("stopped");
    Ok(())
}

/// Runs a client for each listener, on a shard of its own if there are enough, until all have ended.
async fn serve(context: &Arc<Context>, shards: &Shards) -> Result<(), StartError> {
    let mut clients = JoinSet::new();
    for listener in context.config.listeners.clone() {
        let seat = shards.seat();
        let client = client::run(listener, context.clone());
        clients.spawn(async move { seat.shard().spawn(client).await });
    }
    let all = async {
        while let Some(ended) = clients.join_next().await {
            // Clients end after a signal only; anything else is a fault of ours, which a restart may mend.
            ended.and_then(|inner| inner).map_err(StartError::Fault)?;
        }
        Ok(())
    };
    tokio::pin!(all);
    tokio::select! {
        ended = &mut all => return ended,
        () = context.shutdown.draining() => systemd::stopping(),
    }
    let limit = context.config.drain_timeout + JOIN_LIMIT;
    tokio::select! {
        ended = all => return ended,
        () = tokio::time::sleep(limit) => warn!("some sessions did not end in time"),
        () = at_once(context) => {}
    }
    Ok(())
}

/// Completes soon after a second signal: the listeners are told, but not waited for.
async fn at_once(context: &Context) {
    context.shutdown.ended().await;
    tokio::time::sleep(LAST_WORDS).await;
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
    if config.files.permissions == KeyPermissions::AllowInsecure {
        warn!("allow_insecure_key_permissions is set: others may be able to read the private key");
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

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
