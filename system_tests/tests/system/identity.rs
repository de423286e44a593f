//! Which certificates get a session, and under which name.

use rcgen::DnType;
use serde_json::json;
use system_tests::{
    connector::{self, Connector},
    listener::Listener,
    peer::Peer,
    pki::{Ca, Issued},
    site::Site,
    world::{UID, World},
};

/// The number of the close code "policy denied".
const POLICY_DENIED: u64 = 0x5704;
/// `0x100` and the TLS alert (RFC 9001, section 4.8).
const CERTIFICATE_REQUIRED: u64 = 0x100 + 116;

/// Fault 1: the identity came from the last certificate that the client sent.
#[test]
fn a_certificate_behind_the_leaf_gives_no_other_name() {
    let site = Site::new();
    let listener = Listener::start(&site);
    let victim = site.ca.client("victim").chain.remove(0);
    let mine = site.ca.client("mine").followed_by(victim);
    let mut peer = Peer::connect(&site, Some(mine), listener.quic);
    let welcome = peer.hello().expect("a welcome");
    assert_eq!(welcome["uid"], "mine");
    assert!(listener.api.connector("mine").is_some());
    assert!(listener.api.connector("victim").is_none());
}

/// Fault 1, with a live victim: it keeps its session.
#[test]
fn a_certificate_behind_the_leaf_does_not_disturb_its_owner() {
    let world = World::new();
    let victim = world.site.ca.client(UID).chain.remove(0);
    let mine = world.site.ca.client("mine").followed_by(victim);
    let before = world.listener.api.connector(UID).unwrap();
    let mut peer = Peer::connect(&world.site, Some(mine), world.listener.quic);
    assert_eq!(peer.hello().expect("a welcome")["uid"], "mine");
    let after = world.listener.api.connector(UID).unwrap();
    assert_eq!(before["session"], after["session"]);
}

#[test]
fn without_a_client_certificate_there_is_no_session() {
    let site = Site::new();
    let listener = Listener::start(&site);
    let peer = Peer::connect(&site, None, listener.quic);
    let quinn::ConnectionError::ConnectionClosed(close) = peer.closed() else {
        panic!("a TLS alert expected");
    };
    assert_eq!(u64::from(close.error_code), CERTIFICATE_REQUIRED);
    assert!(listener.api.connectors().is_empty());
}

fn expect_tls_refusal(site: &Site, listener: &Listener, issued: &Issued, reason: &str) {
    let mut connector = Connector::certified(site, "refused", issued, listener.quic, &json!({}));
    connector.allow("has expired");
    let line = connector.wait_log(&["no session", reason]);
    assert_eq!(line.level(), Some("WARN"), "{line}");
    assert!(listener.api.connectors().is_empty());
}

#[test]
fn a_certificate_of_another_ca_is_refused_and_the_connector_says_so() {
    let site = Site::new();
    let listener = Listener::start(&site);
    let stranger = Ca::root("another CA").client(UID);
    expect_tls_refusal(&site, &listener, &stranger, "not from a CA that it trusts");
}

#[test]
fn a_ca_of_the_same_name_with_another_key_is_another_ca() {
    let site = Site::new();
    let listener = Listener::start(&site);
    let stranger = Ca::root("socket-warp test CA").client(UID);
    expect_tls_refusal(&site, &listener, &stranger, "TLS handshake failed");
}

#[test]
fn an_expired_certificate_is_refused_and_the_connector_says_so() {
    let site = Site::new();
    let listener = Listener::start(&site);
    let expired = site.ca.expired_client(UID);
    expect_tls_refusal(&site, &listener, &expired, "expired");
}

#[test]
fn a_servers_certificate_is_no_connectors() {
    let site = Site::new();
    let listener = Listener::start(&site);
    let server = site.ca.server_named(UID);
    site.issue(UID, &server);
    // Our connector does not even start with it; another peer gets a TLS alert.
    let mut command = connector::command(&site, UID, listener.quic, &json!({}));
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{text}");
    assert!(text.contains("lacks clientAuth"), "{text}");
    let peer = Peer::connect(&site, Some(server), listener.quic);
    let quinn::ConnectionError::ConnectionClosed(close) = peer.closed() else {
        panic!("no TLS alert");
    };
    assert!((0x100..0x200).contains(&u64::from(close.error_code)));
    assert!(listener.api.connectors().is_empty());
}

