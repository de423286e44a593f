//! The composition root: one client per listener, signals, the service manager.

use std::{io, sync::Arc, time::Duration};

use common::{
    descriptors,
    session::quic,
    shard::Shards,
    shutdown::{Shutdown, Signals},
    systemd,
    tls::{
        Finding, KeyPermissions, Occasion, Role,
        expiry::{CertificateItems, Watch},
        log_findings,
    },
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
    dial::{self, DialError},
    insecure, renew,
};

/// How long the clients may take to end after their own time limits.
const JOIN_LIMIT: Duration = Duration::from_secs(5);

/// What every client needs.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) config: Config,
    pub(crate) shutdown: Shutdown,
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

/// Checks the certificate files without dialling; returns what somebody should look at.
///
/// # Errors
/// [`StartError::Certificates`] names every file that cannot be used, and what to do.
pub fn check(config: &Config, occasion: Occasion) -> Result<Vec<Finding>, StartError> {
    dial::set_up(config, occasion)
        .map(|setup| setup.warnings)
        .map_err(|error: DialError| StartError::Certificates(error.to_string()))
}

/// Runs the connector until a signal ends it.
///
/// # Errors
/// [`StartError`]; once it has started, only [`StartError::Fault`].
pub async fn run(config: Config) -> Result<(), StartError> {
    let system = |doing| move |source| StartError::System { doing, source };
    let warnings = check_at_start(&config)?;
    descriptors::raise_limit();
    let signals = Signals::take().map_err(system("take over signals"))?;
    let threads = config.listeners.len().min(processors());
    let shards = Arc::new(Shards::start(threads).map_err(system("start threads"))?);
    warn_about(&config);
    log_findings(&warnings, Role::Connector);
    let context = Arc::new(Context {
        config,
        shutdown: Shutdown::default(),
    });
    let mut helpers = JoinSet::new();
    let reloads = watch::Sender::new(());
    let (reloading, reloaded) = (context.clone(), reloads.clone());
    helpers.spawn(signals.run(context.shutdown.clone(), move || {
        let (context, reloaded) = (reloading.clone(), reloaded.clone());
        async move {
            reload(&context.config);
            reloaded.send_replace(());
        }
    }));
    helpers.spawn(watch_expiry(&context.config, reloads.subscribe()));
    let mut renewing = start_renewing(&context, &reloads);
    let turning = shards.clone();
    helpers.spawn(systemd::feed_watchdog(move || {
        let shards = turning.clone();
        async move { shards.turn().await }
    }));
    if context.config.listener_checks.insecure_skip {
        helpers.spawn(insecure::remind());
    }
    systemd::ready("serving");
    serve(&context, &shards).await?;
    end_renewing(&context, &mut renewing).await;
    info!("stopped");
    Ok(())
}

/// Files that a renewal may mend do not keep the connector from starting.
fn check_at_start(config: &Config) -> Result<Vec<Finding>, StartError> {
    match check(config, Occasion::Start) {
        Err(error) if config.renew.is_some() => {
            warn!(%error, "the certificate files cannot be used: renew.command runs");
            Ok(Vec::new())
        }
        checked => checked,
    }
}

fn watch_expiry(config: &Config, reloads: watch::Receiver<()>) -> impl Future<Output = ()> + use<> {
    let watch = Watch::new(config.expiry_warning_days);
    let mut items = CertificateItems::new(config.files.clone());
    async move { watch.run(|| items.refresh(), reloads).await }
}

fn start_renewing(context: &Arc<Context>, reloads: &watch::Sender<()>) -> JoinSet<()> {
    let mut task = JoinSet::new();
    if let Some(renew) = context.config.renew.clone() {
        let (renewed, reloaded) = (context.clone(), reloads.clone());
        let renewed = move || {
            reload(&renewed.config);
            reloaded.send_replace(());
        };
        let receiver = reloads.subscribe();
        task.spawn(renew::run(renew, context.clone(), renewed, receiver));
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

/// Every dial reads the certificate files anew; this only says early whether the next one will succeed.
fn reload(config: &Config) {
    systemd::reloading();
    match check(config, Occasion::Replace) {
        Ok(warnings) => {
            log_findings(&warnings, Role::Connector);
            info!("the certificate files are in order; the next session uses them");
        }
        Err(error) => {
            warn!(%error, "the certificate files cannot be used; the running sessions stay")
        }
    }
    systemd::ready("serving");
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
