//! Responders that are slow, endless, lying or broken, over real sockets.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use rcgen::PKCS_ECDSA_P256_SHA256;
use tokio::task::JoinSet;

use super::{
    forge::{self, Answer, Ca},
    server::{self, Reply, Server, ok},
};
use crate::{
    config::{CertIdHash, NonceUse, OcspConfig, OcspScope},
    policy::{
        chain::Path,
        fetch::Fetcher,
        ocsp::{Demand, OcspFinding, OcspVerifier},
    },
};

pub(super) const MINUTE: Duration = Duration::from_secs(60);

pub(super) fn config() -> OcspConfig {
    OcspConfig {
        scope: OcspScope::Leaf,
        url: None,
        nonce: NonceUse::Auto,
        cert_id_hash: CertIdHash::Sha1,
        max_age: 60 * MINUTE,
        refresh: MINUTE,
    }
}

/// What a new session wants.
pub(super) fn asked_within(max_age: Duration) -> Demand {
    Demand {
        max_age,
        bridge: true,
    }
}

pub(super) fn verifier(config: OcspConfig) -> OcspVerifier {
    OcspVerifier::new(config, Fetcher::new(None).unwrap(), forge::supported())
}

fn ca() -> Arc<Ca> {
    Arc::new(forge::ca(&PKCS_ECDSA_P256_SHA256))
}

/// One that answers truthfully about a serial number, with changes.
async fn honest(
    ca: &Arc<Ca>,
    serial: u64,
    change: impl Fn(&mut Answer, &[u8]) + Send + Sync + 'static,
) -> Server {
    let ca = Arc::clone(ca);
    let id = forge::id(&forge::leaf(&ca, serial, &[]));
    Server::start(move |question| {
        let mut answer = Answer::new(&ca, id.clone(), SystemTime::now());
        answer.nonce = Some(server::nonce(question));
        change(&mut answer, question);
        ok(&answer.sign(ca.key()))
    })
    .await
}

async fn code(verifier: &OcspVerifier, path: &Path) -> &'static str {
    let result = verifier
        .check(path, SystemTime::now(), asked_within(Duration::ZERO))
        .await;
    result.map_or_else(|finding| finding.code(), |()| "good")
}

#[tokio::test]
async fn what_does_not_count_is_not_good_and_says_so() {
    let ca = ca();
    let page = |text: &str| Reply::Bytes(text.as_bytes().to_vec());
    let redirecting = move |_: &[u8]| {
        page("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n")
    };
    let head = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
    let servers = [
        (
            Server::start(|_| ok(b"<html>hello")).await,
            "ocsp_bad_answer",
            "not an OCSP answer",
        ),
        (
            Server::start(|_| ok(b"")).await,
            "ocsp_bad_answer",
            "not an OCSP answer",
        ),
        (
            Server::start(move |_| page("HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n")).await,
            "ocsp_unavailable",
            "status 500",
        ),
        (
            Server::start(redirecting).await,
            "ocsp_unavailable",
            "status 302",
        ),
        (
            Server::start(move |_| Reply::Endless(head.clone())).await,
            "ocsp_bad_answer",
            "longer than 65536 bytes",
        ),
        (
            Server::start(|_| Reply::Bytes(Vec::new())).await,
            "ocsp_unavailable",
            "no answer",
        ),
        (
            honest(&ca, 1, |a, _| a.nonce = Some(vec![0; 32])).await,
            "ocsp_bad_answer",
            "another nonce",
        ),
        (
            honest(&ca, 2, |_, _| {}).await,
            "ocsp_bad_answer",
            "another certificate",
        ),
        (
            honest(&ca, 1, |a, _| a.response_status = 6).await,
            "ocsp_unavailable",
            "not responsible",
        ),
        (
            honest(&ca, 1, |a, _| a.status = forge::unknown()).await,
            "ocsp_unknown",
            "unknown to the OCSP responder",
        ),
    ];
    for (server, code, words) in servers {
        let path = forge::path(&forge::leaf(&ca, 1, &[&server.url]));
        let verifier = verifier(config());
        let asked = Instant::now();
        let result = verifier
            .check(&path, SystemTime::now(), asked_within(MINUTE))
            .await;
        let finding = result.unwrap_err();
        assert_eq!(finding.code(), code, "{finding}");
        assert!(finding.to_string().contains(words), "{finding}");
        assert!(!finding.is_definite());
        assert!(asked.elapsed() < Duration::from_secs(6));
    }
}

