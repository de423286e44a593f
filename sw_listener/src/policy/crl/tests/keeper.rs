//! The keeper with real files and a real, often broken, server.

use std::{
    fs,
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use super::{
    openssl::{Ca, HOUR, Issued, P256},
    path,
    server::{Answer, Server},
    supported,
};
use crate::{
    config::CrlConfig,
    policy::{
        chain::Path,
        crl::{CrlHandle, CrlKeeper, CrlScope, CrlSetup, CrlStatus, SourceStatus},
        fetch::Fetcher,
    },
};

/// Longer than any question may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running keeper; dropping it is the end of the process.
struct Running {
    handle: CrlHandle,
    _task: AbortOnDropHandle<()>,
}

#[derive(Default)]
struct Sources {
    paths: Vec<PathBuf>,
    server: Option<std::net::SocketAddr>,
    state_dir: Option<PathBuf>,
}

async fn start(ca: &Ca, sources: Sources) -> Running {
    let url = sources
        .server
        .map(|address| format!("http://{address}/scep?operation=GetCRL"));
    let setup = CrlSetup {
        config: CrlConfig {
            paths: sources.paths,
            urls: url.iter().map(|url| url.parse().unwrap()).collect(),
            refresh: HOUR,
            scope: CrlScope::Chain,
        },
        state_dir: sources.state_dir,
        authorities: vec![ca.certificate.clone()],
        supported: supported(),
        fetcher: Fetcher::new(None).unwrap(),
    };
    let (keeper, handle) = CrlKeeper::start(setup).await;
    let task = AbortOnDropHandle::new(tokio::spawn(keeper.run()));
    Running {
        handle,
        _task: task,
    }
}

impl Running {
    /// Waits until the first source is as wanted.
    async fn source(&self, wanted: impl Fn(&SourceStatus) -> bool) -> SourceStatus {
        let mut status = self.handle.status();
        let fits = |status: &Arc<CrlStatus>| status.sources.first().is_some_and(&wanted);
        let found = timeout(PATIENCE, status.wait_for(fits)).await;
        let found = found.expect("the source becomes as wanted").unwrap();
        found.sources[0].clone()
    }

    /// Reads the files again.
    async fn reload(&self) {
        let mut status = self.handle.status();
        let before = status.borrow().reloads;
        self.handle.reload();
        let done = status.wait_for(|status| status.reloads > before);
        timeout(PATIENCE, done).await.unwrap().unwrap();
    }

    async fn good(&self) {
        self.source(|source| source.last_good.is_some() && source.last_error.is_none())
            .await;
    }

    /// What is wrong with the first source.
    async fn error(&self) -> String {
        let source = self.source(|source| source.last_error.is_some()).await;
        source.last_error.unwrap()
    }

    fn code(&self, path: &Path) -> &'static str {
        let checked = self.handle.check(path, SystemTime::now());
        checked.map_or_else(|finding| finding.code(), |()| "ok")
    }
}

/// A CA, a leaf of it, and the leaf's path.
fn plant() -> (Ca, Issued, Path) {
    let ca = Ca::root("Plant CA", P256);
    let leaf = ca.leaf("device1");
    let path = path(&ca.certificate, &[&leaf.der]);
    (ca, leaf, path)
}

#[tokio::test]
async fn a_list_is_fetched_and_fetched_again() {
    let (ca, leaf, path) = plant();
    let server = Server::start(Answer::Good(ca.crl())).await;
    let sources = Sources {
        server: Some(server.address),
        ..Sources::default()
    };
    let keeper = start(&ca, sources).await;
    keeper.good().await;
    assert_eq!(keeper.code(&path), "ok");
    ca.revoke(&leaf);
    server.will(Answer::Good(ca.crl()));
    let mut snapshots = keeper.handle.snapshots();
    snapshots.mark_unchanged();
    keeper.reload().await;
    timeout(PATIENCE, snapshots.changed())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(keeper.code(&path), "crl_revoked");
    let facts = keeper.handle.status().borrow().facts.clone();
    assert_eq!((facts.len(), facts[0].revoked), (1, 1));
}

