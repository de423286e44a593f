//! The command line: checks, mistakes, help.

use std::{
    fs,
    process::{Command, Output},
};

use serde_json::json;
use system_tests::{
    binaries, client,
    connector::{self, Connector},
    listener::{self, Listener},
    site::{Site, set_mode},
    target::{Target, nobody},
    until,
    world::UID,
};

fn run(command: &mut Command) -> (bool, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.success(), text(stdout), text(stderr))
}

fn expect_failure(command: &mut Command, parts: &[&str]) {
    let (success, _, stderr) = run(command);
    assert!(!success, "it was taken:\n{stderr}");
    for part in parts {
        assert!(stderr.contains(part), "{part:?} is not in:\n{stderr}");
    }
}

fn connector_command(site: &Site, more: &serde_json::Value) -> Command {
    connector::command(site, UID, nobody(), more)
}

fn site() -> Site {
    let site = Site::new();
    site.issue(UID, &site.ca.client(UID));
    site
}

#[test]
fn check_says_that_all_is_well() {
    let site = site();
    let commands = [
        listener::command(&site, &[]),
        connector_command(&site, &json!({})),
    ];
    for mut command in commands {
        let (success, stdout, stderr) = run(command.arg("check"));
        assert!(success, "{stderr}");
        assert!(stdout.contains("in order"), "{stdout}");
    }
}

#[test]
fn help_and_version() {
    for name in ["sw_listener", "sw_connector"] {
        let binary = binaries::folder().join(name);
        let (success, stdout, _) = run(Command::new(&binary).arg("--version"));
        assert!(
            success && stdout.contains(env!("CARGO_PKG_VERSION")),
            "{stdout}"
        );
        let (success, stdout, _) = run(Command::new(&binary).arg("--help"));
        assert!(success, "{name}");
        for word in ["check", "doctor", "--config", "--set", "keep_alive_seconds"] {
            assert!(stdout.contains(word), "{word} is not in the help of {name}");
        }
    }
}

#[test]
fn all_mistakes_of_a_listener_come_at_once() {
    let site = site();
    let settings = [
        ("SWL_PROT", "1"),
        ("SWL_PORT", "99999"),
        ("SWL_LOG_LEVEL", "loud"),
        ("SWL_DUPLICATE_UID", "both"),
        ("SWL_SCEP_URL", "ftp://x"),
    ];
    let parts = [
        "SWL_PROT",
        "did you mean port?",
        "SWL_PORT",
        "99999",
        "SWL_LOG_LEVEL",
        "loud",
        "SWL_DUPLICATE_UID",
        "refuse",
        "SWL_SCEP_URL",
    ];
    expect_failure(&mut listener::command(&site, &settings), &parts);
    expect_failure(listener::command(&site, &settings).arg("check"), &parts);
}

#[test]
fn all_mistakes_of_a_connector_come_at_once() {
    let site = site();
    let mistakes = json!({
        "servername": "x", "service_port": 0, "allowed_targets": ["10.0.0.0/99", "h:0"], "listeners": ["nowhere"],
        "keep_alive_seconds": 30, "idle_timeout_seconds": 20,
    });
    let parts = [
        "settings-",
        "servername",
        "did you mean server_name?",
        "service_port",
        "10.0.0.0/99",
        "\"h:0\"",
        "nowhere",
        "idle_timeout_seconds",
    ];
    expect_failure(&mut connector_command(&site, &mistakes), &parts);
    expect_failure(connector_command(&site, &mistakes).arg("check"), &parts);
}

#[test]
fn settings_that_are_not_there_are_named() {
    let folder = tempfile::tempdir().unwrap();
    for (name, parts) in [
        ("sw_listener", ["cert_path", "key_path", "ca_path"]),
        (
            "sw_connector",
            ["client_cert_path", "client_key_path", "ca_cert_path"],
        ),
    ] {
        let mut command = Command::new(binaries::folder().join(name));
        command.env_clear().current_dir(folder.path());
        expect_failure(&mut command, &parts);
        command.arg("--config").arg("no-such-file.json");
        expect_failure(&mut command, &["no-such-file.json"]);
    }
}

#[test]
fn a_key_that_others_can_read_is_refused_with_the_command_that_mends_it() {
    let site = site();
    for (file, connector) in [("server.key", false), ("device1.key", true)] {
        let path = site.path(file);
        let command = || match connector {
            true => connector_command(&site, &json!({})),
            false => listener::command(&site, &[]),
        };
        set_mode(&path, 0o644);
        let advice = format!("chmod 600 {}", path.display());
        expect_failure(command().arg("check"), &["mode 0644", &advice]);
        expect_failure(&mut command(), &["mode 0644", &advice]);
        let variable = if connector { "SWC" } else { "SWL" };
        let variable = format!("{variable}_ALLOW_INSECURE_KEY_PERMISSIONS");
        let (success, _, stderr) = run(command().env(variable, "true").arg("check"));
        assert!(success, "{stderr}");
        set_mode(&path, 0o600);
        assert!(run(command().arg("check")).0);
    }
}

