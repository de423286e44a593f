//! What is taken back, the lists that say so, and what the real openssl thinks of those.

use super::*;

#[test]
fn a_revoked_leaf_is_refused_and_the_others_are_not() {
    let site = Site::with_ca();
    for uid in ["a", "b"] {
        site.run(&["client", uid]).unwrap();
    }
    let text = site
        .run(&["revoke", "a", "--reason", "keyCompromise"])
        .unwrap();
    assert!(
        text.contains("client a, serial") && text.contains("revoked (keyCompromise)"),
        "{text}"
    );
    let (good, said) = site.openssl_verify("client-a.crt", 0);
    assert!(!good && said.contains("certificate revoked"), "{said}");
    let (good, said) = site.openssl_verify("client-b.crt", 0);
    assert!(good, "{said}");
    let (_, said) = openssl(&site.dir(), &["crl", "-noout", "-text", "-in", "ca.crl"]);
    assert!(
        said.contains(&site.serial("client-a.crt")) && said.contains("Key Compromise"),
        "{said}"
    );
    let (good, said) = openssl(
        &site.dir(),
        &[
            "crl", "-noout", "-verify", "-CAfile", "ca.crt", "-in", "ca.crl",
        ],
    );
    assert!(good && said.contains("verify OK"), "{said}");
    assert!(site.run(&["list"]).unwrap().contains("(revoked)"));
}

#[test]
fn revoking_again_says_so_and_keeps_the_date() {
    let site = Site::with_ca();
    site.run(&["client", "a"]).unwrap();
    site.run(&["revoke", "a"]).unwrap();
    let before = site.text("revoked.tsv");
    let text = site
        .run_at(NOW + DAY, &["revoke", "a", "--reason", "superseded"])
        .unwrap();
    assert!(
        text.contains("already revoked since 2026-11-20T13:00:00Z"),
        "{text}"
    );
    assert_eq!(site.text("revoked.tsv"), before);
}

#[test]
fn a_hold_can_end_or_become_final() {
    let site = Site::with_ca();
    site.run(&["client", "a"]).unwrap();
    site.run(&["revoke", "a", "--reason", "certificateHold"])
        .unwrap();
    assert!(!site.openssl_verify("client-a.crt", 0).0);
    site.run(&["revoke", "a", "--reason", "removeFromCRL"])
        .unwrap();
    assert!(site.openssl_verify("client-a.crt", 0).0);
    let error = site
        .run(&["revoke", "a", "--reason", "removeFromCRL"])
        .unwrap_err();
    assert!(error.to_string().contains("not on hold"), "{error}");
    site.run(&["revoke", "a", "--reason", "certificateHold"])
        .unwrap();
    site.run(&["revoke", "a", "--reason", "keyCompromise"])
        .unwrap();
    let error = site
        .run(&["revoke", "a", "--reason", "removeFromCRL"])
        .unwrap_err();
    assert!(
        error.to_string().contains("revoked for keyCompromise"),
        "{error}"
    );
}

#[test]
fn a_name_takes_back_what_was_replaced_too_and_a_number_or_a_file_only_that_one() {
    let site = Site::with_ca();
    site.run(&["client", "a"]).unwrap();
    let first = site.serial("client-a.crt");
    site.run(&["client", "a", "--force"]).unwrap();
    let second = site.serial("client-a.crt");
    let count = || site.text("revoked.tsv").lines().count() - 1;
    site.run(&["revoke", &first]).unwrap();
    assert_eq!(count(), 1);
    assert!(site.openssl_verify("client-a.crt", 0).0);
    site.run(&["revoke", "a"]).unwrap();
    assert_eq!(count(), 2);
    assert!(site.text("revoked.tsv").contains(&second.to_lowercase()));
    site.run(&["client", "b"]).unwrap();
    let file = site.file("client-b.crt");
    site.run(&["revoke", file.to_str().unwrap()]).unwrap();
    assert_eq!(count(), 3);
}

#[test]
fn what_is_not_ours_is_told_with_the_way_out() {
    let (site, other) = (Site::with_ca(), Site::with_ca());
    site.run(&["client", "device-1"]).unwrap();
    other.run(&["client", "device-1"]).unwrap();
    let error = site.run(&["revoke", "devise-1"]).unwrap_err().to_string();
    assert!(
        error.contains("did you mean device-1?") && error.contains("pki list"),
        "{error}"
    );
    let file = other.file("client-device-1.crt");
    let error = site.run(&["revoke", file.to_str().unwrap()]).unwrap_err();
    assert!(
        matches!(error, PkiError::Revoke(RevokeError::Foreign { .. })),
        "the names of the CAs are the same: {error}"
    );
    for word in ["ca", site.file("ca.crt").to_str().unwrap()] {
        let error = site.run(&["revoke", word]).unwrap_err();
        assert!(
            matches!(error, PkiError::Revoke(RevokeError::Root { .. })),
            "{error}"
        );
    }
    assert!(!site.file("revoked.tsv").exists());
}

