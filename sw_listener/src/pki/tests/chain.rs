//! What the certificates say, and what rustls thinks of them.

use super::*;

#[test]
fn a_client_chains_to_the_ca_and_is_no_server() {
    let site = Site::with_ca();
    site.run(&["client", "edge-1@site"]).unwrap();
    let name = "client-edge-1@site.crt";
    verify_client(&site, name, NOW).unwrap();
    verify_client(&site, name, NOW - 299).unwrap();
    verify_client(&site, name, NOW - 301).unwrap_err();
    verify_client(&site, name, NOW + 365 * DAY + 1).unwrap_err();
    verify_server(&site, name, "edge-1").unwrap_err();
}

#[test]
fn a_server_is_valid_for_each_name_and_is_no_client() {
    let site = Site::with_ca();
    site.run(&[
        "server",
        "tunnel.example",
        "*.wild.example",
        "10.0.0.1",
        "::1",
    ])
    .unwrap();
    for dialled in ["tunnel.example", "a.wild.example", "10.0.0.1", "::1"] {
        verify_server(&site, "server.crt", dialled).unwrap();
    }
    verify_server(&site, "server.crt", "other.example").unwrap_err();
    verify_client(&site, "server.crt", NOW).unwrap_err();
}

#[test]
fn a_client_of_another_ca_is_refused() {
    let (ours, theirs) = (Site::with_ca(), Site::with_ca());
    theirs.run(&["client", "a"]).unwrap();
    fs::copy(theirs.file("client-a.crt"), ours.file("client-a.crt")).unwrap();
    let error = verify_client(&ours, "client-a.crt", NOW).unwrap_err();
    assert!(matches!(
        error,
        rustls::Error::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature
        )
    ));
}

#[test]
fn keys_belong_to_their_certificates() {
    let site = Site::with_ca();
    site.run(&["server", "localhost"]).unwrap();
    site.run(&["client", "a"]).unwrap();
    for stem in ["ca", "server", "client-a"] {
        let text = site.text(&format!("{stem}.key"));
        assert!(text.starts_with("-----BEGIN PRIVATE KEY-----\n"), "PKCS#8");
        let key = PrivateKeyDer::from_pem_file(site.file(&format!("{stem}.key"))).unwrap();
        CertifiedKey::from_der(vec![site.der(&format!("{stem}.crt"))], key, &provider()).unwrap();
        assert_eq!(
            site.text(&format!("{stem}.crt")).matches("BEGIN").count(),
            1
        );
    }
}

#[test]
fn the_ca_has_the_extensions_of_one() {
    let site = Site::with_ca();
    let der = site.der("ca.crt");
    let (_, ca) = X509Certificate::from_der(&der).unwrap();
    let constraints = ca.basic_constraints().unwrap().unwrap();
    assert!(constraints.critical && constraints.value.ca);
    assert_eq!(constraints.value.path_len_constraint, Some(1));
    let usage = ca.key_usage().unwrap().unwrap();
    assert!(usage.critical);
    assert_eq!(
        usage.value.flags,
        1 << 5 | 1 << 6,
        "keyCertSign and cRLSign alone"
    );
    assert_eq!(ca.subject().to_string(), "CN=socket-warp CA");
    assert_eq!(ca.subject(), ca.issuer());
    assert_eq!(
        ca.validity().not_after.timestamp(),
        i64::try_from(NOW + 3650 * DAY).unwrap()
    );
}

#[test]
fn leaves_have_the_extensions_of_one() {
    use x509_parser::extensions::ParsedExtension;
    let site = Site::with_ca();
    site.run(&["client", "a"]).unwrap();
    let (ca_der, der) = (site.der("ca.crt"), site.der("client-a.crt"));
    let (_, ca) = X509Certificate::from_der(&ca_der).unwrap();
    let (_, leaf) = X509Certificate::from_der(&der).unwrap();
    let ski = ca.iter_extensions().find_map(|extension| {
        let ParsedExtension::SubjectKeyIdentifier(id) = extension.parsed_extension() else {
            return None;
        };
        Some(id.clone())
    });
    let aki = leaf.iter_extensions().find_map(|extension| {
        let ParsedExtension::AuthorityKeyIdentifier(id) = extension.parsed_extension() else {
            return None;
        };
        id.key_identifier.clone()
    });
    assert!(ski.is_some() && ski == aki);
    assert!(!leaf.is_ca());
    assert_eq!(
        leaf.key_usage().unwrap().unwrap().value.flags,
        1,
        "digitalSignature alone"
    );
    let usage = leaf.extended_key_usage().unwrap().unwrap().value;
    assert!(usage.client_auth && !usage.server_auth && !usage.any);
    assert_eq!(leaf.subject().to_string(), "CN=a");
    assert_eq!(leaf.raw_serial().len(), 16);
}

#[test]
fn leaves_do_not_outlive_the_ca() {
    let site = Site::new();
    site.run(&["init", "--days", "30"]).unwrap();
    let text = site
        .run_at(NOW + DAY, &["client", "a", "--days", "30"])
        .unwrap();
    assert!(text.contains("because the CA ends then"), "{text}");
    let der = site.der("client-a.crt");
    let (_, leaf) = X509Certificate::from_der(&der).unwrap();
    assert_eq!(
        leaf.validity().not_after.timestamp(),
        i64::try_from(NOW + 30 * DAY).unwrap()
    );
    let text = site
        .run_at(NOW + DAY, &["client", "b", "--days", "29"])
        .unwrap();
    assert!(!text.contains("because the CA ends then"), "{text}");
}
