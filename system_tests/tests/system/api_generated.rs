//! Two thousand generated requests: any answer but a 5xx, and the listener is as before.

use serde_json::{Value, json};
use system_tests::{listener::Listener, noise::Noise, site::Site};

/// A request that only lacks a connected UID.
fn good() -> Value {
    json!({"uid": "a", "port": 0, "connect_address": "h", "connect_port": 1})
}

#[test]
fn generated_bodies_never_break_it() {
    let site = Site::new();
    let listener = Listener::start(&site);
    let mut noise = Noise::new(20_261_120, 0);
    for number in 0..2000 {
        let body = generated(&mut noise, 3).to_string();
        let body = if noise.below(8) == 0 {
            damaged(&mut noise, &body)
        } else {
            body
        };
        let (method, path) = match noise.below(4) {
            0 => ("DELETE", "/close"),
            _ => ("POST", "/open"),
        };
        let reply = listener.api.text(method, path, &body);
        assert!(
            (400..500).contains(&reply.status),
            "body {number} {body}: {reply:?}"
        );
        let code = &reply.json()["code"];
        assert!(code.is_string(), "body {number} {body}: {reply:?}");
    }
    listener.api.call("GET", "/healthz").ok();
    assert!(listener.api.list().is_empty());
}

fn generated(noise: &mut Noise, depth: usize) -> Value {
    const KEYS: [&str; 11] = [
        "uid",
        "port",
        "connect_address",
        "connect_port",
        "bind_address",
        "reason",
        "allow_sources",
        "max_connections",
        "idle_timeout_seconds",
        "drain_seconds",
        "extra",
    ];
    match noise.below(10) {
        // Mostly objects that come near to what is asked for.
        0..5 if depth > 0 => {
            let mut object = if noise.below(2) == 0 {
                good()
            } else {
                json!({})
            };
            for _ in 0..noise.below(5) {
                let key = KEYS[noise.below(KEYS.len())];
                object[key] = generated(noise, depth - 1);
            }
            object
        }
        5 if depth > 0 => (0..noise.below(4))
            .map(|_| generated(noise, depth - 1))
            .collect(),
        6 => json!(noise.below(70_000) as i64 - 2000),
        7 => [
            Value::Null,
            true.into(),
            json!(-0.0),
            json!(1e308),
            json!(u64::MAX),
        ][noise.below(5)]
        .clone(),
        _ => {
            let texts = [
                "",
                "a",
                "127.0.0.1",
                "::1",
                "0.0.0.0/0",
                "é\u{202e}\u{0}",
                "localhost",
                "{}",
                "65536",
            ];
            texts[noise.below(texts.len())].into()
        }
    }
}

fn damaged(noise: &mut Noise, text: &str) -> String {
    let mut chars: Vec<_> = text.chars().collect();
    let at = noise.below(chars.len());
    match noise.below(3) {
        0 => drop(chars.remove(at)),
        1 => chars.insert(at, '"'),
        _ => chars.truncate(at),
    }
    chars.into_iter().collect()
}
