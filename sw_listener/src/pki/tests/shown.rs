//! What `show` and `fingerprint` say, and that openssl says the same.

use serde_json::Value;

use super::*;

fn json(site: &Site, name: &str) -> Value {
    let path = site.file(name);
    let text = site
        .run(&["show", "--json", path.to_str().unwrap()])
        .unwrap();
    serde_json::from_str(&text).unwrap()
}

fn shown(site: &Site, name: &str) -> String {
    site.run(&["show", site.file(name).to_str().unwrap()])
        .unwrap()
}

/// The pin as everybody computes it: openssl's public key, its digest, base64.
fn openssl_pin(site: &Site, name: &str) -> String {
    let script = format!(
        "openssl x509 -in {name} -noout -pubkey | openssl pkey -pubin -outform DER | openssl dgst -sha256 -binary | openssl base64"
    );
    let output = Process::new("sh")
        .args(["-c", &script])
        .current_dir(site.dir())
        .output()
        .unwrap();
    format!(
        "sha256/{}",
        String::from_utf8(output.stdout).unwrap().trim()
    )
}

#[test]
fn openssl_agrees_about_certificates() {
    let site = Site::with_ca();
    site.run(&["server", "tunnel.example", "10.0.0.1"]).unwrap();
    let part = &json(&site, "server.crt")["parts"][0];
    let words = [
        "x509",
        "-in",
        "server.crt",
        "-noout",
        "-fingerprint",
        "-sha256",
    ];
    let (_, said) = openssl(&site.dir(), &words);
    let sha256 = said
        .trim()
        .rsplit_once('=')
        .unwrap()
        .1
        .replace(':', "")
        .to_lowercase();
    assert_eq!(part["sha256"], format!("sha256:{sha256}"));
    assert_eq!(part["serial"], site.serial("server.crt").to_lowercase());
    assert_eq!(part["spki_pin"], openssl_pin(&site, "server.crt"));
    assert_eq!(
        part["names"],
        serde_json::json!(["tunnel.example", "10.0.0.1"])
    );
    assert_eq!(
        part["extended_key_usage"],
        serde_json::json!(["serverAuth"])
    );
    assert_eq!(
        (&part["days_left"], &part["validity"]),
        (&365.into(), &"valid".into())
    );
    assert_eq!(part["key"], "ECDSA P-256");
    let path = site.file("server.crt");
    let lines = site.run(&["fingerprint", path.to_str().unwrap()]).unwrap();
    let expected = format!("sha256:{sha256}\n{}", openssl_pin(&site, "server.crt"));
    assert_eq!(lines, expected);
}

#[test]
fn both_rules_for_the_uid_are_told_and_whether_the_key_belongs_to_it() {
    let site = Site::with_ca();
    site.run(&["client", "device-1"]).unwrap();
    site.run(&["client", "device-2"]).unwrap();
    let text = shown(&site, "client-device-1.crt");
    assert!(text.contains("UID by cn     device-1"), "{text}");
    assert!(
        text.contains("UID by uid    none: the certificate's subject has 0 UID attributes"),
        "{text}"
    );
    assert!(
        text.contains("365 days left") && text.contains("client-device-1.key match"),
        "{text}"
    );
    fs::copy(
        site.file("client-device-2.key"),
        site.file("client-device-1.key"),
    )
    .unwrap();
    assert!(shown(&site, "client-device-1.crt").contains("do NOT match"));
    assert_eq!(json(&site, "client-device-1.key")["pair"]["matches"], false);
    assert_eq!(json(&site, "client-device-2.key")["pair"]["matches"], true);
}

#[test]
fn the_secret_of_a_key_is_not_shown() {
    let site = Site::with_ca();
    let secret = site.text("ca.key");
    let secret: Vec<&str> = secret
        .lines()
        .filter(|line| !line.starts_with('-'))
        .collect();
    for text in [shown(&site, "ca.key"), json(&site, "ca.key").to_string()] {
        assert!(secret.iter().all(|line| !text.contains(line)), "{text}");
        assert!(
            text.contains("ECDSA P-256") && text.contains(&openssl_pin(&site, "ca.crt")),
            "{text}"
        );
    }
    fs::set_permissions(site.file("ca.key"), fs::Permissions::from_mode(0o640)).unwrap();
    assert!(shown(&site, "ca.key").contains("chmod 600"));
}