#[test]
fn a_damaged_table_forgets_nobody() {
    let site = Site::with_ca();
    site.run(&["client", "a"]).unwrap();
    site.run(&["revoke", "a"]).unwrap();
    let list = site.text("ca.crl");
    let table = site.text("revoked.tsv").replace("\tca\t", "\t\t");
    fs::write(site.file("revoked.tsv"), table).unwrap();
    for words in [&["crl"][..], &["revoke", "a"]] {
        let error = site.run(words).unwrap_err().to_string();
        assert!(error.contains("revoked.tsv, line 2"), "{error}");
    }
    assert_eq!(site.text("ca.crl"), list);
}

/// The number and the end of `ca.crl`, as openssl reads them.
fn number_and_end(site: &Site) -> (u64, String) {
    let words = [
        "crl",
        "-noout",
        "-crlnumber",
        "-nextupdate",
        "-in",
        "ca.crl",
    ];
    let (_, said) = openssl(&site.dir(), &words);
    let value = |name| {
        said.lines()
            .find_map(|line: &str| line.strip_prefix(name))
            .unwrap()
    };
    let number = value("crlNumber=0x");
    (
        u64::from_str_radix(number, 16).unwrap(),
        value("nextUpdate=").to_owned(),
    )
}

#[test]
fn numbers_increase_and_the_time_of_a_list_stays_as_chosen() {
    let site = Site::with_ca();
    let text = site.run(&["crl"]).unwrap();
    assert!(
        text.contains("crl_paths") && text.contains("17 3 * * *  sw_listener pki crl --dir /"),
        "{text}"
    );
    let (first, end) = number_and_end(&site);
    assert_eq!(end, "Nov 27 13:00:00 2026 GMT");
    site.run(&["crl", "--days", "30"]).unwrap();
    let (second, end) = number_and_end(&site);
    assert!(second > first);
    assert_eq!(end, "Dec 20 13:00:00 2026 GMT");
    site.run(&["client", "a"]).unwrap();
    site.run_at(NOW + 100, &["revoke", "a"]).unwrap();
    let (third, end) = number_and_end(&site);
    assert!(third > second);
    assert_eq!(
        end, "Dec 20 13:01:40 2026 GMT",
        "a revocation must not shorten it"
    );
    fs::remove_file(site.file("ca.crl")).unwrap();
    site.run_at(NOW + 200, &["crl"]).unwrap();
    assert!(number_and_end(&site).0 > third);
}

#[test]
fn der_is_written_on_demand_and_then_kept_up_to_date() {
    let site = Site::with_ca();
    site.run(&["crl"]).unwrap();
    assert!(!site.file("ca.der.crl").exists());
    site.run(&["crl", "--der"]).unwrap();
    site.run(&["client", "a"]).unwrap();
    site.run(&["revoke", "a"]).unwrap();
    let words = [
        "crl",
        "-inform",
        "DER",
        "-noout",
        "-text",
        "-in",
        "ca.der.crl",
    ];
    let (good, said) = openssl(&site.dir(), &words);
    assert!(
        good && said.contains(&site.serial("client-a.crt")),
        "{said}"
    );
}

#[test]
fn revocations_at_once_are_all_kept() {
    let site = Site::with_ca();
    let uids: Vec<String> = (0..8).map(|n| format!("device-{n}")).collect();
    for uid in &uids {
        site.run(&["client", uid]).unwrap();
    }
    std::thread::scope(|scope| {
        for uid in &uids {
            scope.spawn(|| site.run(&["revoke", uid]).unwrap());
        }
    });
    let (_, said) = openssl(&site.dir(), &["crl", "-noout", "-text", "-in", "crl.pem"]);
    assert_eq!(said.matches("Serial Number:").count(), 8, "{said}");
}

/// A CA whose key identifier is not made as ours are: openssl finds its list by that.
#[test]
fn lists_name_the_key_as_the_ca_does() {
    let site = Site::with_ca();
    let subject = [
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
    ];
    let more = [
        "-subj",
        "/CN=other",
        "-days",
        "30",
        "-keyout",
        "ca.key",
        "-out",
        "ca.crt",
    ];
    let usage = ["-addext", "keyUsage=critical,keyCertSign,cRLSign"];
    let (good, said) = openssl(&site.dir(), &[&subject[..], &more, &usage].concat());
    assert!(good, "{said}");
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    site.run_at(now, &["client", "a"]).unwrap();
    site.run_at(now, &["crl"]).unwrap();
    let words = [
        "verify",
        "-CAfile",
        "ca.crt",
        "-crl_check_all",
        "-CRLfile",
        "crl.pem",
        "client-a.crt",
    ];
    let (good, said) = openssl(&site.dir(), &words);
    assert!(good, "{said}");
}
