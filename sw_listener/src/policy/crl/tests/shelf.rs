//! Which lists count, and what they say of a path.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use rustls::pki_types::CertificateDer;

use super::{
    openssl::{Ca, ED25519, HOUR, Issued, P256, RSA, one},
    path, supported,
};
use crate::policy::{
    chain::Path,
    crl::{CrlFinding, CrlScope, Received, Refusal, Shelf},
};

fn now() -> SystemTime {
    SystemTime::now()
}

fn shelf(bundle: &[&Ca]) -> Shelf {
    let mut shelf = Shelf::new(supported());
    let bundle: Vec<CertificateDer<'_>> = bundle.iter().map(|ca| ca.certificate.clone()).collect();
    shelf.set_authorities(&bundle, now());
    shelf
}

fn receive(shelf: &mut Shelf, source: &str, lists: Vec<Vec<u8>>) -> Received {
    let lists = lists.into_iter().map(|der| Arc::new(one(der))).collect();
    shelf.receive(&source.into(), lists, now())
}

fn check(shelf: &Shelf, path: &Path) -> Result<(), CrlFinding> {
    shelf.snapshot().check(path, CrlScope::Chain, now())
}

fn code(shelf: &Shelf, path: &Path) -> &'static str {
    check(shelf, path).map_or_else(|finding| finding.code(), |()| "ok")
}

/// A CA, a leaf of it, and the leaf's path.
fn plant() -> (Ca, Issued, Path) {
    let ca = Ca::root("Plant CA", P256);
    let leaf = ca.leaf("device1");
    let path = path(&ca.certificate, &[&leaf.der]);
    (ca, leaf, path)
}

#[test]
fn a_revoked_leaf_is_told_in_words_to_act_on() {
    for key in [RSA, P256, ED25519] {
        let ca = Ca::root("Plant CA", key);
        let leaf = ca.leaf("device1");
        let path = path(&ca.certificate, &[&leaf.der]);
        let mut shelf = shelf(&[&ca]);
        let missing = check(&shelf, &path).unwrap_err();
        assert_eq!(
            (missing.code(), missing.is_definite()),
            ("crl_missing", false)
        );
        receive(&mut shelf, "a", vec![ca.crl()]);
        assert_eq!(check(&shelf, &path), Ok(()));
        ca.revoke(&leaf);
        receive(&mut shelf, "a", vec![ca.crl()]);
        let finding = check(&shelf, &path).unwrap_err();
        assert_eq!(
            (finding.code(), finding.is_definite()),
            ("crl_revoked", true)
        );
        let text = finding.to_string();
        let CrlFinding::Revoked { date, serial, .. } = finding else {
            panic!("{text}");
        };
        assert!(now().duration_since(date).unwrap() < HOUR);
        assert_eq!(serial, "00:80:01");
        let day = time::OffsetDateTime::from(date).date().to_string();
        let expected = format!(
            "certificate revoked on {day} (CRL of \"Plant CA\"): ask the operator for a new one"
        );
        assert_eq!(text, expected);
    }
}

#[test]
fn a_hold_is_a_revocation_and_a_reason_is_told() {
    for (reason, expected) in [
        ("certificateHold", "certificate on hold since "),
        ("keyCompromise", ", key compromised (CRL of"),
    ] {
        let (ca, leaf, path) = plant();
        ca.revoke_because(&leaf, reason);
        let mut shelf = shelf(&[&ca]);
        receive(&mut shelf, "a", vec![ca.crl()]);
        let finding = check(&shelf, &path).unwrap_err();
        assert!(finding.is_definite());
        assert!(finding.to_string().contains(expected), "{finding}");
    }
}

