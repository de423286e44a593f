//! HTTP/1.1 by hand: a client that can also say what no client should.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
};

use serde_json::Value;

use crate::client;

/// An answer.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status.
    pub status: u16,
    head: String,
    /// The body as text.
    pub body: String,
}

impl Reply {
    /// A header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().skip(1);
        let mut pairs = lines.filter_map(|line| line.split_once(':'));
        let found = pairs.find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim())
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|error| panic!("{error} in {:?}", self.body))
    }

    /// The body of a 200.
    ///
    /// # Panics
    /// When the status is another.
    pub fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.body);
        self.json()
    }

    /// Checks that it is a problem of RFC 9457 with this status and code, and returns it.
    ///
    /// # Panics
    /// When it is something else.
    pub fn problem(&self, status: u16, code: &str) -> Value {
        let kind = self.header("content-type");
        assert_eq!(kind, Some("application/problem+json"), "{self:?}");
        let problem = self.json();
        assert_eq!(
            (self.status, &problem["code"]),
            (status, &code.into()),
            "{self:?}"
        );
        assert_eq!(problem["status"], status, "{self:?}");
        for member in ["type", "title", "detail"] {
            assert!(problem[member].is_string(), "{member} in {self:?}");
        }
        problem
    }
}

/// Sends bytes as they are and reads all answers until the server closes.
///
/// # Panics
/// When there is no server.
pub fn raw(address: SocketAddr, request: &[u8]) -> Vec<Reply> {
    let mut tcp = client::connect(address);
    // A server that has said no may stop listening in the middle of what we say.
    let _ = tcp.write_all(request);
    replies(&tcp)
}

/// Reads answers until the end.
pub fn replies(mut tcp: &TcpStream) -> Vec<Reply> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = tcp.read(&mut buffer) {
        bytes.extend_from_slice(&buffer[..count]);
    }
    let mut all = Vec::new();
    let mut rest = bytes.as_slice();
    while let Some((reply, after)) = parse(rest) {
        all.push(reply);
        rest = after;
    }
    all
}

fn parse(bytes: &[u8]) -> Option<(Reply, &[u8])> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let rest = &bytes[end + 4..];
    let reply = Reply {
        status,
        head,
        body: String::new(),
    };
    let length = reply.header("content-length");
    let length = length.map_or(rest.len(), |text| text.parse().unwrap());
    let (body, after) = rest.split_at(length.min(rest.len()));
    let body = String::from_utf8_lossy(body).into_owned();
    Some((Reply { body, ..reply }, after))
}
