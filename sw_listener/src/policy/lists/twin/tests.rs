use std::{fs, path::Path, process::Command, sync::Arc, time::SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384,
    PKCS_ECDSA_P521_SHA512, PKCS_ED25519, PKCS_RSA_SHA256, SignatureAlgorithm,
};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

use super::*;
use crate::{
    config::ListsConfig,
    identity::{self, UidSource},
    policy::{
        chain,
        lists::{ListFiles, ListFinding, Lists, decide},
    },
};

/// A CA and a leaf that it has signed.
type Pair = (CertificateDer<'static>, CertificateDer<'static>);

fn rcgen(kind: &'static SignatureAlgorithm) -> Pair {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate_for(kind).unwrap()).unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, "plant-7");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    // The curve of the leaf's own key does not matter.
    let leaf = params
        .signed_by(&KeyPair::generate().unwrap(), &ca)
        .unwrap();
    (ca.der().clone(), leaf.der().clone())
}

fn openssl(curve: &str, digest: &str) -> Pair {
    let folder = tempfile::tempdir().unwrap();
    let run = |line: &str| run(folder.path(), line);
    fs::write(
        folder.path().join("leaf.cnf"),
        "extendedKeyUsage=clientAuth",
    )
    .unwrap();
    run(&format!(
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:{curve} -nodes -subj /CN=ca -keyout ca.key -out ca.crt"
    ));
    run(
        "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=plant-7 -keyout leaf.key -out leaf.csr",
    );
    run(&format!(
        "x509 -req -in leaf.csr -CA ca.crt -CAkey ca.key -{digest} -extfile leaf.cnf -out leaf.crt"
    ));
    let read = |name| CertificateDer::from_pem_file(folder.path().join(name)).unwrap();
    (read("ca.crt"), read("leaf.crt"))
}

fn run(folder: &Path, line: &str) {
    let output = Command::new("openssl")
        .args(line.split(' '))
        .current_dir(folder)
        .output()
        .expect("openssl is installed");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "openssl {line}: {said}");
}

fn passes(ca: &CertificateDer<'static>, leaf: &CertificateDer<'_>) -> bool {
    let mut roots = RootCertStore::empty();
    roots.add(ca.clone()).unwrap();
    let supported = rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms;
    chain::verify(
        &supported,
        &roots,
        std::slice::from_ref(leaf),
        SystemTime::now(),
    )
    .is_ok()
}

/// The lists that allow or deny this certificate by its fingerprint.
fn naming(leaf: &[u8]) -> [Arc<Lists>; 2] {
    let fingerprint = identity::read(leaf, UidSource::CommonName)
        .unwrap()
        .fingerprint;
    let entry = vec![format!("sha256:{fingerprint}").parse().unwrap()];
    let allow = ListsConfig {
        allow: entry.clone(),
        ..ListsConfig::default()
    };
    let deny = ListsConfig {
        deny: entry,
        ..ListsConfig::default()
    };
    [allow, deny].map(|config| ListFiles::open(config).unwrap().1)
}

fn judge(lists: &Lists, leaf: &[u8]) -> Result<(), ListFinding> {
    let identity = identity::read(leaf, UidSource::CommonName).unwrap();
    decide(lists, &identity, leaf)
}

/// Denied by fingerprint, the holder flipped s, and came in.
#[test]
fn the_twin_of_a_denied_certificate_is_denied() {
    let pairs = [
        rcgen(&PKCS_ECDSA_P256_SHA256),
        rcgen(&PKCS_ECDSA_P384_SHA384),
        rcgen(&PKCS_ECDSA_P521_SHA512),
        openssl("P-256", "sha256"),
        openssl("P-256", "sha384"),
        openssl("P-384", "sha384"),
        openssl("P-384", "sha512"),
    ];
    for (ca, leaf) in pairs {
        assert!(passes(&ca, &leaf));
        let twins: Vec<_> = twins(&leaf).into_iter().map(CertificateDer::from).collect();
        let valid: Vec<_> = twins.iter().filter(|twin| passes(&ca, twin)).collect();
        let [twin] = valid[..] else {
            panic!("{} valid twins", valid.len())
        };
        assert_ne!(twin, &leaf);
        for (listed, other) in [(&leaf, twin), (twin, &leaf)] {
            let [allow, deny] = naming(listed);
            assert!(judge(&deny, listed).is_err() && judge(&deny, other).is_err());
            assert_eq!(judge(&allow, listed), Ok(()));
            assert_eq!(judge(&allow, other), Err(ListFinding::NotAllowed));
        }
    }
}

#[test]
fn a_twin_of_a_twin_is_the_certificate_itself() {
    // Of several signatures some have an s with leading zeros, or with a high first bit.
    for _ in 0..64 {
        let (_, leaf) = rcgen(&PKCS_ECDSA_P256_SHA256);
        let back: Vec<_> = twins(&leaf).iter().flat_map(|twin| twins(twin)).collect();
        assert!(back.iter().any(|twin| *twin == *leaf));
    }
}

#[test]
fn other_signatures_have_no_twin() {
    for kind in [&PKCS_ED25519, &PKCS_RSA_SHA256] {
        assert!(twins(&rcgen(kind).1).is_empty());
    }
}

#[test]
fn damage_is_no_panic() {
    let (_, leaf) = rcgen(&PKCS_ECDSA_P256_SHA256);
    for end in 0..leaf.len() {
        assert!(twins(&leaf[..end]).is_empty());
    }
    for at in leaf.len() - 90..leaf.len() {
        for value in [0, 1, 0x7f, 0x80, 0xff] {
            let mut damaged = leaf.to_vec();
            damaged[at] = value;
            let _ = twins(&damaged);
        }
    }
}

#[test]
fn differences() {
    assert_eq!(minus(&[1, 0, 0], &[1]), Some(vec![0, 0xff, 0xff]));
    assert_eq!(minus(&[2, 0], &[1, 0xff]), Some(vec![0, 1]));
    for (order, number) in [
        (&[2, 0][..], &[2, 0][..]),
        (&[2], &[3]),
        (&[2], &[1, 0]),
        (&[2], &[]),
    ] {
        assert_eq!(minus(order, number), None);
    }
    assert_eq!(positive(vec![0, 0x80]), [0, 0x80]);
    assert_eq!(positive(vec![0, 0, 0x7f]), [0x7f]);
}