#[tokio::test]
async fn a_broken_server_is_told_and_changes_nothing() {
    let (ca, _leaf, path) = plant();
    let expired = ca.crl_between(SystemTime::now() - HOUR * 2, SystemTime::now() - HOUR);
    let good = ca.crl();
    let mut forged = good.clone();
    let last = forged.len() - 1;
    forged[last] ^= 1;
    for (answer, expected, alone) in [
        (
            Answer::Head("500 Internal Server Error"),
            "status 500",
            "crl_missing",
        ),
        (
            Answer::Head("302 Found\r\nLocation: http://127.0.0.1:1/"),
            "redirects are not followed",
            "crl_missing",
        ),
        (Answer::Raw(b"SSH-2.0-x\r\n"), "no answer", "crl_missing"),
        (
            Answer::Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n0"),
            "no answer",
            "crl_missing",
        ),
        (
            Answer::Good(b"<html>moved</html>".to_vec()),
            "not a CRL",
            "crl_missing",
        ),
        (Answer::Good(Vec::new()), "empty", "crl_missing"),
        (Answer::Good(forged), "does not count", "crl_bad_signature"),
        (Answer::Good(expired), "has expired", "crl_expired"),
        (Answer::Endless, "longer than 33554432 bytes", "crl_missing"),
        (Answer::Silent, "no answer", "crl_missing"),
    ] {
        let server = Server::start(answer.clone()).await;
        let sources = || Sources {
            server: Some(server.address),
            ..Sources::default()
        };
        let keeper = start(&ca, sources()).await;
        let error = keeper.error().await;
        assert!(error.contains(expected), "{expected}: {error}");
        assert_eq!(keeper.code(&path), alone, "{expected}");
        server.will(Answer::Good(good.clone()));
        keeper.reload().await;
        keeper.good().await;
        assert_eq!(keeper.code(&path), "ok", "after {expected}");
        // Now there is a list to keep.
        server.will(answer);
        keeper.reload().await;
        keeper.error().await;
        assert_eq!(keeper.code(&path), "ok", "again {expected}");
    }
}

#[tokio::test]
async fn a_bad_file_keeps_the_last_good_list() {
    let (ca, leaf, path) = plant();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("plant.crl");
    ca.revoke(&leaf);
    let good = ca.crl();
    fs::write(&file, &good).unwrap();
    let sources = Sources {
        paths: vec![file.clone()],
        ..Sources::default()
    };
    let keeper = start(&ca, sources).await;
    assert_eq!(
        keeper.code(&path),
        "crl_revoked",
        "files are read before the first check"
    );
    for (bytes, expected) in [
        (&b"garbage"[..], "not a CRL"),
        (&good[..100], "not a CRL"),
        (b"", "empty"),
    ] {
        fs::write(&file, bytes).unwrap();
        keeper.reload().await;
        let error = keeper.error().await;
        assert!(error.contains(expected), "{expected}: {error}");
        assert_eq!(keeper.code(&path), "crl_revoked");
    }
    fs::remove_file(&file).unwrap();
    keeper.reload().await;
    let error = keeper.error().await;
    assert!(error.contains("plant.crl"), "{error}");
    assert_eq!(keeper.code(&path), "crl_revoked");
    fs::write(&file, ca.crl()).unwrap();
    keeper.reload().await;
    keeper.good().await;
}

