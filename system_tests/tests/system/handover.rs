//! Sessions that are handed over to one with a newer certificate, and who may not take over.

use std::{
    io::{ErrorKind, Read},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use rustix::process::Signal;
use serde_json::{Value, json};
use system_tests::{
    PATIENCE,
    client::{self, End, RESET},
    connector::Connector,
    legacy::LegacyListener,
    listener::{Listener, command},
    peer::{Peer, frame},
    pki::{Ca, Issued},
    ports,
    site::Site,
    target::Target,
    until_within,
    world::{UID, World},
};

use system_tests::rotation::{renew, rotate, session, wait_retired, wait_shown};

/// Close codes.
const DUPLICATE_UID: u64 = 0x5702;
const LIMIT: u64 = 0x5709;

fn asking(site: &Site, issued: Issued, listener: &Listener, replaces: Option<&Value>) -> Peer {
    let mut hello = json!({"type": "hello", "version": 2});
    if let Some(id) = replaces {
        hello["replaces"] = id.clone();
    }
    let mut peer = Peer::connect(site, Some(issued), listener.quic);
    peer.say(&frame(&hello));
    peer
}

/// Who has a certificate of the UID cannot push its session aside, unless it is that session's connector with a newer
/// one.
#[test]
fn nobody_else_takes_over() {
    for mode in ["refuse", "replace"] {
        let site = Site::new();
        let listener = Listener::with(&site, &[("SWL_DUPLICATE_UID", mode)]);
        let own = site.ca.client_since(UID, 600);
        let connector = Connector::certified(&site, UID, &own, listener.quic, &json!({}));
        let before = listener.api.wait_connected(UID);
        let id = &before["session"];
        let mut refused = vec![
            (site.ca.client_since(UID, 6000), Some(id), "older"),
            (own, Some(id), "the same"),
        ];
        let other = json!("0123456789abcdef");
        if mode == "refuse" {
            refused.push((site.ca.client_since(UID, 10), None, "live session"));
            refused.push((site.ca.client_since(UID, 10), Some(&other), "live session"));
        }
        for (issued, replaces, why) in refused {
            let mark = listener.log().mark();
            let mut peer = asking(&site, issued, &listener, replaces);
            assert_eq!(peer.hear(), None);
            assert_eq!(peer.close_code(), DUPLICATE_UID);
            listener.wait_log_after(mark, &["session refused", why]);
            assert_eq!(&session(&listener)["session"], id);
        }
        // Another UID's session is out of reach, too.
        let mut peer = asking(&site, site.ca.client("device2"), &listener, Some(id));
        assert_eq!(peer.hear().expect("a welcome")["uid"], "device2");
        assert_eq!(&session(&listener)["session"], id);
        // The control: this one may.
        let mut peer = asking(&site, site.ca.client_since(UID, 10), &listener, Some(id));
        assert_eq!(peer.hear().expect("a welcome")["uid"], UID);
        assert_ne!(&session(&listener)["session"], id);
        drop(connector);
    }
}

#[test]
fn retired_sessions_are_bounded_and_closed_with_the_uid() {
    let site = Site::new();
    let listener = Listener::start(&site);
    let mut peers: Vec<Peer> = Vec::new();
    let mut last = None;
    // They never say that they have their successor, so they stay.
    for age in (100..109).rev() {
        let mut peer = asking(
            &site,
            site.ca.client_since(UID, age),
            &listener,
            last.as_ref(),
        );
        last = Some(peer.hear().expect("a welcome")["session"].clone());
        peers.push(peer);
    }
    wait_retired(&listener, 8);
    let mut peer = asking(
        &site,
        site.ca.client_since(UID, 1),
        &listener,
        last.as_ref(),
    );
    assert_eq!(peer.hear(), None);
    assert_eq!(peer.close_code(), LIMIT);
    listener.api.call("DELETE", "/connectors/device1").ok();
    for peer in &peers {
        assert_eq!(peer.close_code(), 0x5708);
    }
    listener.api.wait_gone(UID);
}

/// The listener lets a session end when it has no streams, and not before: the connector would end it under them.
#[test]
fn the_old_session_is_let_go_after_its_last_stream() {
    let site = Site::new();
    let listener = Listener::start(&site);
    let mut old = asking(&site, site.ca.client_since(UID, 20), &listener, None);
    let id = old.hear().expect("a welcome")["session"].clone();
    let view = listener.api.open(UID, 0, ([127, 0, 0, 1], 1).into()).ok();
    let port = u16::try_from(view["port"].as_u64().unwrap()).unwrap();
    let tcp = client::connect(([127, 0, 0, 1], port).into());
    listener.api.wait_streams(UID, 1);
    let mut new = asking(&site, site.ca.client_since(UID, 10), &listener, Some(&id));
    new.hear().expect("a welcome");
    old.say_more(&frame(&json!({
        "type": "goaway", "reason": "handed over", "reconnect_after_ms": 0,
    })));
    listener.wait_log(&["the session finishes its streams"]);
    old.say_more(&frame(&json!({"type": "ping", "nonce": 1})));
    assert_eq!(old.hear().expect("an answer")["type"], "pong");
    wait_retired(&listener, 1);
    client::reset(tcp);
    assert_eq!(old.hear().expect("the end")["type"], "goaway");
    drop(old);
    wait_retired(&listener, 0);
}

/// A connector that never says goodbye does not keep its old session for ever.
#[test]
fn the_old_session_is_let_go_without_a_goodbye() {
    let site = Site::new();
    let listener = Listener::start(&site);
    let mut old = asking(&site, site.ca.client_since(UID, 20), &listener, None);
    let id = old.hear().expect("a welcome")["session"].clone();
    let mut new = asking(&site, site.ca.client_since(UID, 10), &listener, Some(&id));
    new.hear().expect("a welcome");
    assert_eq!(old.hear().expect("the end")["type"], "goaway");
}

/// A session that drains is not in the registry any more, and yet its streams count.
#[test]
fn a_goodbye_gives_no_more_streams() {
    let site = Site::new();
    let listener = Listener::with(&site, &[("SWL_MAX_STREAMS_PER_UID", "1")]);
    let mut old = asking(&site, site.ca.client(UID), &listener, None);
    old.hear().expect("a welcome");
    let view = listener.api.open(UID, 0, ([127, 0, 0, 1], 1).into()).ok();
    let port = u16::try_from(view["port"].as_u64().unwrap()).unwrap();
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let _first = client::connect(address);
    listener.api.wait_streams(UID, 1);
    old.say_more(&frame(&json!({
        "type": "goaway", "reason": "restart", "reconnect_after_ms": 0,
    })));
    listener.wait_log(&["the connector drains"]);
    listener.api.wait_state(port, "waiting");
    let mut new = asking(&site, site.ca.client(UID), &listener, None);
    new.hear().expect("a welcome");
    listener.api.wait_state(port, "listening");
    let second = client::try_connect(address).and_then(|mut tcp| tcp.read_exact(&mut [0; 1]));
    assert_eq!(second.unwrap_err().kind(), ErrorKind::ConnectionReset);
}

/// A hand-over that the listener never answers is given up with the session, and the next one shows the new certificate.
#[test]
fn a_listener_that_is_killed_meanwhile_gets_the_new_certificate() {
    let site = Site::new();
    let port = ports::free().to_string();
    let settings = [("SWL_PORT", port.as_str())];
    let mut listener = Listener::with(&site, &settings);
    let mut connector = Connector::start(&site, UID, listener.quic);
    listener.api.wait_connected(UID);
    listener.signal(Signal::STOP);
    let issued = site.ca.client(UID);
    site.issue(UID, &issued);
    connector.signal(Signal::HUP);
    connector.wait_log(&["the sessions move to it"]);
    listener.kill();
    let listener = Listener::run(command(&site, &settings));
    wait_shown(&listener, &issued);
    assert!(connector.is_running());
}

/// What the new certificate is refused for does not hurt the session with the old one.
#[test]
fn a_certificate_that_is_refused_leaves_the_session_alone() {
    let world = World::new();
    let target = Target::echo();
    let mut tcp = client::connect(world.open(target.address));
    client::echo(&mut tcp, b"before");
    let before = session(&world.listener);
    let stranger = Ca::root("another CA").client(UID);
    world.site.issue(UID, &stranger);
    let line = world
        .connector
        .wait_log(&["no session with the new certificate"]);
    assert_eq!(line.level(), Some("WARN"), "{line}");
    assert!(line.has(&["not from a CA that it trusts"]), "{line}");
    client::echo(&mut tcp, b"after");
    assert_eq!(before["session"], session(&world.listener)["session"]);
    let issued = renew(&world);
    wait_shown(&world.listener, &issued);
    client::echo(&mut tcp, b"and after that");
}

/// A listener of 1.x knows nothing of it: its session goes on with the old certificate.
#[test]
fn a_1x_listener_keeps_its_session() {
    let site = Site::new();
    let listener = LegacyListener::start(&site);
    let connector = Connector::start(&site, UID, listener.address);
    let connection = listener.wait_connector();
    site.issue(UID, &site.ca.client(UID));
    let line = connector.wait_log(&["cannot hand over"]);
    assert_eq!(line.level(), Some("INFO"), "{line}");
    assert!(connection.close_reason().is_none());
    assert_eq!(connector.log().find(&["session established"]).len(), 1);
}

/// A session that an operator has closed does not come back the sooner for an earlier hand-over.
#[test]
fn a_hand_over_of_long_ago_does_not_hurry_the_next_dial() {
    let mut world = World::new();
    rotate(&mut world, true);
    // The listener knows of a session before the connector does.
    let second = session(&world.listener)["session"].clone();
    let established = ["session established", second.as_str().unwrap()];
    world.connector.wait_log(&established);
    let mark = world.connector.log().mark();
    world
        .listener
        .api
        .call("DELETE", "/connectors/device1")
        .ok();
    let line = world
        .connector
        .wait_log_after(mark, &["an operator closed this session"]);
    assert!(line.has(&["retry_in"]), "{line}");
    // It says when it comes back, and with a new certificate it comes at once.
    let issued = renew(&world);
    let session = until_within(Duration::from_secs(12), "the session", || {
        let session = world.listener.api.connector(UID)?;
        (session["certificate_sha256"] == issued.fingerprint()).then_some(session)
    });
    let id = session["session"].as_str().unwrap();
    world.connector.wait_log(&["session established", id]);
    let dialled = world.connector.log().find(&["session established"]);
    assert_eq!(dialled.len(), 3);
}

/// A connector that waits long because it was refused tries at once with another certificate.
#[test]
fn a_new_certificate_ends_a_long_wait() {
    let site = Site::new();
    let listener = Listener::start(&site);
    let expired = site.ca.expired_client(UID);
    let mut connector = Connector::certified(&site, UID, &expired, listener.quic, &json!({}));
    connector.allow("has expired");
    connector.wait_log(&["no session", "expired"]);
    let issued = site.ca.client(UID);
    site.issue(UID, &issued);
    // Slow retries come after 15 s at the earliest.
    until_within(Duration::from_secs(12), "the session", || {
        listener.api.connector(UID)
    });
}

fn begun(opening: SocketAddr) -> TcpStream {
    let mut tcp = client::connect(opening);
    tcp.read_exact(&mut [0; 8]).unwrap();
    tcp
}

#[test]
fn limits_drains_and_operators_reach_the_old_session() {
    let mut world = World::with(&[("SWL_MAX_STREAMS_PER_UID", "2")], &json!({}));
    let flood = Target::flood();
    let opening = world.open(flood.address);
    let tcp = begun(opening);
    rotate(&mut world, true);
    wait_retired(&world.listener, 1);
    let second = begun(opening);
    // A reset can come so soon that connecting already fails with it.
    let third = client::try_connect(opening).and_then(|mut tcp| tcp.read_exact(&mut [0; 8]));
    assert_eq!(third.unwrap_err().kind(), ErrorKind::ConnectionReset);
    drop(second);
    world
        .listener
        .api
        .call("DELETE", "/connectors/device1")
        .ok();
    assert_eq!(client::read_all(&tcp).end, RESET);

    let mut world = World::new();
    const SIZE: u64 = 8 << 20;
    let sender = Target::sender(1, SIZE);
    let tcp = begun(world.open(sender.address));
    rotate(&mut world, true);
    wait_retired(&world.listener, 1);
    world.listener.signal(Signal::TERM);
    world.connector.wait_log(&["the listener drains"]);
    let received = client::read_all(&tcp);
    assert_eq!((received.bytes, received.end), (SIZE - 8, End::Eof));
    client::finish(&tcp);
    assert!(world.listener.wait_exit(PATIENCE).success());
}

/// The old session waits for its streams without a time limit, but not for a connector that is stopped.
#[test]
fn a_stopped_connector_ends_its_old_session_too() {
    let mut world = World::with(&[], &json!({"drain_timeout_seconds": 1}));
    let flood = Target::flood();
    let tcp = begun(world.open(flood.address));
    rotate(&mut world, true);
    wait_retired(&world.listener, 1);
    world.connector.signal(Signal::TERM);
    assert_eq!(client::read_all(&tcp).end, RESET);
    assert!(world.connector.wait_exit(PATIENCE).success());
    world.listener.api.wait_gone(UID);
}
