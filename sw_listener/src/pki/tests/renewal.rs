//! New certificates under old names.

use super::*;

#[test]
fn names_stay_and_the_key_is_new_unless_it_is_kept() {
    let site = Site::with_ca();
    site.run(&["intermediate", "plant"]).unwrap();
    let names = [
        "server",
        "tunnel.example",
        "10.0.0.1",
        "--issuer",
        "plant",
        "--days",
        "30",
    ];
    site.run(&names).unwrap();
    let before = (site.text("server.crt"), site.text("server.key"));
    let text = site
        .run_at(NOW + DAY, &["renew", "tunnel.example"])
        .unwrap();
    assert!(
        text.contains("valid until 2026-12-21T13:00:00Z"),
        "as long as before: {text}"
    );
    assert_ne!(site.text("server.crt"), before.0);
    assert_ne!(site.text("server.key"), before.1);
    assert_eq!(site.text("server.crt").matches("BEGIN").count(), 2);
    assert_eq!(
        (site.text("server.crt.old"), site.text("server.key.old")),
        before
    );
    assert_eq!(mode(&site.file("server.key")), 0o600);
    assert_eq!(mode(&site.file("server.key.old")), 0o600);
    let der = site.der("server.crt");
    let (_, leaf) = X509Certificate::from_der(&der).unwrap();
    let names = leaf.subject_alternative_name().unwrap().unwrap();
    assert_eq!(names.value.general_names.len(), 2);
    let key = site.text("server.key");
    site.run(&["renew", "server", "--keep-key", "--days", "90"])
        .unwrap();
    assert_eq!(site.text("server.key"), key);
    let key = PrivateKeyDer::from_pem_file(site.file("server.key")).unwrap();
    CertifiedKey::from_der(vec![site.der("server.crt")], key, &provider()).unwrap();
}

#[test]
fn the_one_before_can_be_taken_back_with_it() {
    let site = Site::with_ca();
    site.run(&["client", "a"]).unwrap();
    let serial = site.serial("client-a.crt");
    fs::copy(site.file("client-a.crt"), site.file("copy.pem")).unwrap();
    site.run(&["renew", "a", "--revoke-old"]).unwrap();
    assert!(!site.file("client-a.crt.old").exists() && !site.file("client-a.key.old").exists());
    let (_, said) = openssl(&site.dir(), &["crl", "-noout", "-text", "-in", "ca.crl"]);
    assert!(
        said.contains(&serial) && said.contains("Superseded"),
        "{said}"
    );
    assert!(site.openssl_verify("client-a.crt", 0).0);
    assert!(!site.openssl_verify("copy.pem", 0).0);
}

#[test]
fn a_compromised_key_is_not_kept() {
    let site = Site::with_ca();
    site.run(&["client", "a"]).unwrap();
    site.run(&["revoke", "a", "--reason", "keyCompromise"])
        .unwrap();
    let error = site.run(&["renew", "a", "--keep-key"]).unwrap_err();
    assert!(
        matches!(error, PkiError::Renew(RenewError::Compromised { .. })),
        "{error}"
    );
    site.run(&["renew", "a"]).unwrap();
    assert!(site.openssl_verify("client-a.crt", 0).0);
}

#[test]
fn what_cannot_be_made_again_is_told_and_stays() {
    let site = Site::with_ca();
    site.run(&["client", "device-1"]).unwrap();
    let error = site.run(&["renew", "device1"]).unwrap_err().to_string();
    assert!(error.contains("did you mean device-1?"), "{error}");
    let error = site.run(&["renew", "ca"]).unwrap_err();
    assert!(
        matches!(error, PkiError::Renew(RenewError::Ca { .. })),
        "{error}"
    );
    let request = [
        "req",
        "-new",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
    ];
    let subject = [
        "-subj",
        "/O=plant/CN=x",
        "-keyout",
        "x.key",
        "-out",
        "x.csr",
    ];
    assert!(openssl(&site.dir(), &[&request[..], &subject].concat()).0);
    fs::write(site.file("ext"), "extendedKeyUsage=clientAuth\n").unwrap();
    let sign = [
        "x509", "-req", "-in", "x.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-out", "x.crt",
    ];
    let (good, said) = openssl(
        &site.dir(),
        &[&sign[..], &["-days", "9", "-extfile", "ext"]].concat(),
    );
    assert!(good, "{said}");
    let before = site.text("x.crt");
    let error = site.run(&["renew", "x"]).unwrap_err().to_string();
    assert!(
        error.contains("a subject (O=plant, CN=x)") && error.contains("--force"),
        "{error}"
    );
    assert_eq!(site.text("x.crt"), before);
}

/// Every moment at which a crash can come once the change was committed.
#[test]
fn an_interrupted_renewal_is_finished_by_the_next_command() {
    let made = Site::with_ca();
    made.run(&["client", "a"]).unwrap();
    let old = (made.text("client-a.crt"), made.text("client-a.key"));
    made.run(&["renew", "a"]).unwrap();
    let new = (made.text("client-a.crt"), made.text("client-a.key"));
    for key_is_in_place in [false, true] {
        let put = |name: &str, text: &str| fs::write(made.file(name), text).unwrap();
        put("client-a.crt", &old.0);
        put(".client-a.crt.new", &new.0);
        if key_is_in_place {
            put("client-a.key", &new.1);
        } else {
            put("client-a.key", &old.1);
            put(".client-a.key.new", &new.1);
        }
        let text = made.run(&["crl"]).unwrap();
        assert!(text.contains("finished the renewal of client-a"), "{text}");
        assert_eq!((made.text("client-a.crt"), made.text("client-a.key")), new);
        assert_eq!(
            (made.text("client-a.crt.old"), made.text("client-a.key.old")),
            old
        );
        assert!(!made.names().iter().any(|name| name.ends_with(".new")));
    }
}

#[test]
fn a_renewal_that_was_never_committed_leaves_nothing() {
    let site = Site::with_ca();
    site.run(&["client", "a"]).unwrap();
    let before = (site.text("client-a.crt"), site.text("client-a.key"));
    fs::write(site.file(".client-a.key.new"), "half").unwrap();
    site.run(&["crl"]).unwrap();
    assert_eq!(
        (site.text("client-a.crt"), site.text("client-a.key")),
        before
    );
    assert!(!site.file(".client-a.key.new").exists());
}