/// Fault 10: `unwrap` on bad files.
#[test]
fn bad_certificate_files_are_named_with_what_they_hold() {
    let site = site();
    let key = fs::read_to_string(site.path("server.key")).unwrap();
    let certificate = fs::read_to_string(site.path("server.crt")).unwrap();
    let other = site.ca.server().key_pem();
    for (file, content, reason) in [
        ("server.crt", "", "the file is empty"),
        ("server.crt", key.as_str(), "a private key"),
        ("server.key", &certificate, "a certificate"),
        ("server.key", &other, "the private key does not belong to"),
        (
            "ca.crt",
            "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n",
            "damaged",
        ),
        (
            "ca.crt",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "ca.crt",
        ),
    ] {
        let good = fs::read_to_string(site.path(file)).unwrap();
        site.write(file, content);
        expect_failure(listener::command(&site, &[]).arg("check"), &[reason]);
        site.write(file, &good);
    }
    fs::remove_file(site.path("ca.crt")).unwrap();
    expect_failure(
        listener::command(&site, &[]).arg("check"),
        &["ca.crt", "No such file"],
    );
    expect_failure(
        connector_command(&site, &json!({})).arg("check"),
        &["ca.crt", "No such file"],
    );
}

#[test]
fn a_taken_port_is_a_clear_error() {
    let site = site();
    let first = Listener::start(&site);
    let quic = first.quic.port().to_string();
    let api = first.api.address.port().to_string();
    expect_failure(
        &mut listener::command(&site, &[("SWL_PORT", &quic)]),
        &["cannot bind UDP", &quic],
    );
    expect_failure(
        &mut listener::command(&site, &[("APIS_PORT", &api)]),
        &["cannot bind the API", &api],
    );
}

/// 1.x's users have settings.json in the working folder and relative paths in it.
#[test]
fn settings_json_of_1x_works_in_the_working_folder() {
    let site = site();
    let listener = Listener::start(&site);
    let settings = json!({
        "client_cert_path": "./device1.crt", "client_key_path": "./device1.key", "ca_cert_path": "./ca.crt",
        "server_name": "127.0.0.1", "service_port": listener.quic.port(),
    });
    site.write("settings.json", &settings.to_string());
    let mut command = Command::new(binaries::folder().join("sw_connector"));
    command.env_clear().current_dir(site.path(""));
    let _connector = Connector::run(UID, command);
    listener.api.wait_connected(UID);
}

#[test]
fn flags_win_over_the_environment_and_the_environment_over_the_file() {
    let site = site();
    let listener = Listener::start(&site);
    let wrong = json!({"client_cert_path": "wrong.crt", "listeners": ["127.0.0.1:1"]});
    let mut command = connector_command(&site, &wrong);
    command
        .env("SWC_CLIENT_CERT_PATH", "device1.crt")
        .env("SWC_LISTENERS", "127.0.0.1:2")
        .arg("--set")
        .arg(format!("listeners={}", listener.quic));
    let _connector = Connector::run(UID, command);
    listener.api.wait_connected(UID);
}

#[test]
fn one_connector_serves_two_listeners_and_one_of_them_may_be_down() {
    let site = site();
    let first = Listener::start(&site);
    let mut second = Listener::start(&site);
    let listeners = json!({
        "listeners": [first.quic.to_string(), second.quic.to_string()],
        "keep_alive_seconds": 1, "idle_timeout_seconds": 3,
    });
    let connector = Connector::run(UID, connector_command(&site, &listeners));
    let target = Target::echo();
    let mut tcps: Vec<_> = [&first, &second]
        .map(|listener| {
            listener.api.wait_connected(UID);
            let view = listener.api.open(UID, 0, target.address).ok();
            let port = u16::try_from(view["port"].as_u64().unwrap()).unwrap();
            client::connect(([127, 0, 0, 1], port).into())
        })
        .into();
    for tcp in &mut tcps {
        client::echo(tcp, b"hello");
    }
    second.kill();
    client::echo(&mut tcps[0], b"not disturbed");
    let session = first.api.connector(UID).unwrap();
    drop(second);
    until("the loss is noticed", || {
        let lost = connector.log().find(&["no session"]);
        (!lost.is_empty()).then_some(())
    });
    client::echo(&mut tcps[0], b"still not disturbed");
    assert_eq!(
        first.api.connector(UID).unwrap()["session"],
        session["session"]
    );
}