#[test]
fn every_certificate_of_the_chain_is_looked_up() {
    let root = Ca::root("Root CA", P256);
    let (between, certificate) = root.intermediate("Plant CA", P256);
    let leaf = between.leaf("device1");
    let path = path(&root.certificate, &[&leaf.der, &certificate.der]);
    let mut shelf = shelf(&[&root]);
    assert_eq!(
        receive(&mut shelf, "plant", vec![between.crl()]),
        Received::default()
    );
    let finding = check(&shelf, &path).unwrap_err();
    let issuer = "Root CA".to_owned();
    assert_eq!(finding, CrlFinding::Missing { issuer });
    receive(&mut shelf, "root", vec![root.crl()]);
    assert_eq!(
        check(&shelf, &path),
        Ok(()),
        "before the key of the CA in between is known"
    );

    let strangers: Vec<_> = shelf.snapshot().strangers(&path).cloned().collect();
    assert_eq!(strangers, [path.links[0].issuer.clone()]);
    let received = shelf.learn(strangers[0].clone(), now());
    assert_eq!(received.newer, strangers);
    assert_eq!(shelf.snapshot().strangers(&path).count(), 0);
    assert_eq!(check(&shelf, &path), Ok(()), "and after");

    root.revoke(&certificate);
    receive(&mut shelf, "root", vec![root.crl()]);
    let finding = check(&shelf, &path).unwrap_err();
    assert!(finding.is_definite());
    assert!(
        finding
            .to_string()
            .contains("the CA certificate 00:80:01 above it revoked"),
        "{finding}"
    );
    let snapshot = shelf.snapshot();
    assert_eq!(snapshot.check(&path, CrlScope::Leaf, now()), Ok(()));
    // What is certain comes before what is not.
    let later = now() + HOUR * 24 * 31;
    let finding = snapshot.check(&path, CrlScope::Chain, later).unwrap_err();
    assert_eq!(finding.code(), "crl_revoked");
    let finding = snapshot.check(&path, CrlScope::Leaf, later).unwrap_err();
    assert_eq!(finding.code(), "crl_expired");
}

#[test]
fn a_list_that_is_over_only_revokes() {
    let (ca, leaf, good) = plant();
    let other = ca.leaf("device2");
    ca.revoke(&other);
    let bad = path(&ca.certificate, &[&other.der]);
    let mut shelf = shelf(&[&ca]);
    receive(
        &mut shelf,
        "a",
        vec![ca.crl_between(now() - HOUR * 2, now() - HOUR)],
    );
    let finding = check(&shelf, &good).unwrap_err();
    assert!(!finding.is_definite());
    assert!(
        finding
            .to_string()
            .starts_with("the CRL of \"Plant CA\" expired on 20"),
        "{finding}"
    );
    assert_eq!(code(&shelf, &good), "crl_expired");
    assert_eq!(code(&shelf, &bad), "crl_revoked");
    drop(leaf);
}

#[test]
fn a_list_of_the_future_waits_for_its_time() {
    let (ca, _leaf, path) = plant();
    let mut shelf = shelf(&[&ca]);
    let (from, to) = (now() + HOUR, now() + HOUR * 9);
    let received = receive(&mut shelf, "a", vec![ca.crl_between(from, to)]);
    assert!(matches!(
        received.refused[..],
        [Refusal::NotYetValid { .. }]
    ));
    assert_eq!(code(&shelf, &path), "crl_not_yet_valid");
    let at = from - Duration::from_secs(4 * 60);
    assert_eq!(
        shelf.settle(at).newer.len(),
        1,
        "the clocks may differ by 5 minutes"
    );
    assert_eq!(shelf.snapshot().check(&path, CrlScope::Chain, at), Ok(()));
    assert_eq!(code(&shelf, &path), "crl_not_yet_valid");
    // One of the future must not push out one of now.
    let mut shelf = self::shelf(&[&ca]);
    receive(&mut shelf, "a", vec![ca.crl()]);
    receive(&mut shelf, "b", vec![ca.crl_between(from, to)]);
    assert_eq!(code(&shelf, &path), "ok");
}

#[test]
fn cas_of_one_name_have_their_own_lists() {
    let (one, leaf_one, path_one) = plant();
    let (two, _leaf_two, path_two) = plant();
    one.revoke(&leaf_one);
    let mut both = shelf(&[&one, &two]);
    let received = receive(&mut both, "a", vec![one.crl(), two.crl()]);
    assert_eq!(received.refused, []);
    assert_eq!(code(&both, &path_one), "crl_revoked");
    assert_eq!(code(&both, &path_two), "ok");

    // The serial number is the same; the CA is not.
    let mut only = shelf(&[&two]);
    let received = receive(&mut only, "a", vec![one.crl()]);
    assert!(matches!(received.refused[..], [Refusal::Signature { .. }]));
    let finding = check(&only, &path_two).unwrap_err();
    assert_eq!(
        (finding.code(), finding.is_definite()),
        ("crl_bad_signature", false)
    );
    receive(&mut only, "b", vec![two.crl()]);
    assert_eq!(code(&only, &path_two), "ok");
    assert_eq!(
        code(&only, &path_one),
        "crl_revoked",
        "the other's list still waits"
    );
}

