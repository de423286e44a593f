//! The listener's API as a program would call it.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::{
    http::{self, Reply},
    until,
};

/// Where it is, and with which token it is called.
#[derive(Debug, Clone)]
pub struct Api {
    /// Its address.
    pub address: SocketAddr,
    token: Option<String>,
}

impl Api {
    /// Without a token.
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            token: None,
        }
    }

    /// The same with a token.
    pub fn with_token(&self, token: &str) -> Self {
        Self {
            address: self.address,
            token: Some(token.to_owned()),
        }
    }

    /// One request with these headers besides Host, on a connection of its own.
    ///
    /// # Panics
    /// When there is not exactly one answer.
    pub fn send(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> Reply {
        let mut request = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        if !headers.contains("Host:") {
            request += &format!("Host: {}\r\n", self.address);
        }
        if let Some(token) = &self.token {
            request += &format!("Authorization: Bearer {token}\r\n");
        }
        if !body.is_empty() && !headers.contains("Content-Length:") {
            request += &format!("Content-Length: {}\r\n", body.len());
        }
        request += &format!("{headers}\r\n");
        let replies = http::raw(self.address, &[request.as_bytes(), body].concat());
        let [reply] = replies.as_slice() else {
            panic!("one answer expected to {method} {path}, not {replies:?}");
        };
        reply.clone()
    }

    /// A request without a body.
    pub fn call(&self, method: &str, path: &str) -> Reply {
        self.send(method, path, "", b"")
    }

    /// A request with a JSON body.
    pub fn json(&self, method: &str, path: &str, body: &Value) -> Reply {
        self.text(method, path, &body.to_string())
    }

    /// A request with a body that says that it is JSON.
    pub fn text(&self, method: &str, path: &str, body: &str) -> Reply {
        let header = "Content-Type: application/json\r\n";
        self.send(method, path, header, body.as_bytes())
    }

    /// `POST /open` with 1.x's fields.
    pub fn open(&self, uid: &str, port: u16, target: SocketAddr) -> Reply {
        self.json("POST", "/open", &open_body(uid, port, target))
    }

    /// `DELETE /close`.
    pub fn close(&self, port: u16) -> Reply {
        self.json("DELETE", "/close", &json!({ "port": port }))
    }

    /// `GET /list`.
    pub fn list(&self) -> Vec<Value> {
        array(self.call("GET", "/list").ok())
    }

    /// The opening with this port.
    pub fn opening(&self, port: u16) -> Option<Value> {
        self.list().into_iter().find(|view| view["port"] == port)
    }

    /// Waits until an opening is in this state.
    pub fn wait_state(&self, port: u16, state: &str) -> Value {
        until(&format!("port {port} is {state}"), || {
            self.opening(port).filter(|view| view["state"] == state)
        })
    }

    /// `GET /connectors`.
    pub fn connectors(&self) -> Vec<Value> {
        array(self.call("GET", "/connectors").ok())
    }

    /// The session of a UID.
    pub fn connector(&self, uid: &str) -> Option<Value> {
        let all = self.connectors();
        all.into_iter().find(|view| view["uid"] == uid)
    }

    /// Waits until a UID has a session.
    pub fn wait_connected(&self, uid: &str) -> Value {
        until(&format!("{uid} is connected"), || self.connector(uid))
    }

    /// Waits until a UID has none.
    pub fn wait_gone(&self, uid: &str) {
        until(&format!("{uid} is gone"), || {
            self.connector(uid).is_none().then_some(())
        });
    }

    /// Waits until the session of a UID has this many streams.
    pub fn wait_streams(&self, uid: &str, count: usize) {
        until(&format!("{uid} has {count} streams"), || {
            let session = self.connector(uid)?;
            (session["streams"] == count).then_some(())
        });
    }
}

/// The body of `POST /open`; the port is bound on loopback only.
pub fn open_body(uid: &str, port: u16, target: SocketAddr) -> Value {
    json!({
        "uid": uid, "port": port, "bind_address": "127.0.0.1",
        "connect_address": target.ip().to_string(), "connect_port": target.port(),
    })
}

fn array(value: Value) -> Vec<Value> {
    match value {
        Value::Array(all) => all,
        other => panic!("an array expected, not {other}"),
    }
}