#[test]
fn the_connector_does_not_trust_a_listener_of_another_ca() {
    let site = Site::new();
    let listener = Listener::start(&site);
    site.write("other.crt", &Ca::root("another CA").pem());
    let settings = json!({"ca_cert_path": "other.crt"});
    let connector = Connector::with(&site, UID, listener.quic, &settings);
    connector.wait_log(&["no session", "TLS handshake failed"]);
    assert!(listener.api.connectors().is_empty());
}

#[test]
fn the_connector_checks_the_listeners_name() {
    let site = Site::new();
    let listener = Listener::start(&site);
    let settings = json!({"server_name": "other.example"});
    let connector = Connector::with(&site, UID, listener.quic, &settings);
    connector.wait_log(&["no session", "TLS handshake failed"]);
    assert!(listener.api.connectors().is_empty());
}

/// Fault 10: only the first certificate of a PEM was read.
#[test]
fn intermediates_and_several_cas_work() {
    let site = Site::new();
    let second = Ca::root("second CA");
    let intermediate = site.ca.intermediate("intermediate");
    let bundle = format!("{}{}", site.ca.pem(), second.pem());
    site.write("ca.crt", &bundle);
    let listener = Listener::start(&site);
    let through = intermediate
        .client("device2")
        .followed_by(intermediate.der());
    let _one = Connector::certified(
        &site,
        "device1",
        &second.client(UID),
        listener.quic,
        &json!({}),
    );
    let _two = Connector::certified(&site, "device2", &through, listener.quic, &json!({}));
    listener.api.wait_connected(UID);
    listener.api.wait_connected("device2");
}

fn expect_denial(listener: &Listener, site: &Site, issued: Issued, reason: &str) {
    let mut peer = Peer::connect(site, Some(issued), listener.quic);
    assert_eq!(peer.hello(), None);
    assert_eq!(peer.close_code(), POLICY_DENIED);
    let line = listener.wait_log(&["session refused", reason]);
    assert_eq!(line.level(), Some("WARN"), "{line}");
    assert!(listener.api.connectors().is_empty());
}

#[test]
fn subjects_that_name_no_one_connector_are_refused_with_the_reason() {
    let site = Site::new();
    let listener = Listener::start(&site);
    let ca = &site.ca;
    let second_cn = DnType::CustomDnType(vec![2, 5, 4, 3]);
    let long = "x".repeat(65);
    for (issued, reason) in [
        (ca.client("two words"), "' '"),
        (ca.client(""), "empty"),
        (ca.client("a/b"), "'/'"),
        (ca.client("デバイス"), "not a UID"),
        (ca.client("a\u{1b}[31m"), "not a UID"),
        (ca.client(&long), "at most 64"),
        (ca.client_with(&[(DnType::OrganizationName, "o")]), "0 CN"),
        (
            ca.client_with(&[(DnType::CommonName, "a"), (second_cn, "b")]),
            "2 CN",
        ),
        (ca.multi_valued_client("device9"), "multi-valued"),
    ] {
        expect_denial(&listener, &site, issued, reason);
    }
}

#[test]
fn the_uid_attribute_counts_when_the_setting_says_so() {
    let site = Site::new();
    let listener = Listener::with(&site, &[("SWL_UID_SOURCE", "uid")]);
    let user_id = DnType::CustomDnType(vec![0, 9, 2342, 19_200_300, 100, 1, 1]);
    let both = [(DnType::CommonName, "cn"), (user_id, "uid-value")];
    let mut peer = Peer::connect(&site, Some(site.ca.client_with(&both)), listener.quic);
    assert_eq!(peer.hello().expect("a welcome")["uid"], "uid-value");
    expect_denial_of_plain(&listener, &site);
}

fn expect_denial_of_plain(listener: &Listener, site: &Site) {
    let mut peer = Peer::connect(site, Some(site.ca.client("plain")), listener.quic);
    assert_eq!(peer.hello(), None);
    assert_eq!(peer.close_code(), POLICY_DENIED);
}

/// rustls does not run the verifier again on resumption, so a resumed session would outlive a revocation.
#[test]
fn no_session_tickets_are_issued() {
    let world = World::new();
    let issued = world.site.ca.client("device2");
    let mut peer = Peer::connect(&world.site, Some(issued), world.listener.quic);
    peer.hello().expect("a welcome");
    // A round trip later every ticket of the handshake would have come.
    peer.say_more(&system_tests::peer::frame(
        &json!({"type": "ping", "nonce": 1}),
    ));
    assert_eq!(peer.hear().expect("an answer")["type"], "pong");
    assert_eq!(peer.tickets(), 0);
}
