//! Whatever is sent to the API: what is wrong gets a 4xx that names it, and the listener lives on.

use serde_json::{Value, json};
use system_tests::{api::Api, client, http, listener::Listener, site::Site, until};

fn listener() -> (Site, Listener) {
    let site = Site::new();
    let listener = Listener::start(&site);
    (site, listener)
}

/// A request that only lacks a connected UID.
fn good() -> Value {
    json!({"uid": "a", "port": 0, "connect_address": "h", "connect_port": 1})
}

fn alive(api: &Api) {
    api.call("GET", "/healthz").ok();
    assert!(api.list().is_empty());
}

#[test]
fn every_wrong_field_is_named() {
    let (_site, listener) = listener();
    let api = &listener.api;
    let reply = api.json("POST", "/open", &good());
    reply.problem(404, "uid_not_connected");
    let wrong: [(&str, &[Value]); 9] = [
        (
            "uid",
            &[
                json!(""),
                json!("a b"),
                json!("a\nb"),
                json!(7),
                json!([]),
                json!("x".repeat(65)),
                Value::Null,
            ],
        ),
        (
            "port",
            &[
                json!(65536),
                json!(-1),
                json!(1.5),
                json!("80"),
                json!(true),
                Value::Null,
                json!(1e300),
            ],
        ),
        (
            "connect_address",
            &[
                json!(""),
                json!("a b"),
                json!("1.2.3.4.5"),
                json!("[::1"),
                json!({}),
                json!("h\u{0}"),
                Value::Null,
            ],
        ),
        (
            "connect_port",
            &[json!(0), json!(65536), json!("1"), Value::Null],
        ),
        (
            "bind_address",
            &[json!(""), json!("localhost"), json!("1.2.3"), json!(1)],
        ),
        ("reason", &[json!("a\nb"), json!("x".repeat(257)), json!(1)]),
        ("allow_sources", &[json!(["x"]), json!(["10.0.0.0/33"])]),
        ("max_connections", &[json!(0), json!(-1), json!("1")]),
        ("idle_timeout_seconds", &[json!(0), json!(4_294_967_296u64)]),
    ];
    for (field, values) in wrong {
        for value in values {
            let mut body = good();
            body[field] = value.clone();
            let problem = api
                .json("POST", "/open", &body)
                .problem(400, "invalid_field");
            assert_eq!(problem["field"], field, "{body}: {problem}");
        }
    }
    for field in ["uid", "port", "connect_address", "connect_port"] {
        let mut body = good();
        body.as_object_mut().unwrap().remove(field);
        let problem = api
            .json("POST", "/open", &body)
            .problem(400, "invalid_field");
        assert_eq!(problem["field"], field, "missing: {problem}");
        let mut body = good();
        body[format!("{field}x")] = 1.into();
        let problem = api
            .json("POST", "/open", &body)
            .problem(400, "invalid_field");
        assert_eq!(problem["field"], format!("{field}x"), "unknown: {problem}");
    }
    alive(api);
}

#[test]
fn duplicate_fields_are_refused() {
    let (_site, listener) = listener();
    let text = r#"{"uid":"a","uid":"b","port":0,"connect_address":"h","connect_port":1}"#;
    let problem = listener.api.text("POST", "/open", text);
    assert_eq!(problem.problem(400, "invalid_field")["field"], "uid");
}

#[test]
fn what_is_not_json_is_refused() {
    let (_site, listener) = listener();
    let api = &listener.api;
    for text in [
        "{",
        "}",
        "{\"uid\": \"a\"",
        "uid=a",
        "\u{0}",
        "{} {}",
        "\u{feff}{}",
        "'a'",
        "{\"a\":NaN}",
    ] {
        let reply = api.text("POST", "/open", text);
        let status = (reply.status, &reply.json()["code"]);
        assert_eq!(reply.status, 400, "{text:?}: {status:?}");
    }
    for text in ["[]", "null", "1", "\"open\"", "true"] {
        api.text("POST", "/open", text)
            .problem(400, "invalid_field");
    }
    let header = "Content-Type: application/json\r\n";
    let invalid = b"{\"uid\": \"\xff\xfe\", \"port\": 1}";
    assert_eq!(api.send("POST", "/open", header, invalid).status, 400);
    assert_eq!(api.send("POST", "/open", header, b"").status, 400);
    alive(api);
}

#[test]
fn the_content_type_must_be_json() {
    let (_site, listener) = listener();
    let body = good().to_string();
    for header in [
        "",
        "Content-Type: text/plain\r\n",
        "Content-Type: application/jsonx\r\n",
    ] {
        let reply = listener.api.send("POST", "/open", header, body.as_bytes());
        reply.problem(415, "not_json");
    }
    let header = "Content-Type: Application/JSON; charset=utf-8\r\n";
    let reply = listener.api.send("POST", "/open", header, body.as_bytes());
    reply.problem(404, "uid_not_connected");
}