#[tokio::test]
async fn an_old_answer_sent_again_does_not_count() {
    let ca = ca();
    let id = forge::id(&forge::leaf(&ca, 1, &[]));
    let recording = {
        let ca = Arc::clone(&ca);
        let first = std::sync::OnceLock::new();
        Server::start(move |question| {
            let recorded = first.get_or_init(|| {
                let mut answer = Answer::new(&ca, id.clone(), SystemTime::now());
                answer.nonce = Some(server::nonce(question));
                answer.sign(ca.key())
            });
            ok(recorded)
        })
        .await
    };
    let path = forge::path(&forge::leaf(&ca, 1, &[&recording.url]));
    assert_eq!(code(&verifier(config()), &path).await, "good");
    assert_eq!(code(&verifier(config()), &path).await, "ocsp_bad_answer");
}

#[tokio::test]
async fn without_a_responder_nobody_is_asked() {
    let ca = ca();
    let verifier = verifier(config());
    let odd = ["ldap://a/", "ftp://b/", "nonsense"];
    for responders in [&[][..], &odd] {
        let path = forge::path(&forge::leaf(&ca, 1, responders));
        assert_eq!(code(&verifier, &path).await, "ocsp_no_responder");
    }
}

#[tokio::test]
async fn the_next_responder_is_asked_when_one_fails() {
    let ca = ca();
    let dead = Server::start(|_| Reply::Bytes(Vec::new())).await;
    let lying = Server::start(|_| ok(b"nonsense")).await;
    let honest = honest(&ca, 1, |_, _| {}).await;
    let urls = ["ldap://a/", &dead.url, &lying.url, &honest.url];
    let path = forge::path(&forge::leaf(&ca, 1, &urls));
    assert_eq!(code(&verifier(config()), &path).await, "good");
    assert_eq!((lying.questions(), honest.questions()), (1, 1));
}

#[tokio::test]
async fn many_at_once_ask_once_and_fresh_answers_are_not_asked_for_again() {
    let ca = ca();
    let server = honest(&ca, 1, |_, _| {}).await;
    let path = forge::path(&forge::leaf(&ca, 1, &[&server.url]));
    let verifier = Arc::new(verifier(config()));
    let now = SystemTime::now();
    let mut checks = JoinSet::new();
    for _ in 0..100 {
        let (verifier, path) = (Arc::clone(&verifier), path.clone());
        checks.spawn(async move { verifier.check(&path, now, asked_within(MINUTE)).await });
    }
    while let Some(result) = checks.join_next().await {
        assert_eq!(result.unwrap(), Ok(()));
    }
    assert_eq!(server.questions(), 1);
    assert_eq!(
        verifier
            .check(&path, now + MINUTE, asked_within(MINUTE))
            .await,
        Ok(())
    );
    assert_eq!(server.questions(), 1);
    let late = now + MINUTE + Duration::from_secs(1);
    assert_eq!(
        verifier.check(&path, late, asked_within(MINUTE)).await,
        Ok(())
    );
    assert_eq!(server.questions(), 2);
}

#[tokio::test]
async fn a_dead_responder_costs_a_thousand_handshakes_one_time_limit_and_32_sockets() {
    let ca = ca();
    let server = Server::start(|_| Reply::Silence).await;
    let verifier = Arc::new(verifier(config()));
    let leaf = |serial| forge::path(&forge::leaf(&ca, serial, &[&server.url]));
    let paths: Vec<_> = (1..=1000).map(leaf).collect();
    let asked = Instant::now();
    let mut checks = JoinSet::new();
    for path in paths {
        let verifier = Arc::clone(&verifier);
        checks.spawn(async move { code(&verifier, &path).await });
    }
    while let Some(result) = checks.join_next().await {
        assert_eq!(result.unwrap(), "ocsp_unavailable");
    }
    // One after the other, 32 sockets would need 156 s for them; the rest is room for a busy machine.
    let took = asked.elapsed();
    assert!(took < Duration::from_secs(60), "{took:?}");
    // The hold-off of 1 s may end while the last are turned away; then one more tries, at most once a second.
    let (questions, most) = (server.questions(), 32 + took.as_secs());
    let within = (32..=most).contains(&u64::try_from(questions).unwrap());
    assert!(within, "{questions} questions in {took:?}");
}

