use std::{fs, time::Duration};

use rustls::RootCertStore;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use super::*;
use crate::{
    config::{CertIdHash, CrlConfig, ListsConfig, NonceUse, OcspConfig, OcspScope, RulesConfig},
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