#[tokio::test]
async fn a_restart_forgets_nothing() {
    let (ca, leaf, path) = plant();
    let state = tempfile::tempdir().unwrap();
    let (then, end) = (SystemTime::now() - HOUR, SystemTime::now() + HOUR);
    let old = ca.crl_between(then, end);
    ca.revoke(&leaf);
    let server = Server::start(Answer::Good(ca.crl())).await;
    let sources = || Sources {
        server: Some(server.address),
        state_dir: Some(state.path().to_owned()),
        ..Sources::default()
    };
    let keeper = start(&ca, sources()).await;
    keeper.good().await;
    drop(keeper);

    server.will(Answer::Head("503 Service Unavailable"));
    let keeper = start(&ca, sources()).await;
    assert_eq!(
        keeper.code(&path),
        "crl_revoked",
        "before the server has answered"
    );
    keeper.error().await;
    assert_eq!(keeper.code(&path), "crl_revoked");
    drop(keeper);

    server.will(Answer::Good(old.clone()));
    let keeper = start(&ca, sources()).await;
    let error = keeper.error().await;
    assert!(error.contains("roll-back"), "{error}");
    assert_eq!(keeper.code(&path), "crl_revoked");
    drop(keeper);

    // Damaged, the kept list is gone, but the listener starts.
    let kept: Vec<_> = fs::read_dir(state.path().join("crl")).unwrap().collect();
    let [Ok(kept)] = &kept[..] else {
        panic!("{kept:?}")
    };
    let text = fs::read_to_string(kept.path()).unwrap();
    assert!(text.contains("PUBLIC KEY") && text.contains("X509 CRL"));
    for damaged in [
        String::new(),
        text.replace("CRL", "CRX"),
        text[..text.len() / 2].to_owned(),
    ] {
        fs::write(kept.path(), damaged).unwrap();
        server.will(Answer::Head("503 Service Unavailable"));
        let keeper = start(&ca, sources()).await;
        assert_eq!(keeper.code(&path), "crl_missing");
    }
    server.will(Answer::Good(ca.crl()));
    let keeper = start(&ca, sources()).await;
    keeper.good().await;
    assert_eq!(keeper.code(&path), "crl_revoked");
    assert!(
        fs::read_to_string(kept.path())
            .unwrap()
            .contains("X509 CRL"),
        "written anew"
    );
}

#[tokio::test]
async fn a_kept_list_with_another_key_does_not_count() {
    let (ca, _leaf, path) = plant();
    let (stranger, ..) = plant();
    let state = tempfile::tempdir().unwrap();
    let file = state.path().join("plant.crl");
    fs::write(&file, ca.crl()).unwrap();
    let sources = || Sources {
        state_dir: Some(state.path().to_owned()),
        ..Sources::default()
    };
    let with_file = Sources {
        paths: vec![file],
        ..sources()
    };
    drop(start(&ca, with_file).await);
    let keeper = start(&ca, sources()).await;
    assert_eq!(keeper.code(&path), "ok", "lists of files are kept too");
    drop(keeper);
    let folder = fs::read_dir(state.path().join("crl")).unwrap();
    let kept = folder.map(|entry| entry.unwrap().path()).next().unwrap();
    let blocks = pem::parse_many(fs::read(&kept).unwrap()).unwrap();
    let forged = pem::Pem::new("X509 CRL", stranger.crl());
    fs::write(&kept, pem::encode_many(&[blocks[0].clone(), forged])).unwrap();
    let keeper = start(&ca, sources()).await;
    assert_eq!(keeper.code(&path), "crl_missing");
}

#[tokio::test]
async fn a_ca_in_between_becomes_known_by_its_path() {
    let root = Ca::root("Root CA", P256);
    let (between, certificate) = root.intermediate("Plant CA", P256);
    let leaf = between.leaf("device1");
    let path = path(&root.certificate, &[&leaf.der, &certificate.der]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("all.crl");
    root.crl();
    between.crl();
    fs::write(&file, root.pem() + &between.pem()).unwrap();
    let sources = Sources {
        paths: vec![file],
        ..Sources::default()
    };
    let keeper = start(&root, sources).await;
    let mut snapshots = keeper.handle.snapshots();
    snapshots.mark_unchanged();
    assert_eq!(keeper.code(&path), "ok");
    timeout(PATIENCE, snapshots.changed())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(keeper.handle.status().borrow().facts.len(), 2);
    assert_eq!(snapshots.borrow().strangers(&path).count(), 0);
}
