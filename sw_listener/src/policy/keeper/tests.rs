use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{RootCertStore, ServerConfig, ServerConnection, pki_types::PrivateKeyDer};
use tokio::{net::TcpListener, time::timeout};
use tokio_util::task::AbortOnDropHandle;

use super::*;
use crate::{
    config::{
        CertIdHash, CrlConfig, ListsConfig, NonceUse, OcspConfig, OcspScope, RulesConfig,
        ScepConfig,
    },
    identity::UidSource,
    policy::crl::CrlScope,
};

const PATIENCE: Duration = Duration::from_secs(30);

fn config(lists: ListsConfig) -> PolicyConfig {
    PolicyConfig {
        rules: RulesConfig {
            uid_source: UidSource::CommonName,
            recheck: Duration::from_secs(40),
            grace: Duration::from_secs(900),
        },
        scep: None,
        crl: CrlConfig::default(),
        lists,
        ocsp: OcspConfig {
            scope: OcspScope::Off,
            url: None,
            nonce: NonceUse::Auto,
            cert_id_hash: CertIdHash::Sha1,
            max_age: Duration::from_secs(3600),
            refresh: Duration::from_secs(60),
        },
    }
}

async fn started(config: PolicyConfig) -> Result<Started, PolicyError> {
    let authorities = Authorities {
        roots: RootCertStore::empty(),
        certificates: Vec::new(),
    };
    let (_, authorities) = watch::channel(Arc::new(authorities));
    start(config, None, &TlsPolicy::default(), authorities).await
}

/// A pipe among the CRL files, or a mount that hung, and no list was read again.
#[tokio::test]
async fn lists_do_not_wait_for_crls() {
    let folder = tempfile::tempdir().unwrap();
    let deny = folder.path().join("deny");
    fs::write(&deny, "plant-7\n").unwrap();
    let lists = ListsConfig {
        deny_path: Some(deny.clone()),
        ..ListsConfig::default()
    };
    let config = PolicyConfig {
        crl: CrlConfig {
            paths: vec![folder.path().join("missing.crl")],
            urls: Vec::new(),
            refresh: Duration::from_secs(45),
            scope: CrlScope::default(),
        },
        ..config(lists)
    };
    // The keeper of the CRLs is stuck.
    let Started {
        policy,
        keeper,
        crl_keeper: Some(_stuck),
        ..
    } = started(config).await.unwrap()
    else {
        panic!("no keeper of CRLs")
    };
    let mut seen = policy.lists.clone();
    let asked = keeper.asked();
    let _running = AbortOnDropHandle::new(tokio::spawn(keeper.run()));
    for entry in ["plant-8\n", "plant-9\n"] {
        fs::write(&deny, entry).unwrap();
        asked.notify_one();
        timeout(PATIENCE, seen.changed()).await.unwrap().unwrap();
    }
}

/// An https server with its own CA, which vouches for `plant-7`.
struct Scep {
    ca: String,
    address: SocketAddr,
    _serving: AbortOnDropHandle<()>,
}

impl Scep {
    async fn start() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        let chain = vec![params.signed_by(&key, &ca).unwrap().der().clone()];
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let provider = Arc::new(TlsPolicy::default().provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let config = Arc::new(config);
        let serving = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (client, config) = (client.into_std().unwrap(), config.clone());
                // A client that does not trust us leaves.
                let _ = task::spawn_blocking(move || vouch(client, config)).await;
            }
        });
        Self {
            ca: ca.pem(),
            address,
            _serving: AbortOnDropHandle::new(serving),
        }
    }
}

fn vouch(mut client: TcpStream, config: Arc<ServerConfig>) -> std::io::Result<()> {
    client.set_nonblocking(false)?;
    let mut tls = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut tls = rustls::Stream::new(&mut tls, &mut client);
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        tls.read_exact(&mut byte)?;
        head.extend(byte);
    }
    let body = r#"{"uid": "plant-7"}"#;
    let length = body.len();
    write!(
        tls,
        "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

/// A new CA of the SCEP server needed a restart, and until then nobody came in.
#[tokio::test]
async fn the_ca_of_the_scep_server_is_read_again() {
    let (server, other) = (Scep::start().await, Scep::start().await);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scep-ca.crt");
    fs::write(&path, &other.ca).unwrap();
    let config = PolicyConfig {
        scep: Some(ScepConfig {
            url: format!("https://{}/verify", server.address)
                .parse()
                .unwrap(),
            ca_path: Some(path.clone()),
        }),
        ..config(ListsConfig::default())
    };
    assert_eq!(config.files(), [path.as_path()]);
    let Started {
        policy, mut keeper, ..
    } = started(config).await.unwrap();
    let uid = "plant-7".parse().unwrap();
    let scep = policy.scep.unwrap();
    let vouches = async || scep.verify(b"", &uid).await.is_ok();
    assert!(!vouches().await, "another CA");
    fs::write(&path, &server.ca).unwrap();
    keeper.reload(Cause::Changed).await;
    assert!(vouches().await);
    for bad in ["", "garbage"] {
        fs::write(&path, bad).unwrap();
        keeper.reload(Cause::Asked).await;
        assert!(vouches().await, "what was good stays in force");
    }
    fs::write(&path, &other.ca).unwrap();
    keeper.reload(Cause::Changed).await;
    assert!(!vouches().await);
}
