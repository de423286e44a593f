use std::{net::SocketAddr, time::Duration};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair,
};
use rustls::RootCertStore;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
    time::timeout,
};
use tokio_util::task::AbortOnDropHandle;

use super::*;
use crate::{
    config::{ListsConfig, RulesConfig},
    identity::UidSource,
    policy::{AT_ONCE, ScepVerifier, fetch::Fetcher, lists::ListFiles},
};

/// Longer than anything but a server's time limit (5 s) may take.
const SOON: Duration = Duration::from_secs(4);

/// A server that takes every question and answers none.
async fn silent(heard: watch::Sender<usize>) -> (SocketAddr, AbortOnDropHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        let mut clients: Vec<TcpStream> = Vec::new();
        while let Ok((client, _)) = listener.accept().await {
            clients.push(client);
            heard.send_replace(clients.len());
        }
    });
    (address, AbortOnDropHandle::new(serving))
}

/// A leaf of the UID `plant-7`, and its CA as the bundle.
fn leaf() -> (Vec<CertificateDer<'static>>, Authorities) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, "plant-7");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let leaf = params
        .signed_by(&KeyPair::generate().unwrap(), &ca)
        .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(ca.der().clone()).unwrap();
    let authorities = Authorities {
        roots,
        certificates: vec![ca.der().clone()],
    };
    (vec![leaf.der().clone()], authorities)
}

fn denying(entries: &[&str]) -> Arc<Lists> {
    let config = ListsConfig {
        deny: entries.iter().map(|entry| entry.parse().unwrap()).collect(),
        ..ListsConfig::default()
    };
    ListFiles::open(config).unwrap().1
}

/// A denial waited for a turn, and the turns for a server that did not answer: 150 s for 1,000 sessions.
#[tokio::test]
async fn a_denial_does_not_wait_for_servers() {
    let (hear, mut heard) = watch::channel(0);
    let (address, _server) = silent(hear).await;
    let (chain, authorities) = leaf();
    let (lists, lists_seen) = watch::channel(denying(&[]));
    let (_authorities, authorities) = watch::channel(Arc::new(authorities));
    let scep = format!("http://{address}/verify").parse().unwrap();
    let policy = Arc::new(Policy {
        rules: RulesConfig {
            uid_source: UidSource::CommonName,
            recheck: Duration::from_millis(10),
            grace: Duration::from_secs(900),
        },
        supported: rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms,
        authorities,
        lists: lists_seen,
        crl: None,
        ocsp: None,
        scep: Some(ScepVerifier::new(scep, Fetcher::new(None).unwrap())),
        turns: Semaphore::new(AT_ONCE),
    });
    let mut sessions = JoinSet::new();
    for _ in 0..4 * AT_ONCE {
        let (policy, chain) = (policy.clone(), chain.clone());
        sessions.spawn(async move { policy.watch_certificates(|| chain.clone()).await });
    }
    let all_asked = heard.wait_for(|heard| *heard >= AT_ONCE);
    timeout(SOON, all_asked).await.unwrap().unwrap();
    lists.send_replace(denying(&["plant-7"]));
    let denials = timeout(SOON, sessions.join_all()).await;
    for denial in denials.expect("all are denied at once") {
        assert_eq!(denial.code(), "denied_by_list");
    }
}
