//! The composition root: one client per listener, signals, the service manager.

use std::{io, sync::Arc, time::Duration};

use common::{
    descriptors,
    reload::Reloads,
    session::quic,
    shard::Shards,
    shutdown::{Shutdown, Signals},
    systemd,
    tls::{Finding, KeyPermissions, Occasion, Role, expiry::Watch, log_findings},
};
use thiserror::Error;
use tokio::{
    sync::{Notify, watch},
    task::{JoinError, JoinSet},
};
use tracing::{info, warn};

use crate::{
    client,
    config::Config,
    insecure,
    material::{Material, MaterialError, Reloader},
    renew,
};

/// How long the clients may take to end after their own time limits.
const JOIN_LIMIT: Duration = Duration::from_secs(5);

/// What every client needs.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) config: Config,
    pub(crate) shutdown: Shutdown,
    /// What sessions are dialled with now.
    pub(crate) material: watch::Receiver<Option<Arc<Material>>>,
}

/// How long listeners have to hear that we are gone, after a second signal.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// Why the connector did not start, or did not go on.
#[derive(Debug, Error)]
pub enum StartError {
    /// The certificate files cannot be used.
    #[error("{0}")]
    Certificates(String),
    /// A task broke.
    #[error("a fault of sw_connector: {0}")]
    Fault(JoinError),
    /// A task ended that should not have.
    #[error("a fault of sw_connector: one of its tasks has ended")]
    Ended,
    /// The system gives no threads or signals.
    #[error("cannot {doing}: {source}")]
    System {
        /// What was tried.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

/// Checks the certificate files without dialling; returns what somebody should look at.
///
/// # Errors
/// [`StartError::Certificates`] names every file that cannot be used, and what to do.
pub fn check(config: &Config, occasion: Occasion) -> Result<Vec<Finding>, StartError> {
    load(config, occasion).map(|(_, warnings)| warnings)
}

fn load(config: &Config, occasion: Occasion) -> Result<(Material, Vec<Finding>), StartError> {
    let unusable = |error: MaterialError| StartError::Certificates(error.to_string());
    Material::load(config, occasion).map_err(unusable)
}

/// Runs the connector until a signal ends it.
///
/// # Errors
/// [`StartError`]; once it has started, only [`StartError::Fault`] and [`StartError::Ended`].
pub async fn run(config: Config) -> Result<(), StartError> {
    let system = |doing| move |source| StartError::System { doing, source };
    // Before they are read, so that no change is missed.
    let reloads = Reloads::new(config.files.paths());
    let material = load_at_start(&config)?;
    descriptors::raise_limit();
    let signals = Signals::take().map_err(system("take over signals"))?;
    let threads = config.listeners.len().min(processors());
    let shards = Arc::new(Shards::start(threads).map_err(system("start threads"))?);
    warn_about(&config);
    let asked = reloads.asked();
    let (reloader, material) = Reloader::new(config.clone(), reloads, material);
    let context = Arc::new(Context {
        config,
        shutdown: Shutdown::default(),
        material,
    });
    let mut helpers = JoinSet::new();
    let mut renewing = start_renewing(&context, asked.clone(), reloader.done());
    helpers.spawn(watch_expiry(&context, reloader.done()));
    let draining = context.shutdown.clone();
    helpers.spawn(async move {
        tokio::select! {
            () = reloader.run() => {}
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
    if context.config.listener_checks.insecure_skip {
        helpers.spawn(insecure::remind());
    }
    systemd::ready("serving");
    let shutdown = &context.shutdown;
    let broken = async {
        tokio::select! {
            error = broken(&mut helpers, shutdown) => error,
            error = broken(&mut renewing, shutdown) => error,
        }
    };
    tokio::select! {
        ended = serve(&context, &shards) => ended?,
        error = broken => return Err(error),
    }
    end_renewing(&context, &mut renewing).await;
    info!("stopped");
    Ok(())
}

/// Completes when a task breaks, or ends although the connector goes on; a restart may mend that. While the connector
/// drains tasks may end, and a broken one is no reason to cut streams.
async fn broken(tasks: &mut JoinSet<()>, shutdown: &Shutdown) -> StartError {
    while let Some(ended) = tasks.join_next().await {
        match ended {
            _ if shutdown.is_draining() => {}
            Ok(()) => return StartError::Ended,
            Err(error) => return StartError::Fault(error),
        }
    }
    std::future::pending().await
}

/// Files that a renewal may mend do not keep the connector from starting.
fn load_at_start(config: &Config) -> Result<Option<Material>, StartError> {
    match load(config, Occasion::Start) {
        Ok((material, warnings)) => {
            log_findings(&warnings, Role::Connector);
            Ok(Some(material))
        }
        Err(error) if config.renew.is_some() => {
            warn!(%error, "the certificate files cannot be used: renew.command runs");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn watch_expiry(
    context: &Context,
    reloads: watch::Receiver<()>,
) -> impl Future<Output = ()> + use<> {
    let watch = Watch::new(context.config.expiry_warning_days);
    let material = context.material.clone();
    let ends = move || {
        let material = material.borrow();
        material
            .as_ref()
            .map_or_else(Vec::new, |m| m.ends().to_vec())
    };
    async move { watch.run(ends, reloads).await }
}

fn start_renewing(
    context: &Arc<Context>,
    asked: Arc<Notify>,
    reloads: watch::Receiver<()>,
) -> JoinSet<()> {
    let mut task = JoinSet::new();
    if let Some(renew) = context.config.renew.clone() {
        let renewed = move || asked.notify_one();
        task.spawn(renew::run(renew, context.clone(), renewed, reloads));
    }
    task
}

/// The command that may be running is ended; what does not end with it is killed with the task.
async fn end_renewing(context: &Context, task: &mut JoinSet<()>) {
    tokio::select! {
        _ = task.join_next() => {}
        () = tokio::time::sleep(renew::END_LIMIT) => warn!("renew.command did not end in time"),
        () = at_once(context) => {}
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    async fn at_once(tasks: &mut JoinSet<()>, shutdown: &Shutdown) -> Option<StartError> {
        tokio::select! {
            biased;
            error = broken(tasks, shutdown) => Some(error),
            () = std::future::ready(()) => None,
        }
    }

    async fn seen(
        draining: bool,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> Option<StartError> {
        let (mut tasks, shutdown) = (JoinSet::new(), Shutdown::default());
        if draining {
            shutdown.begin();
        }
        let handle = tasks.spawn(task);
        while !handle.is_finished() {
            tokio::task::yield_now().await;
        }
        at_once(&mut tasks, &shutdown).await
    }

    #[tokio::test]
    async fn a_task_that_ends_does_not_go_unnoticed() {
        let fine = || async {};
        let bad = || async { panic!("a fault") };
        assert!(matches!(seen(false, fine()).await, Some(StartError::Ended)));
        assert!(matches!(
            seen(false, bad()).await,
            Some(StartError::Fault(_))
        ));
        assert!(seen(true, fine()).await.is_none());
        assert!(seen(true, bad()).await.is_none());
        let nobody = at_once(&mut JoinSet::new(), &Shutdown::default()).await;
        assert!(nobody.is_none());
    }
}
