//! CAs below the root.

use super::*;

fn site() -> Site {
    let site = Site::with_ca();
    site.run(&["intermediate", "plant"]).unwrap();
    site
}

#[test]
fn what_it_issues_comes_with_its_certificate_and_chains_to_the_root() {
    let site = site();
    site.run(&["server", "localhost", "--issuer", "plant"])
        .unwrap();
    site.run(&["client", "a", "--issuer", "ca-plant"]).unwrap();
    site.run(&["crl"]).unwrap();
    for name in ["server.crt", "client-a.crt"] {
        let text = site.text(name);
        assert_eq!(text.matches("BEGIN CERTIFICATE").count(), 2, "{name}");
        assert!(text.ends_with(&site.text("ca-plant.crt")), "{name}");
        let (good, said) = site.openssl_verify(name, 0);
        assert!(good, "{said}");
    }
    let (good, said) = openssl(
        &site.dir(),
        &["verify", "-CAfile", "ca.crt", "client-a.crt"],
    );
    assert!(!good, "without the one in between: {said}");
}

#[test]
fn it_may_issue_to_leaves_alone() {
    let site = site();
    let der = site.der("ca-plant.crt");
    let (_, ca) = X509Certificate::from_der(&der).unwrap();
    let constraints = ca.basic_constraints().unwrap().unwrap();
    assert!(constraints.critical && constraints.value.ca);
    assert_eq!(constraints.value.path_len_constraint, Some(0));
    assert_eq!(mode(&site.file("ca-plant.key")), 0o600);
}

#[test]
fn the_key_of_the_root_can_be_elsewhere() {
    let site = site();
    site.run(&["crl"]).unwrap();
    let key = site.text("ca.key");
    fs::remove_file(site.file("ca.key")).unwrap();
    site.run(&["client", "a", "--issuer", "plant"]).unwrap();
    site.run(&["revoke", "a"]).unwrap();
    let text = site.run(&["crl"]).unwrap();
    assert!(
        text.contains("the key of") && text.contains("kept the list"),
        "{text}"
    );
    let (good, said) = site.openssl_verify("client-a.crt", 0);
    assert!(!good && said.contains("certificate revoked"), "{said}");
    let error = site.run(&["revoke", "plant"]).unwrap_err().to_string();
    assert!(error.contains("ca.key is missing"), "{error}");
    assert!(!site.text("revoked.tsv").contains("plant\n"), "half done");
    fs::write(site.file("ca.key"), key).unwrap();
    site.run(&["revoke", "plant"]).unwrap();
}

#[test]
fn a_revoked_one_stands_on_the_list_of_the_root_and_issues_nothing() {
    let site = site();
    site.run(&["client", "a", "--issuer", "plant"]).unwrap();
    let text = site
        .run(&["revoke", "plant", "--reason", "cACompromise"])
        .unwrap();
    assert!(text.contains("revoked (cACompromise)"), "{text}");
    let (_, said) = openssl(&site.dir(), &["crl", "-noout", "-text", "-in", "ca.crl"]);
    assert!(
        said.contains(&site.serial("ca-plant.crt")) && said.contains("CA Compromise"),
        "{said}"
    );
    let (good, said) = site.openssl_verify("client-a.crt", 0);
    assert!(!good && said.contains("certificate revoked"), "{said}");
    let error = site.run(&["client", "b", "--issuer", "plant"]).unwrap_err();
    assert!(
        matches!(error, PkiError::Ca(CaError::Revoked { .. })),
        "{error}"
    );
    site.run(&["client", "b"]).unwrap();
    site.run(&["revoke", "a"]).unwrap();
}

#[test]
fn once_there_are_lists_a_new_ca_has_one_at_once() {
    let site = Site::with_ca();
    site.run(&["crl"]).unwrap();
    site.run(&["intermediate", "plant"]).unwrap();
    site.run(&["client", "a", "--issuer", "plant"]).unwrap();
    let (good, said) = site.openssl_verify("client-a.crt", 0);
    assert!(good, "{said}");
}

#[test]
fn names_are_taken_once() {
    let site = site();
    let error = site.run(&["intermediate", "plant"]).unwrap_err();
    assert!(
        matches!(error, PkiError::Store(StoreError::CaExists { .. })),
        "{error}"
    );
    let error = site
        .run(&["intermediate", "other", "--name", "plant"])
        .unwrap_err();
    assert!(
        matches!(error, PkiError::Ca(CaError::NameTaken { .. })),
        "{error}"
    );
    let error = site
        .run(&["client", "a", "--issuer", "nowhere"])
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("ca-nowhere.crt is missing")
            && error.contains("pki intermediate nowhere --dir"),
        "{error}"
    );
}
