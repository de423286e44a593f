//! What looked harmless and was not: inputs that were taken for something else, and callers who only hold a place.

use std::{io::Write, net::TcpStream};

use serde_json::json;
use system_tests::{
    client, http,
    listener::Listener,
    site::Site,
    target::Target,
    world::{UID, World},
};

#[test]
fn a_list_of_no_sources_is_a_mistake_not_everybody() {
    let world = World::new();
    let target = Target::echo();
    let body = json!({
        "uid": UID, "port": 0, "connect_address": "127.0.0.1",
        "connect_port": target.address.port(), "allow_sources": [],
    });
    let problem = world
        .listener
        .api
        .json("POST", "/open", &body)
        .problem(400, "invalid_field");
    assert_eq!(problem["field"], "allow_sources");
}

#[test]
fn lists_are_no_objects_and_nothing_is_read_twice() {
    let world = World::new();
    let target = Target::echo();
    let opening = world.open(target.address);
    let api = &world.listener.api;
    let body = format!("[{},0]", opening.port());
    api.text("DELETE", "/close", &body)
        .problem(400, "invalid_field");
    let path = format!("/close?port={0}&port={0}", opening.port());
    api.call("DELETE", &path).problem(400, "invalid_field");
    let problem = api.call("DELETE", "/close").problem(400, "invalid_field");
    assert_eq!(problem["field"], "port");
    client::echo(&mut client::connect(opening), b"still open");
}

#[test]
fn nobody_can_connect_to_a_multicast_address() {
    let world = World::new();
    let target = Target::echo();
    for address in ["239.1.1.1", "255.255.255.255"] {
        let body = json!({
            "uid": UID, "port": 0, "connect_address": "127.0.0.1",
            "connect_port": target.address.port(), "bind_address": address,
        });
        let problem = world
            .listener
            .api
            .json("POST", "/open", &body)
            .problem(400, "invalid_field");
        assert_eq!(problem["field"], "bind_address", "{address}");
    }
}

#[test]
fn every_host_of_a_request_must_be_ours() {
    let site = Site::new();
    let listener = Listener::start(&site);
    for request in [
        "GET /list HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\n\r\n",
        "GET http://evil.example/list HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        "GET /list HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://127.0.0.1\r\nOrigin: http://evil.example\r\n\r\n",
    ] {
        let closing = request.replacen("\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1);
        let replies = http::raw(listener.api.address, closing.as_bytes());
        let statuses: Vec<_> = replies.iter().map(|reply| reply.status).collect();
        assert!(
            statuses == [403] || statuses == [400],
            "{request:?}: {statuses:?}"
        );
    }
}

/// Callers who begin a request and never end it must not keep others out.
#[test]
fn the_api_answers_beside_callers_who_only_hold_a_place() {
    let site = Site::new();
    let listener = Listener::start(&site);
    let holding: Vec<TcpStream> = (0..600)
        .map(|_| {
            let mut tcp = client::connect(listener.api.address);
            // The oldest may have been cut already.
            let _ = tcp.write_all(b"G");
            tcp
        })
        .collect();
    let began = std::time::Instant::now();
    listener.api.call("GET", "/healthz").ok();
    let waited = began.elapsed();
    // Without cutting the oldest it takes the 10 s after which a head is too late.
    assert!(waited.as_secs() < 5, "{waited:?}");
    drop(holding);
}
