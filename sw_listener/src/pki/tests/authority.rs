//! A CA that is missing, damaged, expired or made elsewhere.

use super::*;

#[test]
fn an_expired_ca_issues_nothing() {
    let site = Site::new();
    site.run(&["init", "--days", "1"]).unwrap();
    for when in [NOW + DAY, NOW - 301] {
        let error = site.run_at(when, &["client", "a"]).unwrap_err();
        assert!(
            matches!(error, PkiError::Ca(CaError::NotValid { .. })),
            "{error}"
        );
        assert!(!site.file("client-a.key").exists());
    }
}

#[test]
fn a_missing_ca_is_told_with_the_way_out() {
    let site = Site::new();
    let init = format!("sw_listener pki init --dir {}", site.dir().display());
    let error = site.run(&["client", "a"]).unwrap_err().to_string();
    assert!(
        error.contains("ca.crt is missing") && error.contains(&init),
        "{error}"
    );
    site.run(&["init"]).unwrap();
    fs::remove_file(site.file("ca.key")).unwrap();
    let error = site.run(&["client", "a"]).unwrap_err().to_string();
    assert!(
        error.contains("ca.key is missing") && error.contains(&init),
        "{error}"
    );
}

#[test]
fn a_ca_that_is_no_pair_issues_nothing() {
    let (site, other) = (Site::with_ca(), Site::with_ca());
    fs::copy(other.file("ca.key"), site.file("ca.key")).unwrap();
    let error = site.run(&["client", "a"]).unwrap_err().to_string();
    assert!(
        error.contains("is not the key of") && error.contains("pki init --dir"),
        "{error}"
    );
    assert!(!site.file("client-a.key").exists());
}

#[test]
fn damaged_ca_files_are_named() {
    let site = Site::with_ca();
    let (certificate, key) = (site.text("ca.crt"), site.text("ca.key"));
    fs::write(site.file("ca.key"), &key[..key.len() / 2]).unwrap();
    let error = chain(&site.run(&["client", "a"]).unwrap_err());
    assert!(error.contains("ca.key is not a usable"), "{error}");
    fs::write(site.file("ca.key"), key).unwrap();
    fs::write(site.file("ca.crt"), &certificate[..certificate.len() / 2]).unwrap();
    let error = chain(&site.run(&["client", "a"]).unwrap_err());
    assert!(
        error.contains("ca.crt is not a usable") && error.contains("PEM text is damaged"),
        "{error}"
    );
}

#[test]
fn a_leaf_is_no_ca() {
    let site = Site::with_ca();
    site.run(&["client", "a"]).unwrap();
    fs::copy(site.file("client-a.crt"), site.file("ca.crt")).unwrap();
    fs::copy(site.file("client-a.key"), site.file("ca.key")).unwrap();
    let error = site.run(&["client", "b"]).unwrap_err();
    assert!(
        matches!(error, PkiError::Ca(CaError::NotCa { .. })),
        "{error}"
    );
}

/// rcgen would issue from it, with an issuer that lacks one of the two units.
#[test]
fn a_ca_made_elsewhere_works_or_is_refused() {
    use rcgen::{CertificateParams, DnType, IsCa, KeyPair, KeyUsagePurpose};
    let site = Site::with_ca();
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
        .distinguished_name
        .push(DnType::OrganizationalUnitName, "aaaa");
    params
        .distinguished_name
        .push(DnType::CustomDnType(vec![2, 5, 4, 12]), "bbbb");
    let der = params.self_signed(&key).unwrap().der().to_vec();
    fs::write(site.file("ca.key"), key.serialize_pem()).unwrap();
    fs::write(site.file("ca.crt"), pem(&der)).unwrap();
    site.run(&["client", "good"]).unwrap();
    verify_client(&site, "client-good.crt", NOW).unwrap();
    // The second attribute (title) becomes a second unit: the types differ in their last byte.
    let twice: Vec<u8> = replace(&der, &[0x55, 0x04, 0x0c], &[0x55, 0x04, 0x0b]);
    fs::write(site.file("ca.crt"), pem(&twice)).unwrap();
    let error = site.run(&["client", "bad"]).unwrap_err();
    assert!(
        matches!(error, PkiError::Ca(CaError::Subject { .. })),
        "{error}"
    );
}

fn replace(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    while let Some(start) = bytes.windows(from.len()).position(|window| window == from) {
        bytes[start..start + from.len()].copy_from_slice(to);
    }
    bytes
}

fn pem(der: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let encode = |chunk: &[u8]| {
        let bits = chunk
            .iter()
            .fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte))
            << (8 * (3 - chunk.len()));
        let digit = |n: usize| match n <= chunk.len() {
            true => char::from(DIGITS[(bits >> (18 - 6 * n)) as usize & 63]),
            false => '=',
        };
        (0..4).map(digit).collect::<String>()
    };
    let lines: Vec<String> = der
        .chunks(48)
        .map(|line| line.chunks(3).map(encode).collect())
        .collect();
    format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        lines.join("\n")
    )
}
