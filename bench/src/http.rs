//! As much of an HTTP client as calling the listener's API takes.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Context, Result};

const PATIENCE: Duration = Duration::from_secs(20);

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// 200 and so on.
    pub status: u16,
    /// What stands behind the head.
    pub body: String,
}

/// One request on a connection of its own; a body is JSON.
///
/// # Errors
/// When there is no answer.
pub fn call(address: SocketAddr, method: &str, path: &str, body: &str) -> Result<Reply> {
    let mut tcp = TcpStream::connect(address)
        .with_context(|| format!("cannot connect to the API at {address}"))?;
    tcp.set_read_timeout(Some(PATIENCE))?;
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    tcp.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    tcp.read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    parse(&answer).with_context(|| format!("{address} does not speak HTTP: {answer:?}"))
}

fn parse(answer: &str) -> Option<Reply> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let body = body.to_owned();
    Some(Reply { status, body })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_a_status_and_a_body() {
        let reply = parse("HTTP/1.1 404 Not Found\r\nA: b\r\n\r\n{\"c\": 1}").unwrap();
        assert_eq!(reply.status, 404);
        assert_eq!(reply.body, "{\"c\": 1}");
        assert_eq!(parse("nonsense"), None);
    }
}
