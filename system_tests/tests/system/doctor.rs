//! `sw_connector doctor`: what it says of a way that works, and of each place where it may end.

use std::net::{SocketAddr, UdpSocket};

use serde_json::{Value, json};
use system_tests::{
    client, connector,
    doctor::Report,
    legacy::LegacyListener,
    listener::Listener,
    peer::{Peer, frame},
    pki::Ca,
    ports,
    scep::{Behaviour, Scep},
    site::{Site, set_mode},
    target::{Target, nobody},
    world::{UID, World},
};

fn examine(site: &Site, listener: SocketAddr, more: &Value) -> Report {
    Report::of(&mut connector::command(site, UID, listener, more), &[])
}

/// Numbers of close codes.
const CLOSED: u64 = 0x5700;
const PROTOCOL_ERROR: u64 = 0x5701;

/// A folder with a certificate for the connector.
fn site() -> Site {
    let site = Site::new();
    site.issue(UID, &site.ca.client(UID));
    site
}

/// Nothing to dial.
fn no_targets() -> Value {
    json!({"allowed_targets": ["192.0.2.0/24"]})
}

/// The session of the connector beside it stays, whatever the listener does with a second one.
#[test]
fn a_way_that_works_and_the_connector_on_it_is_left_alone() {
    for duplicate in ["refuse", "replace"] {
        let world = World::with(&[("SWL_DUPLICATE_UID", duplicate)], &json!({}));
        let before = world.listener.api.connectors();
        let target = Target::echo();
        let mut client = client::connect(world.open(target.address));
        client::echo(&mut client, b"before");
        let listed = target.address.to_string();
        let more = json!({"allowed_targets": [listed, "10.0.0.0/8"]});
        let report = examine(&world.site, world.listener.quic, &more);
        assert!(report.well, "{:?}", report.lines);
        for step in ["settings", "files", "dates", "clock", "udp", "quic"] {
            report.expect(step, "ok", &[]);
        }
        report.expect("tls", "ok", &["verified"]);
        report.expect("admission", "ok", &[UID, "a session of it is live"]);
        report.expect("mtu", "ok", &["1452"]);
        let outcomes = report.all("target");
        let outcomes: Vec<_> = outcomes.map(|line| line["outcome"].clone()).collect();
        assert_eq!(outcomes, ["skipped", "ok"]);
        let after = world.listener.api.connectors();
        assert_eq!(before[0]["session"], after[0]["session"], "{after:?}");
        assert_eq!(after.len(), 1);
        client::echo(&mut client, b"still there");
        world.listener.wait_log(&["no session", "doctor"]);
        assert!(world.listener.log().find(&["session refused"]).is_empty());
        assert!(world.connector.log().find(&["no session"]).is_empty());
    }
}

#[test]
fn nothing_is_registered_without_a_connector_either() {
    let site = site();
    let listener = Listener::start(&site);
    let report = examine(&site, listener.quic, &no_targets());
    assert!(report.well, "{:?}", report.lines);
    let (_, text) = report.step("admission");
    assert!(
        text.contains("would let UID device1 in") && !text.contains("live"),
        "{text}"
    );
    assert!(listener.api.connectors().is_empty());
    assert!(listener.log().find(&["session registered"]).is_empty());
}

#[test]
fn a_port_that_nobody_has_and_one_that_is_silent() {
    let site = site();
    let closed = SocketAddr::from(([127, 0, 0, 1], ports::free()));
    let report = examine(&site, closed, &no_targets());
    assert!(!report.well);
    report.expect(
        "udp",
        "fail",
        &["ICMP port unreachable", "start sw_listener"],
    );
    report.skipped(&["quic", "tls", "admission", "mtu"]);

    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let report = examine(&site, silent.local_addr().unwrap(), &no_targets());
    assert!(!report.well);
    report.expect("udp", "warn", &["no answer"]);
    report.expect("quic", "fail", &["no answer to the handshake", "firewall"]);
    report.skipped(&["tls", "admission", "mtu"]);
}

#[test]
fn a_name_that_does_not_resolve() {
    let site = site();
    let more = json!({"listeners": ["nowhere.invalid:11443"], "allowed_targets": ["192.0.2.0/24"]});
    let report = examine(&site, nobody(), &more);
    assert!(!report.well);
    report.expect("dns", "fail", &["nowhere.invalid", "resolv.conf"]);
    report.skipped(&["udp", "quic", "tls", "admission", "mtu"]);
}