#[test]
fn a_list_that_the_ca_has_not_signed_pushes_none_out() {
    let (ca, leaf, path) = plant();
    ca.revoke(&leaf);
    let mut shelf = shelf(&[&ca]);
    receive(
        &mut shelf,
        "a",
        vec![ca.crl_between(now() - HOUR, now() + HOUR)],
    );
    let mut forged = ca.crl();
    let last = forged.len() - 1;
    forged[last] ^= 1;
    for source in ["a", "b"] {
        let received = receive(&mut shelf, source, vec![forged.clone()]);
        assert!(matches!(received.refused[..], [Refusal::Signature { .. }]));
        assert_eq!(code(&shelf, &path), "crl_revoked");
    }
}

#[test]
fn an_older_list_is_refused() {
    let (ca, leaf, path) = plant();
    let (then, end) = (now() - HOUR, now() + HOUR);
    let old = ca.crl_between(then - HOUR, end);
    ca.revoke(&leaf);
    let new = ca.crl_between(then, end);
    let mut shelf = shelf(&[&ca]);
    receive(&mut shelf, "a", vec![old.clone()]);
    assert_eq!(receive(&mut shelf, "b", vec![new.clone()]).newer.len(), 1);
    let received = receive(&mut shelf, "a", vec![old]);
    let [refusal @ Refusal::RolledBack { .. }] = &received.refused[..] else {
        panic!("{received:?}");
    };
    assert!(
        refusal.to_string().contains("roll-back refused"),
        "{refusal}"
    );
    assert_eq!(code(&shelf, &path), "crl_revoked");
    // The same again is no news, and a source that gives nothing takes nothing away.
    assert_eq!(receive(&mut shelf, "a", vec![new]), Received::default());
    let revision = shelf.revision();
    assert_eq!(receive(&mut shelf, "a", vec![]), Received::default());
    assert_eq!(shelf.revision(), revision);
    assert_eq!(code(&shelf, &path), "crl_revoked");
}

#[test]
fn lists_of_one_second_are_told_apart_by_number_then_by_length() {
    let (ca, leaf, path) = plant();
    let (then, end) = (now() - HOUR, now() + HOUR);
    ca.set_number("02");
    let second = ca.crl_between(then, end);
    ca.set_number("0100");
    let higher = ca.crl_between(then, end);
    ca.revoke(&leaf);
    ca.set_number("02");
    let longer = ca.crl_between(then, end);

    let mut shelf = shelf(&[&ca]);
    receive(&mut shelf, "a", vec![second.clone()]);
    receive(&mut shelf, "a", vec![longer]);
    assert_eq!(
        code(&shelf, &path),
        "crl_revoked",
        "more revocations, same number"
    );
    assert_eq!(
        receive(&mut shelf, "a", vec![second.clone()]).refused.len(),
        1
    );
    assert_eq!(receive(&mut shelf, "a", vec![higher]).newer.len(), 1);
    assert_eq!(receive(&mut shelf, "a", vec![second]).refused.len(), 1);
    assert_eq!(code(&shelf, &path), "ok");
}

#[test]
fn a_ca_that_may_not_sign_crls_has_none() {
    let ca = Ca::root_with("Plant CA", P256, "no_crl_sign");
    let leaf = ca.leaf("device1");
    let path = path(&ca.certificate, &[&leaf.der]);
    let mut shelf = shelf(&[&ca]);
    receive(&mut shelf, "a", vec![ca.crl()]);
    let finding = check(&shelf, &path).unwrap_err();
    assert_eq!(finding.code(), "crl_bad_signature");
    assert!(finding.to_string().contains("key usage"), "{finding}");
}

#[test]
fn facts_tell_when_lists_end() {
    let (ca, leaf, _) = plant();
    ca.revoke(&leaf);
    let mut shelf = shelf(&[&ca]);
    receive(&mut shelf, "plant.crl", vec![ca.crl()]);
    let [fact] = &shelf.snapshot().facts()[..] else {
        panic!("not one list");
    };
    assert_eq!(
        (&*fact.issuer, &*fact.source, fact.revoked),
        ("Plant CA", "plant.crl", 1)
    );
    assert!(fact.next_update > now() + HOUR * 24 * 29);
}