#[test]
fn long_and_endless_bodies_are_cut_off() {
    let (_site, listener) = listener();
    let api = &listener.api;
    let long = format!("{{\"uid\": \"{}\"}}", "x".repeat(20 * 1024));
    api.text("POST", "/open", &long)
        .problem(413, "body_too_large");
    let nested = "[".repeat(16_000);
    assert_eq!(api.text("POST", "/open", &nested).status, 400);
    let deep = format!("{{\"uid\":{}", "{\"a\":".repeat(3000));
    assert_eq!(api.text("POST", "/open", &deep).status, 400);

    let head = format!(
        "POST /open HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
        api.address
    );
    let chunk = format!("{:x}\r\n{}\r\n", 1024, "x".repeat(1024));
    let endless = [head, chunk.repeat(64)].concat();
    let replies = http::raw(api.address, endless.as_bytes());
    replies
        .first()
        .expect("an answer")
        .problem(413, "body_too_large");
    alive(api);
}

#[test]
fn paths_and_methods_that_do_not_exist() {
    let (_site, listener) = listener();
    let api = &listener.api;
    for path in [
        "/",
        "/opens",
        "/open/",
        "/list/x",
        "/connectors/a/b",
        "/%2e%2e/etc/passwd",
        "//list",
        "/LIST",
    ] {
        let status = api.call("GET", path).status;
        assert!(matches!(status, 404 | 405), "{path}: {status}");
    }
    api.call("GET", "/no-such-path")
        .problem(404, "no_such_path");
    for (method, path) in [
        ("GET", "/open"),
        ("PUT", "/open"),
        ("POST", "/close"),
        ("GET", "/close"),
        ("POST", "/list"),
        ("DELETE", "/list"),
        ("POST", "/connectors"),
        ("GET", "/connectors/a"),
        ("POST", "/healthz"),
        ("BREW", "/list"),
    ] {
        api.call(method, path).problem(405, "method_not_allowed");
    }
    for query in [
        "",
        "?port=",
        "?port=x",
        "?port=65536",
        "?port=-1",
        "?prot=1",
        "?port=1&drain_seconds=x",
    ] {
        let status = api.call("DELETE", &format!("/close{query}")).status;
        assert!(matches!(status, 400 | 415), "{query}: {status}");
    }
    api.call("DELETE", "/close?port=1")
        .problem(404, "no_such_opening");
    let bad_uid = api.call("DELETE", "/connectors/a%20b");
    assert_eq!(bad_uid.problem(400, "invalid_field")["field"], "uid");
    assert_eq!(api.call("DELETE", "/connectors/%ff").status, 400);
    alive(api);
}

/// DNS rebinding: a web page in a browser on the same machine.
#[test]
fn foreign_hosts_and_origins_are_refused() {
    let (_site, listener) = listener();
    let api = &listener.api;
    for host in [
        "evil.example",
        "evil.example:8080",
        "127.0.0.1.evil.example",
        "",
        "[::1",
        "a b",
    ] {
        let status = api
            .send("GET", "/list", &format!("Host: {host}\r\n"), b"")
            .status;
        assert!(matches!(status, 400 | 403), "{host}: {status}");
    }
    let request = b"GET /list HTTP/1.1\r\nConnection: close\r\n\r\n";
    assert!(matches!(
        http::raw(api.address, request)[0].status,
        400 | 403
    ));
    for origin in [
        "http://evil.example",
        "null",
        "https://127.0.0.1.evil.example",
    ] {
        let reply = api.send("GET", "/list", &format!("Origin: {origin}\r\n"), b"");
        reply.problem(403, "origin_not_allowed");
    }
    for host in ["localhost", "127.0.0.1:1", "[::1]:80"] {
        api.send("GET", "/list", &format!("Host: {host}\r\n"), b"")
            .ok();
    }
}

#[test]
fn requests_in_a_row_get_answers_in_a_row() {
    let (_site, listener) = listener();
    let host = listener.api.address;
    let one = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let last = format!("GET /list HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    let all = [one("/list"), one("/nothing"), one("/healthz"), last].concat();
    let replies = http::raw(host, all.as_bytes());
    let statuses: Vec<_> = replies.iter().map(|reply| reply.status).collect();
    assert_eq!(statuses, [200, 404, 200, 200]);
}

#[test]
fn what_is_not_http_ends_the_connection_and_nothing_else() {
    let (_site, listener) = listener();
    let api = &listener.api;
    let long_path = format!(
        "GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "x".repeat(600_000)
    );
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"\0\0\0\0\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /list HTTP/9.9\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"POST /open HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"POST /open HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        long_path.as_bytes(),
    ] {
        let tcp = client::connect(api.address);
        // The server may close before it has read everything.
        let _ = std::io::Write::write_all(&mut &tcp, bytes);
        client::finish(&tcp);
        for reply in http::replies(&tcp) {
            assert!((400..500).contains(&reply.status), "{reply:?}");
        }
    }
    alive(api);
}

/// A client that sends the head of its request byte by byte is cut off after 10 s, and holds nobody up meanwhile.
#[test]
fn slow_heads_are_cut_off() {
    let (_site, listener) = listener();
    let api = &listener.api;
    let slow: Vec<_> = (0..20).map(|_| client::connect(api.address)).collect();
    for mut tcp in &slow {
        std::io::Write::write_all(&mut tcp, b"GET /list HTTP/1.1\r\nHo").unwrap();
    }
    alive(api);
    for tcp in &slow {
        let received = client::read_all(tcp);
        assert_ne!(
            received.end,
            client::End::Error(std::io::ErrorKind::WouldBlock)
        );
    }
    until("their descriptors are freed", || {
        (listener.descriptors() < 25).then_some(())
    });
    alive(api);
}
