//! The QUIC endpoint: admission, then a handshake on the shard that the session will live on.

use std::{sync::Arc, time::SystemTime};

use common::{
    session::quic::{EndpointKeys, KeyDerivationError, TransportSettings},
    shard::Shards,
    tls::{
        self, CertificateFiles, Demands, Finding, LoadErrors, Occasion, Role, TlsError,
        expiry::Item,
    },
};
use quinn::Endpoint;
use thiserror::Error;
use tracing::{debug, warn};

use super::{AcceptContext, handshake};
use crate::{
    admission::{self, Admission, Verdict},
    config::{AdmissionConfig, Config},
    policy::chain::Authorities,
};

/// Why no endpoint could be configured.
#[derive(Debug, Error)]
pub enum EndpointError {
    /// Files cannot be used.
    #[error(transparent)]
    Load(#[from] LoadErrors),
    /// The files do not go together.
    #[error("{certificate}: {source}", certificate = .files.chain.display())]
    Tls {
        /// The files.
        files: Box<CertificateFiles>,
        /// Why.
        source: TlsError,
    },
    /// The endpoint's keys cannot be derived.
    #[error(transparent)]
    Keys(#[from] KeyDerivationError),
}

/// What is read from the certificate files.
#[derive(Debug)]
pub struct EndpointSetup {
    /// For new handshakes.
    pub server: quinn::ServerConfig,
    /// Keys of the endpoint itself.
    pub keys: EndpointKeys,
    /// What somebody should look at in the files.
    pub warnings: Vec<Finding>,
    /// The CA bundle for connectors.
    pub authorities: Arc<Authorities>,
    /// When all that ends.
    pub ends: Vec<Item>,
}

/// Reads the certificate files, judges them, and makes the configuration for new handshakes.
///
/// # Errors
/// [`EndpointError`] names every file that cannot be used.
pub fn set_up(config: &Config, occasion: Occasion) -> Result<EndpointSetup, EndpointError> {
    let files = &config.files;
    let demands = Demands {
        role: Role::Listener,
        occasion,
        names: &config.server_names,
        tls: &config.tls,
    };
    let loaded = files.load(&demands, SystemTime::now())?;
    let ends = loaded.items(files);
    let (credentials, warnings) = (loaded.credentials, loaded.warnings);
    let keys = EndpointKeys::derive(&credentials.key)?;
    let authorities = Arc::new(Authorities {
        roots: loaded.ca.clone(),
        certificates: loaded.ca_certificates,
    });
    let crypto = tls::server_config(credentials, loaded.ca, &config.tls, config.legacy_protocol)
        .map_err(|source| EndpointError::Tls {
            files: Box::new(files.clone()),
            source,
        })?;
    let mut server = quinn::ServerConfig::with_crypto(Arc::new(crypto));
    server.transport_config(Arc::new(TransportSettings::to_quinn(&config.transport)));
    keys.protect_tokens(&mut server);
    Ok(EndpointSetup {
        server,
        keys,
        warnings,
        authorities,
        ends,
    })
}

/// Takes handshakes until the endpoint is closed. Runs on the shard of the endpoint.
pub async fn run(
    endpoint: Endpoint,
    limits: AdmissionConfig,
    shards: Arc<Shards>,
    context: Arc<AcceptContext>,
) {
    let admission = Admission::default();
    let mut refusing = false;
    while let Some(incoming) = endpoint.accept().await {
        let peer = incoming.remote_address();
        let validated = incoming.remote_address_validated();
        match admission::judge(&limits, admission.load(peer.ip()), validated) {
            Verdict::Admit => {
                refusing = false;
                let slot = admission.enter(peer.ip());
                let seat = shards.seat();
                let runtime = seat.shard().handle().clone();
                let task = handshake::run(incoming, slot, seat, context.clone());
                context.tasks.spawn_on(task, &runtime);
            }
            Verdict::Retry => {
                debug!(%peer, "many handshakes in flight: the address must prove itself");
                // It fails only for an address that has proved itself.
                let _ = incoming.retry();
            }
            Verdict::Refuse => {
                if !std::mem::replace(&mut refusing, true) {
                    let load = admission.load(peer.ip());
                    warn!(%peer, ?load, "at the limit of handshakes or sessions: refusing for now");
                }
                incoming.refuse();
            }
        }
    }
}
