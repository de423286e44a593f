//! A target that cannot be reached becomes a reset for the client, and one line in each log that says why.

use std::net::SocketAddr;

use serde_json::{Value, json};
use system_tests::{
    api::open_body,
    client::{self, End, RESET},
    target::{self, Target},
    until,
    world::{UID, World},
};

/// Opens to a target by name.
fn open_name(world: &World, host: &str, port: u16) -> SocketAddr {
    let mut body: Value = open_body(UID, 0, target::nobody());
    body["connect_address"] = host.into();
    body["connect_port"] = port.into();
    let view = world.listener.api.json("POST", "/open", &body).ok();
    let port = u16::try_from(view["port"].as_u64().unwrap()).unwrap();
    ([127, 0, 0, 1], port).into()
}

fn expect_refusal(world: &World, opening: SocketAddr, target: &str, code: &str) {
    let received = client::download(opening);
    assert_eq!((received.bytes, received.end), (0, RESET));
    let listener = world
        .listener
        .wait_log(&["target not reached", target, code]);
    assert_eq!(listener.level(), Some("WARN"), "{listener}");
    assert_eq!(listener.field("uid"), Some(UID), "{listener}");
    assert!(listener.field("client").is_some(), "{listener}");
    let connector = world
        .connector
        .wait_log(&["target not reached", target, code]);
    assert_eq!(connector.level(), Some("WARN"), "{connector}");
    until("the refusal is counted", || {
        let view = world.listener.api.opening(opening.port())?;
        (view["refused_total"] == 1 && view["connections"] == 0).then_some(())
    });
}

#[test]
fn a_port_where_nobody_listens() {
    let world = World::new();
    let nobody = target::nobody();
    let opening = world.open(nobody);
    expect_refusal(&world, opening, &nobody.to_string(), "dial_refused");
}

#[test]
fn a_name_that_does_not_exist() {
    let world = World::new();
    let opening = open_name(&world, "no-such-host.invalid", 80);
    expect_refusal(&world, opening, "no-such-host.invalid:80", "dns_failed");
}

#[test]
fn a_target_that_the_connector_does_not_allow() {
    let allowed = Target::greeter("allowed");
    let settings = json!({"allowed_targets": [allowed.address.to_string()]});
    let world = World::with(&[], &settings);
    let secret = Target::greeter("secret");
    let opening = world.open(secret.address);
    expect_refusal(
        &world,
        opening,
        &secret.address.to_string(),
        "target_denied",
    );
    // The same address by a name is the same address.
    let opening = open_name(&world, "localhost", secret.address.port());
    expect_refusal(&world, opening, "localhost", "target_denied");
    let mut tcp = client::connect(world.open(allowed.address));
    client::expect(&mut tcp, b"allowed");
}

/// Fault 4: the connector dialled whatever it was told.
#[test]
fn metadata_addresses_are_never_dialled_unless_listed() {
    let world = World::new();
    world.connector.wait_log(&["allowed_targets is not set"]);
    let opening = open_name(&world, "169.254.169.254", 80);
    expect_refusal(&world, opening, "169.254.169.254:80", "target_denied");
}

#[test]
fn a_client_that_has_sent_data_is_reset_all_the_same() {
    let world = World::new();
    let opening = world.open(target::nobody());
    // An error of a socket is told once: to whoever uses it first after the reset, be it connecting.
    let end = client::try_connect(opening)
        .and_then(|tcp| client::send_noise(&tcp, 1, 1 << 20).map(|()| tcp))
        .map_or_else(
            |error| End::Error(error.kind()),
            |tcp| client::read_all(&tcp).end,
        );
    assert_eq!(end, RESET);
}

#[test]
fn sources_that_an_opening_does_not_allow_are_reset_and_counted() {
    let world = World::new();
    let target = Target::greeter("hello");
    let opening = world.open_with(target.address, &json!({"allow_sources": ["192.0.2.0/24"]}));
    assert_eq!(client::download(opening).end, RESET);
    let opening = world.open_with(target.address, &json!({"allow_sources": ["127.0.0.0/8"]}));
    client::expect(&mut client::connect(opening), b"hello");
    let denied: Vec<_> = world.listener.api.list();
    let denied: Vec<_> = denied.iter().map(|view| &view["denied_total"]).collect();
    assert!(denied.contains(&&json!(1)), "{denied:?}");
}

#[test]
fn clients_beyond_the_limit_of_an_opening_are_reset() {
    let world = World::new();
    let target = Target::echo();
    let opening = world.open_with(target.address, &json!({"max_connections": 1}));
    let mut first = client::connect(opening);
    client::echo(&mut first, b"one");
    assert_eq!(client::download(opening).end, RESET);
    client::echo(&mut first, b"still there");
    drop(first);
    world.listener.api.wait_streams(UID, 0);
    client::echo(&mut client::connect(opening), b"two");
}

#[test]
fn an_idle_limit_cuts_only_idle_streams() {
    let world = World::new();
    let target = Target::echo();
    let opening = world.open_with(target.address, &json!({"idle_timeout_seconds": 1}));
    let mut tcp = client::connect(opening);
    client::echo(&mut tcp, b"hello");
    assert_eq!(client::read_all(&tcp).end, RESET);
}
