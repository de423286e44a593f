//! Against openssl's responder.

use std::time::{Duration, SystemTime};

use rcgen::{PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, SignatureAlgorithm};
use x509_parser::x509::ReasonCode;

use super::{
    answers::never_good_when_damaged,
    forge,
    liars::{MINUTE, asked_within, config, verifier},
    openssl_responder::{Responder, Site, index_time},
};
use crate::{
    config::{CertIdHash, NonceUse, OcspConfig},
    policy::{
        fetch::{Fetcher, Limits},
        ocsp::{
            OcspFinding, request,
            verify::{self, Question},
        },
    },
};

const KINDS: [&SignatureAlgorithm; 2] = [&PKCS_ECDSA_P256_SHA256, &PKCS_RSA_SHA256];
const VALID: &str = "V 400101000000Z  1234 unknown /CN=a\n";

fn revoked(when: SystemTime) -> String {
    format!(
        "R 400101000000Z {},keyCompromise 1234 unknown /CN=a\n",
        index_time(when)
    )
}

/// The outcome about serial number 0x1234 now.
async fn ask(site: &Site, at: &Responder, config: OcspConfig) -> Result<(), OcspFinding> {
    let path = forge::path(&forge::leaf(&site.ca, 0x1234, &[&at.url]));
    let verifier = verifier(config);
    verifier
        .check(&path, SystemTime::now(), asked_within(MINUTE))
        .await
}

#[tokio::test]
async fn good_revoked_and_unknown_of_every_kind_of_signer() {
    let when = SystemTime::now() - 60 * MINUTE;
    for kind in KINDS {
        let site = Site::new(kind);
        let delegate = forge::delegate(&site.ca, kind, |_| {});
        site.delegate("delegate", &delegate);
        for signer in ["ca", "delegate"] {
            for more in [&[][..], &["-resp_key_id"], &["-ndays", "7"]] {
                site.index(VALID);
                let responder = site.respond(0, signer, more);
                assert_eq!(ask(&site, &responder, config()).await, Ok(()));
            }
            site.index("");
            let responder = site.respond(0, signer, &[]);
            let finding = ask(&site, &responder, config()).await.unwrap_err();
            assert_eq!(finding.code(), "ocsp_unknown");
            site.index(&revoked(when));
            let responder = site.respond(0, signer, &[]);
            let finding = ask(&site, &responder, config()).await.unwrap_err();
            assert!(
                matches!(
                    finding,
                    OcspFinding::Revoked {
                        reason: Some(ReasonCode::KeyCompromise),
                        ..
                    }
                ),
                "{finding}"
            );
        }
    }
}

#[tokio::test]
async fn every_way_to_ask() {
    let site = Site::new(&PKCS_ECDSA_P256_SHA256);
    site.index(VALID);
    let responder = site.respond(0, "ca", &[]);
    for nonce in [NonceUse::Auto, NonceUse::Require, NonceUse::Off] {
        for cert_id_hash in [CertIdHash::Sha1, CertIdHash::Sha256] {
            let config = OcspConfig {
                nonce,
                cert_id_hash,
                url: Some(responder.url.parse().unwrap()),
                ..config()
            };
            let result = ask(&site, &responder, config).await;
            assert_eq!(result, Ok(()), "{nonce:?} {cert_id_hash:?}");
        }
    }
}

#[tokio::test]
async fn a_revocation_counts_once_the_answer_is_refreshed() {
    let site = Site::new(&PKCS_ECDSA_P256_SHA256);
    site.index(VALID);
    let responder = site.respond(0, "ca", &["-ndays", "7"]);
    let path = forge::path(&forge::leaf(&site.ca, 0x1234, &[&responder.url]));
    let verifier = verifier(config());
    let now = SystemTime::now();
    assert_eq!(
        verifier.check(&path, now, asked_within(MINUTE)).await,
        Ok(())
    );
    let port = responder.port;
    drop(responder);
    site.index(&revoked(now));
    let _responder = site.respond(port, "ca", &["-ndays", "7"]);
    assert_eq!(
        verifier
            .check(&path, now + MINUTE, asked_within(MINUTE))
            .await,
        Ok(())
    );
    let late = now + MINUTE + Duration::from_secs(1);
    let finding = verifier
        .check(&path, late, asked_within(MINUTE))
        .await
        .unwrap_err();
    assert!(finding.is_definite(), "{finding}");
}

#[tokio::test]
async fn a_responder_with_the_wrong_key_does_not_count() {
    let site = Site::new(&PKCS_ECDSA_P256_SHA256);
    site.index(VALID);
    let namesake = forge::ca(&PKCS_ECDSA_P256_SHA256);
    site.pair("namesake", namesake.der(), namesake.key());
    let foreign = forge::delegate(&namesake, &PKCS_ECDSA_P256_SHA256, |_| {});
    site.delegate("foreign", &foreign);
    let unmeant = forge::delegate(&site.ca, &PKCS_ECDSA_P256_SHA256, |p| {
        p.extended_key_usages.clear();
    });
    site.delegate("unmeant", &unmeant);
    for signer in ["namesake", "foreign", "unmeant"] {
        let responder = site.respond(0, signer, &[]);
        let finding = ask(&site, &responder, config()).await.unwrap_err();
        assert_eq!(finding.code(), "ocsp_bad_answer", "{signer}: {finding}");
    }
}

#[tokio::test]
async fn an_answer_that_has_expired_does_not_count() {
    let site = Site::new(&PKCS_ECDSA_P256_SHA256);
    site.index(VALID);
    let responder = site.respond(0, "ca", &["-nmin", "1"]);
    let path = forge::path(&forge::leaf(&site.ca, 0x1234, &[&responder.url]));
    for (minutes, good) in [(5, true), (7, false)] {
        let now = SystemTime::now() + minutes * MINUTE;
        let result = verifier(config())
            .check(&path, now, asked_within(MINUTE))
            .await;
        assert_eq!(result.is_ok(), good, "after {minutes} minutes: {result:?}");
    }
}

#[tokio::test]
async fn damage_to_a_real_answer_is_noticed_and_never_a_panic() {
    for kind in KINDS {
        let site = Site::new(kind);
        site.index(VALID);
        let delegate = forge::delegate(&site.ca, kind, |_| {});
        site.delegate("delegate", &delegate);
        let responder = site.respond(0, "delegate", &["-ndays", "1"]);
        let link = forge::leaf(&site.ca, 0x1234, &[]);
        let id = forge::id(&link);
        let fetcher = Fetcher::new(None).unwrap();
        let question = request::encode(&id, Some(&[7; 32]));
        let request = fetcher.post(responder.url.parse().unwrap()).body(question);
        let request = request.header("Content-Type", "application/ocsp-request");
        let answer = fetcher.send(request, Limits::short(1 << 16)).await.unwrap();
        let question = Question {
            id: &id,
            issuer: &link.issuer,
            nonce: Some(&[7; 32]),
            nonce_use: NonceUse::Require,
            max_age: 60 * MINUTE,
        };
        let now = SystemTime::now();
        never_good_when_damaged(&answer.body, |der| {
            verify::verify(&forge::supported(), &question, der, now)
        });
    }
}
