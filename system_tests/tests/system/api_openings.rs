//! Openings over the API: what `/open`, `/close`, `/list` and `/connectors` promise.

use std::net::{Ipv4Addr, TcpListener};

use serde_json::{Value, json};
use system_tests::{
    api::open_body,
    at_once,
    client::{self, End, RESET},
    listener::Listener,
    ports,
    site::Site,
    target::{self, Target},
    until,
    world::{UID, World},
};

#[test]
fn opening_the_same_again_is_the_same_opening() {
    let world = World::new();
    let target = Target::greeter("hello");
    let api = &world.listener.api;
    let port = ports::free();
    let first = api.open(UID, port, target.address).ok();
    let again = api.open(UID, port, target.address).ok();
    assert_eq!(first["id"], again["id"]);
    assert_eq!(api.list().len(), 1);
    client::expect(
        &mut client::connect(([127, 0, 0, 1], port).into()),
        b"hello",
    );
}

#[test]
fn an_opening_on_the_port_of_another_is_a_conflict_that_names_it() {
    let world = World::new();
    let (one, two) = (Target::greeter("one"), Target::greeter("two"));
    let api = &world.listener.api;
    let port = ports::free();
    let holder = api.open(UID, port, one.address).ok();
    let problem = api.open(UID, port, two.address);
    let problem = problem.problem(409, "port_in_use_by_opening");
    assert_eq!(problem["holder"]["id"], holder["id"]);
    let detail = problem["detail"].as_str().unwrap();
    assert!(
        detail.contains(UID) && detail.contains(&one.address.to_string()),
        "{detail}"
    );
    // Other options are another opening, too.
    let mut body = open_body(UID, port, one.address);
    body["max_connections"] = 1.into();
    let other = api.json("POST", "/open", &body);
    other.problem(409, "port_in_use_by_opening");
    client::expect(&mut client::connect(([127, 0, 0, 1], port).into()), b"one");
}

#[test]
fn a_port_of_another_program_is_a_conflict() {
    let world = World::new();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = other.local_addr().unwrap().port();
    let api = &world.listener.api;
    let reply = api.open(UID, port, target::nobody());
    reply.problem(409, "port_in_use");
    assert_eq!(api.list(), [Value::Null; 0]);
    drop(other);
    api.open(UID, port, target::nobody()).ok();
}

#[test]
fn a_uid_that_is_not_connected_is_not_found() {
    let world = World::new();
    let api = &world.listener.api;
    let problem = api.open("nobody", 0, target::nobody());
    let problem = problem.problem(404, "uid_not_connected");
    assert!(problem["detail"].as_str().unwrap().contains("nobody"));
    assert!(api.list().is_empty());
    let kick = api.call("DELETE", "/connectors/nobody");
    kick.problem(404, "uid_not_connected");
}

/// Fault 7: port 0 was stored as 0.
#[test]
fn port_0_is_any_free_port_and_the_answer_says_which() {
    let world = World::new();
    let target = Target::greeter("hello");
    let (one, two) = (world.open(target.address), world.open(target.address));
    assert_ne!(one, two);
    assert_ne!(one.port(), 0);
    for opening in [one, two] {
        client::expect(&mut client::connect(opening), b"hello");
        world.listener.api.close(opening.port()).ok();
    }
    assert!(world.listener.api.list().is_empty());
}

#[test]
fn close_by_body_and_by_query_cuts_the_streams() {
    let world = World::new();
    let target = Target::echo();
    let api = &world.listener.api;
    for by_query in [false, true] {
        let port = ports::free();
        api.open(UID, port, target.address).ok();
        let opening = (Ipv4Addr::LOCALHOST, port).into();
        let mut tcp = client::connect(opening);
        client::echo(&mut tcp, b"hello");
        let reply = match by_query {
            true => api.call("DELETE", &format!("/close?port={port}")),
            false => api.close(port),
        };
        assert_eq!(reply.ok()["port"], port);
        client::wait_refused(opening);
        assert_eq!(client::read_all(&tcp).end, RESET);
        api.close(port).problem(404, "no_such_opening");
    }
}

#[test]
fn close_with_a_drain_lets_streams_finish_and_cuts_the_rest() {
    let world = World::new();
    let target = Target::echo();
    let api = &world.listener.api;
    let port = ports::free();
    let opening = (Ipv4Addr::LOCALHOST, port).into();
    api.open(UID, port, target.address).ok();
    let mut finishing = client::connect(opening);
    let mut staying = client::connect(opening);
    client::echo(&mut finishing, b"hello");
    client::echo(&mut staying, b"hello");
    let body = json!({"port": port, "drain_seconds": 2});
    api.json("DELETE", "/close", &body).ok();
    client::wait_refused(opening);
    client::echo(&mut finishing, b"still there");
    client::finish(&finishing);
    assert_eq!(client::read_all(&finishing).end, End::Eof);
    assert_eq!(client::read_all(&staying).end, RESET);
    // The port is free at once.
    api.open(UID, port, target.address).ok();
}

