use common::{session::quic::TransportSettings, shard::Shards, wire::Protocol};
use quinn::{ClientConfig, Endpoint, ServerConfig, crypto::rustls::QuicClientConfig};
use rustls::{RootCertStore, pki_types::PrivatePkcs8KeyDer};

use super::*;
use crate::{limits::Limits, succession};

/// A session to share among the registered ones: the registry does not look at it.
struct Carrier {
    session: Session,
    shards: Shards,
    _ends: (Endpoint, Endpoint, quinn::Connection),
}

async fn carrier() -> Carrier {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let chain = vec![made.cert.der().clone()];
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let server = ServerConfig::with_single_cert(chain, key.into()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let client = ClientConfig::new(Arc::new(QuicClientConfig::try_from(client).unwrap()));
    let any = ([127, 0, 0, 1], 0).into();
    let (far, near) = (
        Endpoint::server(server, any).unwrap(),
        Endpoint::client(any).unwrap(),
    );
    let address = far.local_addr().unwrap();
    let connecting = near.connect_with(client, address, "localhost").unwrap();
    let accepting = async { far.accept().await.unwrap().await.unwrap() };
    let (connected, accepted) = tokio::join!(connecting, accepting);
    let settings = TransportSettings::default();
    Carrier {
        session: Session::over_quic(accepted, Protocol::V2, &settings),
        shards: Shards::start(1).unwrap(),
        _ends: (near, far, connected.unwrap()),
    }
}

impl Carrier {
    async fn is_open(&self) -> bool {
        tokio::select! {
            biased;
            _ = self.session.closed() => false,
            () = std::future::ready(()) => true,
        }
    }

    /// The session of a certificate that became valid then.
    fn live(&self, not_before: i64) -> Arc<LiveSession> {
        let identity = Identity {
            uid: "device1".parse().unwrap(),
            serial: String::new(),
            not_before,
            not_after: not_before + 100,
            fingerprint: not_before.to_string(),
        };
        let limits = Limits::new(10, 10, None).of(&identity.uid);
        Arc::new(LiveSession {
            id: SessionId::random(),
            identity,
            session: self.session.clone(),
            control: None,
            hello: None,
            seat: self.shards.seat(),
            since: SystemTime::now(),
            traffic: Arc::default(),
            limits,
            handed_over: CancellationToken::new(),
        })
    }
}

fn permit(live: &LiveSession) -> Permit {
    Permit::unchecked(live.identity.clone())
}

fn succeed(
    registry: &Arc<Registry>,
    old: &LiveSession,
    new: &Arc<LiveSession>,
) -> Result<Registration, HandOverError> {
    let judged = succession::judge(Some(old.id), &new.identity, (old.id, &old.identity));
    registry.hand_over(permit(new), new, &judged.unwrap())
}

fn ids(sessions: &[Arc<LiveSession>]) -> Vec<SessionId> {
    sessions.iter().map(|live| live.id).collect()
}

#[tokio::test]
async fn a_session_that_hands_over_is_retired_until_it_ends() {
    let carrier = carrier().await;
    let registry = Arc::new(Registry::default());
    let (old, new) = (carrier.live(1), carrier.live(2));
    let uid = old.uid().clone();
    let first = registry.register(permit(&old), &old, None).unwrap();
    registry.changes().await;
    let second = succeed(&registry, &old, &new).unwrap();
    assert!(registry.changes().await.contains(&uid));
    assert!(old.handed_over.is_cancelled() && !new.handed_over.is_cancelled());
    assert_eq!(registry.get(&uid).unwrap().id, new.id);
    assert_eq!(ids(&registry.retired(&uid)), [old.id]);
    assert_eq!(ids(&registry.all()), [new.id]);
    assert_eq!(ids(&registry.everyone()), [new.id, old.id]);
    drop(first);
    assert!(registry.retired(&uid).is_empty());
    assert_eq!(registry.get(&uid).unwrap().id, new.id);
    drop(second);
    assert!(registry.everyone().is_empty());
    assert!(registry.lock().retired.is_empty());
}

#[tokio::test]
async fn only_the_holder_of_the_uid_hands_over() {
    let carrier = carrier().await;
    let registry = Arc::new(Registry::default());
    let (old, new, third) = (carrier.live(1), carrier.live(2), carrier.live(3));
    let gone = |error| matches!(error, HandOverError::Gone(_));
    assert!(gone(succeed(&registry, &old, &new).unwrap_err()));
    let _first = registry.register(permit(&old), &old, None).unwrap();
    let _second = succeed(&registry, &old, &new).unwrap();
    // The same place cannot be taken twice.
    assert!(gone(succeed(&registry, &old, &third).unwrap_err()));
    assert_eq!(registry.get(old.uid()).unwrap().id, new.id);
    // Nor does a hand-over make room for anybody else.
    assert!(registry.register(permit(&third), &third, None).is_err());
    assert!(
        registry
            .register(permit(&third), &third, Some(old.id))
            .is_err()
    );
}

#[tokio::test]
async fn retired_sessions_are_bounded() {
    let carrier = carrier().await;
    let registry = Arc::new(Registry::default());
    let sessions: Vec<_> = (0..)
        .map(|at| carrier.live(at))
        .take(MAX_RETIRED + 2)
        .collect();
    let first = &sessions[0];
    let mut held = vec![registry.register(permit(first), first, None).unwrap()];
    for pair in sessions[..=MAX_RETIRED].windows(2) {
        held.push(succeed(&registry, &pair[0], &pair[1]).unwrap());
    }
    let (last, next) = (&sessions[MAX_RETIRED], &sessions[MAX_RETIRED + 1]);
    let refused = succeed(&registry, last, next).unwrap_err();
    assert!(matches!(refused, HandOverError::Full), "{refused}");
    assert_eq!(registry.get(last.uid()).unwrap().id, last.id);
    assert!(!last.handed_over.is_cancelled());
    held.remove(0);
    assert!(succeed(&registry, last, next).is_ok());
}

/// A connector that says goodbye again and again does not pile up sessions either.
#[tokio::test]
async fn of_too_many_drained_sessions_the_oldest_is_closed() {
    let (carrier, oldest) = (carrier().await, carrier().await);
    let registry = Arc::new(Registry::default());
    let mut held = Vec::new();
    for at in 0..=MAX_RETIRED {
        let live = match at {
            0 => oldest.live(1),
            _ => carrier.live(1),
        };
        let registration = registry.register(permit(&live), &live, None).unwrap();
        assert!(oldest.is_open().await);
        registration.retire();
        held.push((live, registration));
    }
    assert!(!oldest.is_open().await && carrier.is_open().await);
    let uid = held[0].0.uid().clone();
    let left: Vec<_> = held[1..].iter().map(|(live, _)| live.id).collect();
    assert_eq!(ids(&registry.retired(&uid)), left);
}

#[tokio::test]
async fn a_connector_that_drains_frees_the_uid_and_stays_known() {
    let carrier = carrier().await;
    let registry = Arc::new(Registry::default());
    let (old, new) = (carrier.live(1), carrier.live(1));
    let uid = old.uid().clone();
    let first = registry.register(permit(&old), &old, None).unwrap();
    first.retire();
    first.retire();
    assert!(registry.get(&uid).is_none());
    assert_eq!(ids(&registry.retired(&uid)), [old.id]);
    let _second = registry.register(permit(&new), &new, None).unwrap();
    drop(first);
    assert_eq!(ids(&registry.everyone()), [new.id]);
}
