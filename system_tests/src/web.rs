//! An HTTP server that does what it is told, also what no server should.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use crate::{client, target::Target};

/// Time between two bytes of an answer that drips.
const DRIP: Duration = Duration::from_millis(200);

/// What it does with every question.
#[derive(Debug, Clone)]
pub enum Behaviour {
    /// Answers with this status and body.
    Answer(u16, String),
    /// Answers with something that is not HTTP.
    Garbage,
    /// Answers with a body that never ends, as fast as it is taken.
    Endless,
    /// Answers with a body that comes byte by byte.
    Drip,
    /// Sends the caller elsewhere.
    Redirect(String),
    /// Takes the question and says nothing.
    Hang,
}

/// The server.
pub struct Web {
    target: Target,
    behaviour: Arc<Mutex<Behaviour>>,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Web {
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

    /// The address of something on it.
    pub fn at(&self, path: &str) -> String {
        format!("http://{}{path}", self.address())
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

    /// Waits for a question that has not come yet.
    pub fn wait_question(&self) {
        let before = self.questions().len();
        crate::until("another question", || {
            (self.questions().len() > before).then_some(())
        });
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
    const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{\"uid\": \"";
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
            tcp.write_all(OK).ok()?;
            let _ = client::send_noise(tcp, 1, u64::MAX);
            return None;
        }
        Behaviour::Drip => {
            tcp.write_all(OK).ok()?;
            while tcp.write_all(b"x").is_ok() {
                thread::sleep(DRIP);
            }
            return None;
        }
        Behaviour::Hang => {
            client::read_all(tcp);
            return None;
        }
    };
    tcp.write_all(answer.as_bytes()).ok()
}