#[test]
fn chains_and_lists_are_told_part_by_part() {
    let site = Site::with_ca();
    site.run(&["intermediate", "plant"]).unwrap();
    site.run(&["client", "a", "--issuer", "plant"]).unwrap();
    site.run(&["revoke", "a", "--reason", "superseded"])
        .unwrap();
    let text = shown(&site, "client-a.crt");
    assert!(
        text.contains("certificate (1 of 2)") && text.contains("CN=plant (the next certificate)"),
        "{text}"
    );
    let lists = json(&site, "crl.pem");
    assert_eq!(lists["parts"].as_array().unwrap().len(), 2);
    let plant = &lists["parts"][1];
    assert_eq!(plant["issuer"], "CN=plant");
    assert_eq!(plant["entries"][0]["reason"], "superseded");
    assert_eq!(
        plant["entries"][0]["serial"],
        site.serial("client-a.crt").to_lowercase()
    );
    assert_eq!(plant["next_update"], "2026-11-27T13:00:00Z");
    let path = site.file("crl.pem");
    let late = site
        .run_at(NOW + 8 * DAY, &["show", path.to_str().unwrap()])
        .unwrap();
    assert!(late.contains("ENDED"), "{late}");
    let error = site
        .run(&["fingerprint", path.to_str().unwrap()])
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("holds no certificate, but a revocation list"),
        "{error}"
    );
}

#[test]
fn requests_and_keys_of_openssl_are_told() {
    let site = Site::with_ca();
    let key = [
        "req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", "x.key", "-out", "x.csr",
    ];
    let names = ["-subj", "/CN=x", "-addext", "subjectAltName=DNS:x.example"];
    assert!(openssl(&site.dir(), &[&key[..], &names].concat()).0);
    let part = &json(&site, "x.csr")["parts"][0];
    assert_eq!(
        (&part["key"], &part["signature_good"]),
        (&"RSA 2048".into(), &true.into())
    );
    assert_eq!(part["names"], serde_json::json!(["x.example"]));
    assert_eq!(
        json(&site, "x.key")["parts"][0]["spki_pin"],
        part["spki_pin"]
    );
    let words = [
        "pkey",
        "-in",
        "x.key",
        "-aes256",
        "-passout",
        "pass:secret",
        "-out",
        "locked.key",
    ];
    assert!(openssl(&site.dir(), &words).0);
    assert!(shown(&site, "locked.key").contains("encrypted private key"));
}

/// A subject made to repaint the terminal, once with ESC, once with the one-character CSI, once with a reversal of text.
#[test]
fn foreign_text_does_not_drive_the_terminal() {
    use rcgen::{CertificateParams, DnType, KeyPair};
    let site = Site::with_ca();
    let mut params = CertificateParams::default();
    let hostile = "x\u{1b}[2J\u{9b}31m\u{202e}y";
    params
        .distinguished_name
        .push(DnType::OrganizationName, hostile);
    params.distinguished_name.push(DnType::CommonName, hostile);
    let pem = params
        .self_signed(&KeyPair::generate().unwrap())
        .unwrap()
        .pem();
    fs::write(site.file("hostile.crt"), pem).unwrap();
    let path = site.file("hostile.crt");
    for words in [
        &["show", path.to_str().unwrap()][..],
        &["show", "--json", path.to_str().unwrap()],
    ] {
        let text = site.run(words).unwrap();
        assert!(!text.contains(['\u{1b}', '\u{9b}', '\u{202e}']), "{text:?}");
        assert!(text.contains("[2J"), "{text}");
    }
}

#[test]
fn what_cannot_be_shown_is_told() {
    let site = Site::with_ca();
    for (text, reason) in [
        ("", "there is neither PEM"),
        (
            "-----BEGIN CERTIFICATE-----\nAAAA",
            "its PEM text is damaged",
        ),
    ] {
        fs::write(site.file("x.pem"), text).unwrap();
        let path = site.file("x.pem");
        let error = chain(&site.run(&["show", path.to_str().unwrap()]).unwrap_err());
        assert!(error.contains(reason) && error.contains("x.pem"), "{error}");
    }
    fs::write(
        site.file("x.pem"),
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    )
    .unwrap();
    assert!(shown(&site, "x.pem").contains("damaged: it should be a certificate"));
}