#[test]
fn tls_fails_for_one_reason_each() {
    let site = site();
    let listener = Listener::start(&site);
    let more = json!({"server_name": "elsewhere.example", "allowed_targets": ["192.0.2.0/24"]});
    let report = examine(&site, listener.quic, &more);
    report.expect("quic", "ok", &[]);
    report.expect("tls", "fail", &["elsewhere.example", "set server_name"]);
    report.skipped(&["admission", "mtu"]);

    site.write("other.crt", &Ca::root("another CA").pem());
    let more = json!({"ca_cert_path": "other.crt", "allowed_targets": ["192.0.2.0/24"]});
    let report = examine(&site, listener.quic, &more);
    report.expect("tls", "fail", &["UnknownIssuer", "ca_cert_path"]);

    site.issue(UID, &Ca::root("another CA").client(UID));
    let report = examine(&site, listener.quic, &no_targets());
    report.expect("quic", "ok", &[]);
    report.expect("tls", "fail", &["the peer says", "ca_path of the listener"]);

    site.issue(UID, &site.ca.expired_client(UID));
    let report = examine(&site, listener.quic, &no_targets());
    report.expect("files", "ok", &[]);
    report.expect("dates", "fail", &["has ended", "get a new one"]);
    report.expect("tls", "fail", &["certificate_expired", "client_cert_path"]);
    report.skipped(&["admission", "mtu"]);
    assert!(listener.api.connectors().is_empty());
}

/// A 1.x listener takes every connection for a session: it is not given one.
#[test]
fn a_listener_of_1_x_is_told_and_left_alone() {
    let site = site();
    let listener = LegacyListener::start(&site);
    let report = examine(&site, listener.address, &no_targets());
    assert!(report.well, "{:?}", report.lines);
    report.expect("tls", "warn", &["protocol 1"]);
    report.skipped(&["admission", "mtu"]);
    assert!(!listener.has_connector());
}

#[test]
fn the_listeners_rules_say_no() {
    let site = site();
    let scep = Scep::new(Behaviour::Answer(401, "{}".into()));
    let listener = Listener::with(&site, &[("SWL_SCEP_URL", &scep.url())]);
    let report = examine(&site, listener.quic, &no_targets());
    report.expect("tls", "ok", &[]);
    report.expect(
        "admission",
        "fail",
        &["401", "sw_listener doctor --certificate"],
    );
    scep.behave(Behaviour::Answer(500, "{}".into()));
    let report = examine(&site, listener.quic, &no_targets());
    report.expect("admission", "fail", &["could not check", "SCEP"]);
}

#[test]
fn files_and_settings() {
    let site = site();
    set_mode(&site.path("device1.key"), 0o644);
    let report = examine(&site, nobody(), &no_targets());
    assert!(!report.well);
    report.expect("files", "fail", &["device1.key", "chmod 600"]);
    report.skipped(&["clock", "quic", "tls", "admission", "mtu"]);

    let more = json!({"servername": "x", "dial_timeout_seconds": 0});
    let report = examine(&site, nobody(), &more);
    let problems = report
        .lines
        .iter()
        .filter(|line| line["step"] == "settings");
    assert_eq!(problems.count(), 2, "{:?}", report.lines);
    report.skipped(&["files", "dns", "target"]);
}

#[test]
fn targets_are_dialled_under_the_same_rules() {
    let site = site();
    let (refused, there) = (nobody(), Target::echo());
    let more = json!({"allowed_targets": [refused.to_string()]});
    let report = examine(&site, nobody(), &more);
    report.expect("target", "fail", &["refused", "start the program"]);

    let more = json!({"allowed_targets": ["127.0.0.0/8:1-2"]});
    let mut command = connector::command(&site, UID, nobody(), &more);
    let report = Report::of(&mut command, &["--target", &there.address.to_string()]);
    let lines = report.all("target");
    let text = format!("{:?}", lines.collect::<Vec<_>>());
    assert!(text.contains("does not list"), "{text}");
}

#[test]
fn every_listener_has_its_block() {
    let site = site();
    let listener = Listener::start(&site);
    let closed = format!("127.0.0.1:{}", ports::free());
    let more = json!({
        "listeners": [listener.quic.to_string(), closed],
        "allowed_targets": ["192.0.2.0/24"],
    });
    let report = examine(&site, nobody(), &more);
    assert!(!report.well);
    let about = |address: &str, step: &str| {
        let found = report
            .lines
            .iter()
            .find(|line| line["step"] == step && line["about"] == format!("listener {address}"));
        found.unwrap()["outcome"].clone()
    };
    assert_eq!(about(&listener.quic.to_string(), "admission"), "ok");
    assert_eq!(about(&closed, "udp"), "fail");
}

/// Who asks and then stays is not kept, and not counted as a session of its UID.
#[test]
fn a_probe_that_never_ends_is_ended() {
    let site = site();
    let listener = Listener::with(&site, &[("SWL_HANDSHAKE_DEADLINE_SECONDS", "1")]);
    let certificate = site.ca.client(UID);
    let mut peer = Peer::connect(&site, Some(certificate), listener.quic);
    peer.say(&frame(&json!({"type": "probe", "version": 2})));
    let probed = peer.hear().expect("an answer");
    assert_eq!(
        (&probed["type"], &probed["uid"], &probed["live"]),
        (&json!("probed"), &json!(UID), &json!(false))
    );
    assert_eq!(peer.close_code(), CLOSED);
    assert!(listener.api.connectors().is_empty());

    let mut peer = Peer::connect(&site, Some(site.ca.client(UID)), listener.quic);
    peer.say(&frame(&json!({"type": "probe", "version": 3})));
    assert!(peer.hear().is_none());
    assert_eq!(peer.close_code(), PROTOCOL_ERROR);
}
