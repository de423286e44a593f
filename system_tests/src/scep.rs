//! A stand-in for the SCEP server's verify API, well-behaved or not.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{Arc, Mutex},
};

use crate::{client, target::Target};

/// What it does with every question.
#[derive(Debug, Clone)]
pub enum Behaviour {
    /// Answers with this status and body.
    Answer(u16, String),
    /// Answers with something that is not HTTP.
    Garbage,
    /// Answers with a body that never ends.
    Endless,
    /// Sends the caller elsewhere.
    Redirect(String),
    /// Takes the question and says nothing.
    Hang,
}

/// The server.
pub struct Scep {
    target: Target,
    behaviour: Arc<Mutex<Behaviour>>,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Scep {
    /// A server.
    pub fn new(behaviour: Behaviour) -> Self {
        let behaviour = Arc::new(Mutex::new(behaviour));
        let heads = Arc::new(Mutex::new(Vec::new()));
        let (acts, asked) = (behaviour.clone(), heads.clone());
        let target = Target::new(move |mut tcp| {
            while let Some(head) = read_head(&mut tcp) {
                asked.lock().unwrap().push(head);
                let behaviour = acts.lock().unwrap().clone();
                if act(&mut tcp, behaviour).is_none() {
                    return;
                }
            }
        });
        Self {
            target,
            behaviour,
            heads,
        }
    }

    /// 200 with a `uid`, as procube-open/scep answers.
    pub fn vouches(uid: &str) -> Behaviour {
        let body = format!(r#"{{"uid": "{uid}", "status": "ACTIVE", "attributes": {{}}}}"#);
        Behaviour::Answer(200, body)
    }

    /// What belongs into `SWL_SCEP_URL`.
    pub fn url(&self) -> String {
        format!("http://{}/api/cert/verify", self.address())
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.target.address
    }

    /// Does something else from now on.
    pub fn behave(&self, behaviour: Behaviour) {
        *self.behaviour.lock().unwrap() = behaviour;
    }

    /// The heads of all questions so far.
    pub fn questions(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

fn read_head(tcp: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if tcp.read(&mut byte).ok()? == 0 {
            return None;
        }
        head.push(byte[0]);
    }
    String::from_utf8(head).ok()
}

/// Nothing when the connection is of no more use.
fn act(tcp: &mut TcpStream, behaviour: Behaviour) -> Option<()> {
    let answer = match behaviour {
        Behaviour::Answer(status, body) => {
            let length = body.len();
            format!(
                "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
            )
        }
        Behaviour::Garbage => "what?\r\n\r\n".repeat(10),
        Behaviour::Redirect(to) => {
            format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n")
        }
        Behaviour::Endless => {
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{\"uid\": \"";
            tcp.write_all(head.as_bytes()).ok()?;
            let _ = client::send_noise(tcp, 1, u64::MAX);
            return None;
        }
        Behaviour::Hang => {
            client::read_all(tcp);
            return None;
        }
    };
    tcp.write_all(answer.as_bytes()).ok()
}
