//! The composition root: makes the parts, joins them, and takes them down in order.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use common::{
    descriptors,
    quiet::Quiet,
    reload::Reloads,
    session::quic::{self, BindError},
    shard::Shards,
    shutdown::{Shutdown, Signals},
    systemd,
    tls::{
        KeyPermissions, Occasion, Role,
        expiry::{Item, Watch, of_cas},
        log_findings,
    },
    wire::close::CloseCode,
};
use quinn::{Endpoint, VarInt};
use thiserror::Error;
use tokio::{
    net::TcpListener,
    sync::{Notify, watch},
    task::JoinSet,
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{error, info, warn};

use crate::{
    accept::{
        AcceptContext,
        expiring::Expiring,
        quic::{EndpointError, EndpointSetup, run as accept, set_up},
    },
    api::{self, Access, ApiState},
    config::Config,
    limits::Limits,
    opening::{Manager, ManagerHandle, Streams},
    policy::{self, Policy, PolicyError, crl::CrlHandle},
    registry::Registry,
    reload::{InForce, Reloader},
    store::{FileStore, Store, StoreError},
};

/// How long tasks may take to end when they are told to.
const FAREWELL: Duration = Duration::from_secs(2);
/// How long the endpoint stays to tell peers that they were closed. QUIC would have it stay for three probe timeouts
/// (RFC 9000, section 10.2), to tell again whoever has not heard; a listener that starts again does so as well, with a
/// stateless reset.
const LAST_WORDS: Duration = Duration::from_millis(300);
/// And so much longer for each session, so that on a slow processor each has its turn to say it.
const LAST_WORDS_EACH: Duration = Duration::from_micros(200);

/// Why the listener did not start, or did not go on.
#[derive(Debug, Error)]
pub enum StartError {
    /// The certificates cannot be used.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// The UDP port cannot be bound.
    #[error(transparent)]
    Quic(#[from] BindError),
    /// The API's port cannot be bound.
    #[error("cannot bind the API to TCP {address}: {source}")]
    Api {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The openings cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The rules cannot be put into force.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// A task ended that should not have; the log says which.
    #[error("a fault of sw_listener: one of its tasks has ended")]
    Fault,
    /// The system gives no threads, sockets or signals.
    #[error("cannot {doing}: {source}")]
    System {
        /// What was tried.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

fn system(doing: &'static str) -> impl Fn(io::Error) -> StartError {
    move |source| StartError::System { doing, source }
}

/// The running parts.
struct Server {
    config: Config,
    shutdown: Shutdown,
    asked_to_reload: Vec<Arc<Notify>>,
    shards: Arc<Shards>,
    endpoint: Endpoint,
    registry: Arc<Registry>,
    expiring: Arc<Expiring>,
    openings: ManagerHandle,
    sessions: TaskTracker,
    stop_api: CancellationToken,
    api_ended: CancellationToken,
    tasks: JoinSet<()>,
}

/// Runs the listener until a signal ends it. The runtime that this is called on becomes the control plane.
///
/// # Errors
/// [`StartError`]; once it has started, only [`StartError::Fault`].
pub async fn run(config: Config) -> Result<(), StartError> {
    let descriptors = descriptors::raise_limit();
    let signals = Signals::take().map_err(system("take over signals"))?;
    let mut server = Server::start(config, descriptors).await?;
    let shutdown = server.shutdown.clone();
    let asked = server.asked_to_reload.clone();
    server.tasks.spawn(signals.run(shutdown, move || {
        asked.iter().for_each(|asked| asked.notify_one());
        std::future::ready(())
    }));
    let shards = server.shards.clone();
    server.tasks.spawn(systemd::feed_watchdog(move || {
        let shards = shards.clone();
        async move { shards.turn().await }
    }));
    systemd::ready("serving");
    let shutdown = server.shutdown.clone();
    let faulty = tokio::select! {
        biased;
        () = shutdown.draining() => false,
        // No task ends before a signal, unless it is broken; a restart may mend that.
        _ = server.tasks.join_next() => true,
    };
    server.stop().await;
    if faulty {
        return Err(StartError::Fault);
    }
    Ok(())
}

impl Server {
    async fn start(config: Config, descriptors: Option<u64>) -> Result<Self, StartError> {
        let shards = Shards::start(config.threads).map_err(system("start threads"))?;
        let shards = Arc::new(shards);
        // Before they are read, so that no change is missed.
        let reloads = Reloads::new(config.files.paths());
        let setup = set_up(&config, Occasion::Start)?;
        log_findings(&setup.warnings, Role::Listener);
        let registry = Arc::new(Registry::default());
        let (manager, openings) = start_openings(&config, registry.clone())?;
        let api = bind_api(config.api.address).await?;
        if config.files.permissions == KeyPermissions::AllowInsecure {
            warn!(
                "allow_insecure_key_permissions is set: others may be able to read the private key"
            );
        }
        let mut asked_to_reload = vec![reloads.asked()];
        let shutdown = Shutdown::default();
        let (endpoint, started) = start_endpoint(&config, &shards, setup).await?;
        let reloader = Reloader::new(
            config.clone(),
            reloads,
            endpoint.clone(),
            started,
            shutdown.clone(),
        );
        let policy::Started {
            policy,
            keeper,
            crl_keeper,
            crl,
        } = policy::start(
            config.policy.clone(),
            config.state_dir.clone(),
            &config.tls,
            reloader.authorities(),
        )
        .await?;
        asked_to_reload.push(keeper.asked());
        let mut server = Self {
            shutdown,
            asked_to_reload,
            shards,
            endpoint,
            registry,
            expiring: Arc::new(Expiring::new(config.expiry_warning_days)),
            openings,
            sessions: TaskTracker::new(),
            stop_api: CancellationToken::new(),
            api_ended: CancellationToken::new(),
            tasks: JoinSet::new(),
            config,
        };
        server.tasks.spawn(manager.run());
        server.watch_expiry(reloader.ends(), crl);
        server.tasks.spawn(keeper.run());
        if let Some(crl_keeper) = crl_keeper {
            server.tasks.spawn(crl_keeper.run());
        }
        server.tasks.spawn(reloader.run());
        server.serve_api(api);
        server.accept_connectors(policy, descriptors);
        Ok(server)
    }

    fn serve_api(&mut self, listener: TcpListener) {
        let address = listener.local_addr().unwrap_or(self.config.api.address);
        let state = ApiState {
            openings: self.openings.clone(),
            registry: self.registry.clone(),
            shards: self.shards.clone(),
            access: Arc::new(Access::new(&self.config.api, address)),
            shutdown: self.shutdown.clone(),
        };
        info!(%address, tokens = self.config.api.tokens.len(), "API listens");
        let stop = self.stop_api.clone();
        let ended = self.api_ended.clone();
        self.tasks.spawn(async move {
            api::serve(listener, api::router(state), stop).await;
            ended.cancel();
        });
    }

    /// Reports what ends soon: our own certificates, and those of live sessions.
    fn watch_expiry(&mut self, own: watch::Receiver<Vec<Item>>, crl: Option<CrlHandle>) {
        let watch = Watch::new(self.config.expiry_warning_days);
        let scep = self.config.policy.scep.as_ref();
        let scep_ca = scep.and_then(|scep| scep.ca_path.clone());
        let (registry, expiring) = (self.registry.clone(), self.expiring.clone());
        self.tasks.spawn(async move {
            let look = || {
                let live = registry.all();
                live.iter().for_each(|live| expiring.warn(&live.identity));
                let mut items = own.borrow().clone();
                items.extend(crl.iter().flat_map(CrlHandle::ends));
                items.extend(scep_ca.iter().flat_map(|file| of_cas(file)));
                items
            };
            watch.run(look, own.clone()).await;
        });
    }

    fn accept_connectors(&mut self, policy: Policy, descriptors: Option<u64>) {
        let context = Arc::new(AcceptContext {
            policy,
            registry: self.registry.clone(),
            duplicate_uid: self.config.duplicate_uid,
            deadline: self.config.admission.deadline,
            transport: self.config.transport.clone(),
            limits: Limits::new(
                self.config.max_streams_per_uid,
                self.config.max_streams,
                descriptors,
            ),
            tasks: self.sessions.clone(),
            expiring: self.expiring.clone(),
            quiet: Quiet::default(),
            shutdown: self.shutdown.clone(),
        });
        let accepting = accept(
            self.endpoint.clone(),
            self.config.admission,
            self.shards.clone(),
            context,
        );
        let accepting = self.shards.first().spawn(accepting);
        self.tasks.spawn(async move {
            if let Err(error) = accepting.await {
                error!(%error, "the endpoint's task broke");
            }
        });
    }

    /// Stop accepting → drain until the deadline → cut → close → join.
    async fn stop(mut self) {
        systemd::stopping();
        self.endpoint.set_server_config(None);
        let streams = tokio::select! {
            streams = self.openings.stop() => streams,
            () = self.shutdown.ended() => Streams::default(),
        };
        self.drain(&streams).await;
        streams.cut();
        let code = CloseCode::Draining;
        let sessions = self.registry.everyone();
        sessions.iter().for_each(|live| live.session.close(code));
        let each = u32::try_from(sessions.len()).unwrap_or(u32::MAX);
        let last_words = LAST_WORDS + LAST_WORDS_EACH.saturating_mul(each);
        drop(sessions);
        let number = VarInt::from_u32(code.number());
        self.endpoint.close(number, code.text().as_bytes());
        self.sessions.close();
        // That not all have answered is no fault.
        let _ = timeout(last_words, self.endpoint.wait_idle()).await;
        if timeout(FAREWELL, self.sessions.wait()).await.is_err() {
            warn!("some sessions did not end in time");
        }
        self.stop_api.cancel();
        if timeout(FAREWELL, self.api_ended.cancelled()).await.is_err() {
            warn!("some API calls were cut");
        }
        self.tasks.abort_all();
        info!("stopped");
    }

    async fn drain(&self, streams: &Streams) {
        let limit = self.config.drain_timeout;
        tokio::select! {
            () = streams.ended() => info!("all streams have ended"),
            () = tokio::time::sleep(limit) => warn!(?limit, "drain timeout: cutting the streams that are left"),
            () = self.shutdown.ended() => {}
        }
    }
}

fn start_openings(
    config: &Config,
    registry: Arc<Registry>,
) -> Result<(Manager, ManagerHandle), StoreError> {
    let store = match &config.state_dir {
        Some(folder) => Store::File(FileStore::open(folder)?),
        None => {
            info!("state_dir is not set: openings live in memory and are gone after a restart");
            Store::Memory
        }
    };
    Manager::new(store, registry, config.max_openings_per_uid)
}

async fn bind_api(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| StartError::Api { address, source })
}

/// The endpoint lives on the first shard; sessions move to theirs.
async fn start_endpoint(
    config: &Config,
    shards: &Shards,
    setup: EndpointSetup,
) -> Result<(Endpoint, InForce), StartError> {
    let (socket, buffers) = quic::bind(config.quic, config.udp_buffer)?;
    if let Some(advice) = buffers.advice() {
        warn!("{advice}");
    }
    let EndpointSetup {
        server,
        keys,
        authorities,
        ends,
        ..
    } = setup;
    let own = keys.endpoint_config();
    let transport = config.transport.clone();
    let starting = shards
        .first()
        .spawn(async move { quic::endpoint(socket, own, Some(server), &transport) });
    let endpoint = starting
        .await
        .unwrap_or_else(|error| Err(io::Error::other(error)))
        .map_err(system("start the QUIC endpoint"))?;
    let address = endpoint.local_addr().unwrap_or(config.quic);
    info!(%address, version = common::VERSION, "listening for connectors");
    let in_force = InForce {
        keys,
        authorities,
        ends,
    };
    Ok((endpoint, in_force))
}
