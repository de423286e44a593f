//! As much of a SCEP server as socket-warp 1.x asks for: it vouches for the certificates that were made for it.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::JoinHandle,
};

use anyhow::{Context, Result};

/// The header with the certificate: PEM, with `%` escapes.
const HEADER: &str = "x-mtls-clientcert:";

/// The server. It runs on the near side, where it is started.
#[derive(Debug)]
pub struct Scep {
    /// Where it listens.
    pub address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Scep {
    /// Vouches for these certificates (PEM), each with its UID.
    ///
    /// # Errors
    /// When no port can be bound.
    pub fn start(known: &[(String, String)]) -> Result<Self> {
        let known: HashMap<_, _> = known
            .iter()
            .map(|(certificate, uid)| (core(certificate), uid.clone()))
            .collect();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("cannot bind a port")?;
        let address = listener.local_addr()?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            for tcp in listener.incoming() {
                if stopped.load(Relaxed) {
                    return;
                }
                // Whoever breaks off needs no answer.
                let _ = tcp.map_err(Into::into).and_then(|tcp| answer(tcp, &known));
            }
        });
        Ok(Self {
            address,
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for Scep {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        // Wakes the thread up.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn answer(mut tcp: TcpStream, known: &HashMap<String, String>) -> Result<()> {
    let mut uid = None;
    for line in BufReader::new(tcp.try_clone()?).lines() {
        let line = line?;
        if line.is_empty() {
            break;
        }
        if line.to_ascii_lowercase().starts_with(HEADER) {
            uid = known.get(&core(&line[HEADER.len()..])).cloned();
        }
    }
    let (status, body) = match uid {
        Some(uid) => (
            "200 OK",
            format!(r#"{{"uid": "{uid}", "status": "ISSUED", "attributes": {{}}}}"#),
        ),
        None => ("401 Unauthorized", "{}".to_owned()),
    };
    let length = body.len();
    let head = "Content-Type: application/json\r\nConnection: close";
    write!(
        tcp,
        "HTTP/1.1 {status}\r\n{head}\r\nContent-Length: {length}\r\n\r\n{body}"
    )?;
    Ok(())
}

/// The base64 of a certificate, however it is escaped and wrapped, between the lines that begin and end it.
fn core(certificate: &str) -> String {
    let plain = unescape(certificate);
    let parts: Vec<_> = plain.split("-----").collect();
    let inner = parts.get(2).copied().unwrap_or(&plain);
    inner.split_whitespace().collect()
}

/// With the bytes that `%` escapes stand for.
fn unescape(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        plain.push_str(before);
        let byte = after
            .get(..2)
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        plain.push(byte.map_or('%', char::from));
        rest = byte.and_then(|_| after.get(2..)).unwrap_or(after);
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_core_is_the_same_however_it_is_wrapped() {
        let pem = "-----BEGIN CERTIFICATE-----\nAB+/\nCD==\n-----END CERTIFICATE-----\n";
        let escaped = "%2D%2D%2D%2D%2DBEGIN%20CERTIFICATE-----%0AAB%2b%2FCD%3D%3D%0A-----END%20CERTIFICATE-----";
        assert_eq!(core(pem), "AB+/CD==");
        assert_eq!(core(escaped), "AB+/CD==");
    }
}
