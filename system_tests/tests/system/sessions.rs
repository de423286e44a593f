//! One session per UID, and who gets it.

use rustix::process::Signal;
use serde_json::json;
use system_tests::{
    client,
    connector::Connector,
    listener::Listener,
    site::Site,
    target::Target,
    until,
    world::{UID, World},
};

/// Another connector with the same UID. It has files of its own: if it wrote over those of the first one, that would move
/// to the new certificate with another session.
fn second(world: &World) -> Connector {
    let issued = world.site.ca.client(UID);
    let quic = world.listener.quic;
    Connector::certified(&world.site, "second", &issued, quic, &json!({}))
}

#[test]
fn a_second_session_of_a_live_uid_is_refused_and_told_why() {
    let world = World::new();
    let target = Target::echo();
    let mut tcp = client::connect(world.open(target.address));
    client::echo(&mut tcp, b"before");
    let before = world.listener.api.connector(UID).unwrap();
    let second = second(&world);
    let line = second.wait_log(&["another live session has this UID"]);
    assert_eq!(line.level(), Some("WARN"), "{line}");
    world
        .listener
        .wait_log(&["session refused", "live session", UID]);
    let after = world.listener.api.connector(UID).unwrap();
    assert_eq!(before["session"], after["session"]);
    client::echo(&mut tcp, b"after");
}

/// Fault 6: a dead session locked its UID out for a minute.
#[test]
fn a_session_that_does_not_answer_is_replaced() {
    let mut world = World::new();
    let target = Target::echo();
    let opening = world.open(target.address);
    let before = world.listener.api.connector(UID).unwrap();
    world.connector.signal(Signal::STOP);
    let second = second(&world);
    second.wait_session();
    world.listener.wait_log(&["was replaced", UID]);
    let after = world.listener.api.connector(UID).unwrap();
    assert_ne!(before["session"], after["session"]);
    client::echo(&mut client::connect(opening), b"through the second");
    world.connector.signal(Signal::CONT);
    let line = world.connector.wait_log(&["took this one's place"]);
    assert_eq!(line.level(), Some("WARN"), "{line}");
    let last = world.listener.api.connector(UID).unwrap();
    assert_eq!(after["session"], last["session"]);
}

#[test]
fn in_replace_mode_the_later_session_wins() {
    let world = World::with(&[("SWL_DUPLICATE_UID", "replace")], &json!({}));
    let target = Target::echo();
    let opening = world.open(target.address);
    let second = second(&world);
    second.wait_session();
    world.connector.wait_log(&["took this one's place"]);
    client::echo(&mut client::connect(opening), b"through the second");
}

#[test]
fn two_uids_do_not_share_anything() {
    let world = World::new();
    let mut other = Connector::start(&world.site, "device2", world.listener.quic);
    other.wait_session();
    let (first, second) = (Target::greeter("first"), Target::greeter("second"));
    let one = world.open(first.address);
    let two = world.open_for("device2", second.address);
    client::expect(&mut client::connect(one), b"first");
    client::expect(&mut client::connect(two), b"second");
    other.stop();
    world.listener.api.wait_gone("device2");
    world.listener.api.wait_state(two.port(), "waiting");
    client::expect(&mut client::connect(one), b"first");
}

#[test]
fn a_connector_that_leaves_leaves_no_trace() {
    let mut world = World::new();
    let target = Target::echo();
    let opening = world.open(target.address);
    world.connector.stop();
    world.listener.api.wait_gone(UID);
    world.listener.api.wait_state(opening.port(), "waiting");
    client::wait_refused(opening);
    let again = Connector::start(&world.site, UID, world.listener.quic);
    again.wait_session();
    world.listener.api.wait_state(opening.port(), "listening");
    client::echo(&mut client::connect(opening), b"back");
}

/// Sessions come and go many times without leaking descriptors.
#[test]
fn sessions_free_their_descriptors() {
    let site = Site::new();
    let listener = Listener::start(&site);
    let come_and_go = || {
        let mut connector = Connector::start(&site, UID, listener.quic);
        connector.wait_session();
        connector.stop();
        listener.api.wait_gone(UID);
    };
    come_and_go();
    let before = listener.descriptors();
    for _ in 0..5 {
        come_and_go();
    }
    until("descriptors are freed", || {
        (listener.descriptors() <= before).then_some(())
    });
}

#[test]
fn an_operator_can_close_a_session() {
    let world = World::new();
    let target = Target::echo();
    let opening = world.open(target.address);
    let mut tcp = client::connect(opening);
    client::echo(&mut tcp, b"hello");
    let reply = world.listener.api.call("DELETE", "/connectors/device1");
    assert_eq!(reply.ok()["uid"], UID);
    assert_eq!(client::read_all(&tcp).end, client::RESET);
    let line = world
        .connector
        .wait_log(&["an operator closed this session"]);
    assert_eq!(line.level(), Some("WARN"), "{line}");
    world.listener.api.wait_state(opening.port(), "waiting");
}
