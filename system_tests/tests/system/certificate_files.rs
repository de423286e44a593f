//! Certificate files on the real binaries: what `check` and the start say of them.

use std::{
    path::Path,
    process::{Command, Output},
    time::Duration,
};

use serde_json::json;
use system_tests::{
    connector::{self, Connector},
    listener::{self, Listener},
    pki::Ca,
    site::{Site, set_mode},
    target::nobody,
    until, until_within,
    world::UID,
};

fn site() -> Site {
    let site = Site::new();
    site.issue(UID, &site.ca.client(UID));
    site
}

fn openssl(folder: &Path, words: &str) {
    let mut command = Command::new("openssl");
    let command = command.args(words.split_whitespace()).current_dir(folder);
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "openssl {words}: {text}");
}

fn check(command: &mut Command) -> (bool, String) {
    let Output { status, stderr, .. } = command.arg("check").output().unwrap();
    (status.success(), String::from_utf8(stderr).unwrap())
}

fn connector_command(site: &Site, more: &serde_json::Value) -> Command {
    connector::command(site, UID, nobody(), more)
}

#[test]
fn whatever_stands_in_place_of_the_files_check_says_so_and_exits_1() {
    let site = site();
    let folder = site.path("");
    for words in [
        "req -new -newkey rsa:2048 -nodes -keyout plain.key -out request.csr -subj /CN=x",
        "pkey -in plain.key -aes128 -passout pass:x -out locked.key",
        "pkey -in plain.key -pubout -out public.pem",
        "pkcs12 -export -in server.crt -inkey server.key -passout pass:x -out server.p12",
        "x509 -req -in request.csr -signkey plain.key -out v1.crt",
    ] {
        openssl(&folder, words);
    }
    for name in ["plain.key", "locked.key", "public.pem", "server.p12"] {
        set_mode(&site.path(name), 0o600);
    }
    for (setting, file, part) in [
        (
            "SWL_CERT_PATH",
            "request.csr",
            "a certificate signing request: send it to the CA",
        ),
        (
            "SWL_CERT_PATH",
            "server.key",
            "name the file with its certificate",
        ),
        ("SWL_CERT_PATH", "v1.crt", "X.509 version 1"),
        ("SWL_CERT_PATH", "device1.crt", "lacks serverAuth"),
        ("SWL_CERT_PATH", ".", "is a folder"),
        (
            "SWL_KEY_PATH",
            "server.crt",
            "name the file with its private key",
        ),
        ("SWL_KEY_PATH", "locked.key", "an encrypted private key"),
        ("SWL_KEY_PATH", "public.pem", "a public key"),
        ("SWL_KEY_PATH", "server.p12", "PKCS#12"),
        ("SWL_KEY_PATH", "plain.key", "does not belong to"),
        ("SWL_CA_PATH", "device1.crt", "is no CA certificate"),
    ] {
        let path = site.text(file);
        let (success, text) = check(&mut listener::command(&site, &[(setting, &path)]));
        assert!(
            !success && text.contains(part),
            "{part:?} is not in:\n{text}"
        );
        let same = match setting {
            "SWL_CERT_PATH" => "client_cert_path",
            "SWL_KEY_PATH" => "client_key_path",
            _ => "ca_cert_path",
        };
        if !part.contains("serverAuth") {
            let (success, text) = check(&mut connector_command(&site, &json!({ same: path })));
            assert!(
                !success && text.contains(part),
                "{part:?} is not in:\n{text}"
            );
        }
    }
}

#[test]
fn names_that_connectors_use_must_be_in_the_certificate() {
    let site = site();
    let command = |names| listener::command(&site, &[("SWL_SERVER_NAMES", names)]);
    assert!(check(&mut command("localhost,127.0.0.1")).0);
    let (success, text) = check(&mut command("localhost,tunnel.example"));
    let part = "does not have the name tunnel.example of server_names, but localhost, 127.0.0.1";
    assert!(!success && text.contains(part), "{text}");
    // The start refuses it as well.
    let output = command("tunnel.example").output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(
        !output.status.success() && text.contains("tunnel.example"),
        "{text}"
    );
}

#[test]
fn warnings_of_check_do_not_fail_it() {
    let site = site();
    let chain = site.ca.client(UID).followed_by(Ca::root("Other").der());
    site.issue(UID, &chain);
    let (success, text) = check(&mut connector_command(&site, &json!({})));
    assert!(success, "{text}");
    assert!(
        text.contains("warning: ") && text.contains("has not issued it"),
        "{text}"
    );
}

/// The connector never gives up: a renewal heals it without a restart.
#[test]
fn an_expired_certificate_fails_the_check_but_not_the_start() {
    let site = site();
    let listener = Listener::start(&site);
    site.issue(UID, &site.ca.expired_client(UID));
    let settings = json!({ "listeners": [listener.quic.to_string()] });
    let (success, text) = check(&mut connector_command(&site, &settings));
    assert!(!success && text.contains("has expired on"), "{text}");
    let mut connector = Connector::run(UID, connector_command(&site, &settings));
    connector.allow("has expired");
    until("it is told", || {
        let told = connector.log().find(&["device1.crt", "has expired"]);
        let tried = connector.log().find(&["no session"]);
        (!told.is_empty() && !tried.is_empty()).then_some(())
    });
    let told = connector.log().find(&["device1.crt", "has expired"]);
    assert_eq!(told.len(), 1, "once is enough");
    site.issue(UID, &site.ca.client(UID));
    // It tries every 15 to 30 s.
    until_within(4 * Duration::from_secs(30), "it is healed", || {
        listener.api.connector(UID)
    });
}

#[test]
fn a_pin_and_an_expected_name_decide_about_the_listener() {
    let site = site();
    let listener = Listener::start(&site);
    let folder = site.path("");
    for words in [
        "x509 -in server.crt -noout -pubkey -out public.pem",
        "pkey -pubin -in public.pem -outform DER -out spki",
        "dgst -sha256 -binary -out digest spki",
        "base64 -in digest -out pin",
    ] {
        openssl(&folder, words);
    }
    let pin = std::fs::read_to_string(site.path("pin")).unwrap();
    let pin = format!("sha256/{}", pin.trim());
    let quic = listener.quic.to_string();
    let wrong = format!("sha256/{}=", "A".repeat(43));
    for (checks, part) in [
        (
            json!({ "listeners": [&quic], "listener_pins": [wrong] }),
            format!("the listener's own is {pin}"),
        ),
        (
            json!({ "listeners": [&quic], "expected_listener_name": "plant" }),
            "expected_listener_name".to_owned(),
        ),
    ] {
        let connector = Connector::run(UID, connector_command(&site, &checks));
        until("it is refused", || {
            (!connector.log().find(&["no session", &part]).is_empty()).then_some(())
        });
    }
    let right = json!({
        "listeners": [&quic], "listener_pins": [wrong, pin], "expected_listener_name": "localhost",
    });
    let _connector = Connector::run(UID, connector_command(&site, &right));
    listener.api.wait_connected(UID);
}

#[test]
fn verification_is_skipped_only_by_the_full_name_of_the_setting_and_loudly() {
    let site = site();
    let listener = Listener::start(&site);
    site.write("other.crt", &Ca::root("Other").pem());
    let settings = json!({
        "listeners": [listener.quic.to_string()], "ca_cert_path": "other.crt",
        "insecure_skip_server_verification": true,
    });
    let connector = Connector::run(UID, connector_command(&site, &settings));
    listener.api.wait_connected(UID);
    let told = connector
        .log()
        .find(&["WARN", "insecure_skip_server_verification"]);
    assert!(!told.is_empty());
}