#[tokio::test]
async fn an_answer_that_counts_bridges_an_outage_and_revoked_stays() {
    let ca = ca();
    let [alive, revoking] = [true, false].map(|on| Arc::new(AtomicBool::new(on)));
    let server = {
        let (ca, alive, revoking) = (Arc::clone(&ca), Arc::clone(&alive), Arc::clone(&revoking));
        let id = forge::id(&forge::leaf(&ca, 1, &[]));
        Server::start(move |question| {
            let now = SystemTime::now();
            let mut answer = Answer::new(&ca, id.clone(), now);
            answer.nonce = Some(server::nonce(question));
            if revoking.load(Ordering::SeqCst) {
                answer.status = forge::revoked(now);
            }
            if alive.load(Ordering::SeqCst) {
                ok(&answer.sign(ca.key()))
            } else {
                Reply::Silence
            }
        })
        .await
    };
    let path = forge::path(&forge::leaf(&ca, 1, &[&server.url]));
    let verifier = verifier(config());
    assert_eq!(code(&verifier, &path).await, "good");
    alive.store(false, Ordering::SeqCst);
    let asked = Instant::now();
    assert_eq!(code(&verifier, &path).await, "good");
    let waited = asked.elapsed();
    assert!(waited < Duration::from_secs(4), "waited {waited:?}");
    assert_eq!(server.questions(), 2);
    // A live session has 15 minutes from the last real answer, so that this is none.
    let live = Demand {
        max_age: Duration::ZERO,
        bridge: false,
    };
    let now = SystemTime::now();
    let finding = verifier.check(&path, now, live).await.unwrap_err();
    assert_eq!(finding.code(), "ocsp_unavailable");
    assert!(!finding.is_definite());
    let over = SystemTime::now() + 61 * MINUTE;
    let finding = verifier
        .check(&path, over, asked_within(MINUTE))
        .await
        .unwrap_err();
    assert_eq!(finding.code(), "ocsp_unavailable");

    alive.store(true, Ordering::SeqCst);
    revoking.store(true, Ordering::SeqCst);
    let verifier = super::liars::verifier(config());
    let finding = verifier
        .check(&path, SystemTime::now(), asked_within(MINUTE))
        .await;
    let finding = finding.unwrap_err();
    assert!(matches!(finding, OcspFinding::Revoked { .. }) && finding.is_definite());
    drop(server);
    for demand in [asked_within(MINUTE), live] {
        let finding = verifier.check(&path, over, demand).await.unwrap_err();
        assert_eq!(finding.code(), "ocsp_revoked");
    }
}

#[tokio::test]
async fn all_certificates_of_a_path_or_the_leaf_alone() {
    let ca = ca();
    let good = honest(&ca, 1, |_, _| {}).await;
    let bad = honest(&ca, 2, |a, _| a.status = forge::revoked(a.this_update)).await;
    let links = vec![
        forge::leaf(&ca, 1, &[&good.url]),
        forge::leaf(&ca, 2, &[&bad.url]),
    ];
    let path = Path { links };
    for (scope, expected) in [
        (OcspScope::Off, "good"),
        (OcspScope::Leaf, "good"),
        (OcspScope::Chain, "ocsp_revoked"),
    ] {
        let verifier = verifier(OcspConfig { scope, ..config() });
        assert_eq!(code(&verifier, &path).await, expected, "{scope:?}");
    }
    assert_eq!((good.questions(), bad.questions()), (2, 1));
}