#[test]
fn the_list_shows_what_1x_showed_and_more() {
    let world = World::new();
    let target = Target::sender(1, 1000);
    let options = json!({
        "reason": "maintenance", "allow_sources": ["127.0.0.1", "192.0.2.0/24"], "max_connections": 5,
        "idle_timeout_seconds": 60,
    });
    let port = world.open_with(target.address, &options).port();
    let opening = (Ipv4Addr::LOCALHOST, port).into();
    let received = client::download(opening);
    assert_eq!(received.bytes, 1000);
    let view = world.listener.api.opening(port).unwrap();
    for (field, expected) in [
        ("port", json!(port)),
        ("uid", json!(UID)),
        ("connect_address", json!("127.0.0.1")),
        ("connect_port", json!(target.address.port())),
        ("state", json!("listening")),
        ("bind_address", json!("127.0.0.1")),
        ("reason", json!("maintenance")),
        ("allow_sources", json!(["127.0.0.1/32", "192.0.2.0/24"])),
        ("max_connections", json!(5)),
        ("idle_timeout_seconds", json!(60)),
        ("connections_total", json!(1)),
    ] {
        assert_eq!(view[field], expected, "{field} in {view}");
    }
    drop(received);
    until("the bytes are counted", || {
        // The client sends no FIN by itself, so the stream ends when its socket is gone.
        let view = world.listener.api.opening(port)?;
        (view["bytes_down"] == 1000 && view["connections"] == 0).then_some(())
    });
}

#[test]
fn connectors_are_listed_with_what_an_operator_asks_for() {
    let world = World::new();
    let view = world.listener.api.connector(UID).unwrap();
    assert_eq!(view["carrier"], "quic", "{view}");
    assert_eq!(view["protocol"], 2, "{view}");
    assert_eq!(view["streams"], 0, "{view}");
    assert!(view["rtt_ms"].as_f64().unwrap() > 0.0, "{view}");
    assert!(
        view["address"].as_str().unwrap().starts_with("127.0.0.1:"),
        "{view}"
    );
    for field in [
        "session",
        "hostname",
        "version",
        "certificate_serial",
        "since",
    ] {
        assert!(
            view[field].as_str().is_some_and(|text| !text.is_empty()),
            "{field}: {view}"
        );
    }
    let not_after = view["certificate_not_after"].as_str().unwrap();
    assert!(not_after.ends_with('Z') && not_after.len() == 20, "{view}");
}

#[test]
fn health_and_readiness() {
    let site = Site::new();
    let listener = Listener::start(&site);
    assert_eq!(listener.api.call("GET", "/healthz").ok()["status"], "ok");
    assert_eq!(
        listener.api.call("GET", "/readyz").ok()["reasons"],
        json!([])
    );
}

#[test]
fn openings_to_ipv6_and_names() {
    let world = World::new();
    let target = Target::greeter("hello");
    let mut body = open_body(UID, 0, target.address);
    body["connect_address"] = "localhost".into();
    let view = world.listener.api.json("POST", "/open", &body).ok();
    assert_eq!(view["connect_address"], "localhost");
    let port = u16::try_from(view["port"].as_u64().unwrap()).unwrap();
    client::expect(
        &mut client::connect(([127, 0, 0, 1], port).into()),
        b"hello",
    );

    body["connect_address"] = "::1".into();
    let view = world.listener.api.json("POST", "/open", &body).ok();
    assert_eq!(view["connect_address"], "::1");
}

/// Fault 7: two calls at once leaked a listener.
#[test]
fn many_calls_at_once_leave_one_opening_and_no_leak() {
    let world = World::new();
    let target = Target::echo();
    let api = &world.listener.api;
    let port = ports::free();
    api.open(UID, port, target.address).ok();
    api.close(port).ok();
    let before = world.listener.descriptors();
    for _ in 0..5 {
        let opens =
            at_once((0..8).map(|_| || api.open(UID, port, target.address).ok()["id"].clone()));
        assert!(opens.iter().all(|id| *id == opens[0]), "{opens:?}");
        let closes = at_once((0..8).map(|_| || api.close(port).status));
        assert_eq!(
            closes.iter().filter(|status| **status == 200).count(),
            1,
            "{closes:?}"
        );
    }
    client::wait_refused((Ipv4Addr::LOCALHOST, port).into());
    until("descriptors are freed", || {
        (world.listener.descriptors() <= before).then_some(())
    });
}

#[test]
fn a_uid_has_a_limit_of_openings() {
    let world = World::with(&[("SWL_MAX_OPENINGS_PER_UID", "2")], &json!({}));
    let api = &world.listener.api;
    for _ in 0..2 {
        api.open(UID, 0, target::nobody()).ok();
    }
    let reply = api.open(UID, 0, target::nobody());
    reply.problem(409, "too_many_openings");
}

#[test]
fn an_address_that_is_not_this_machines_is_refused() {
    let world = World::new();
    let mut body = open_body(UID, 0, target::nobody());
    body["bind_address"] = "192.0.2.1".into();
    let reply = world.listener.api.json("POST", "/open", &body);
    assert_eq!(reply.problem(400, "invalid_field")["field"], "bind_address");
}
