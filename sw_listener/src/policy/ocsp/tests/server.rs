//! A responder whose behaviour a test writes.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use crate::policy::ocsp::{der::Reader, request};

/// What it does with a question: the body of the POST goes in.
pub(super) enum Reply {
    /// These bytes, then the end.
    Bytes(Vec<u8>),
    /// These again and again.
    Endless(Vec<u8>),
    /// Nothing, with the connection open.
    Silence,
}

/// An OCSP answer in HTTP.
pub(super) fn ok(body: &[u8]) -> Reply {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    Reply::Bytes([head.as_bytes(), body].concat())
}

/// Runs until it is dropped.
pub(super) struct Server {
    pub(super) url: String,
    questions: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

impl Server {
    pub(super) async fn start(reply: impl Fn(&[u8]) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let questions = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&questions);
        let reply = Arc::new(reply);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                let (reply, count) = (Arc::clone(&reply), Arc::clone(&count));
                connections.spawn(async move {
                    let question = read(socket, &count).await;
                    if let Some((socket, question)) = question {
                        answer(socket, reply(&question)).await;
                    }
                });
            }
        });
        Self {
            url,
            questions,
            _tasks: tasks,
        }
    }

    /// How many questions have come.
    pub(super) fn questions(&self) -> usize {
        self.questions.load(Ordering::SeqCst)
    }
}

async fn read(mut socket: TcpStream, count: &AtomicUsize) -> Option<(TcpStream, Vec<u8>)> {
    let mut request = Vec::new();
    loop {
        if socket.read_buf(&mut request).await.ok()? == 0 {
            return None;
        }
        let text = String::from_utf8_lossy(&request).to_lowercase();
        let Some(head) = text.find("\r\n\r\n") else {
            continue;
        };
        let length = text.split("content-length: ").nth(1);
        let length = length.and_then(|rest| rest.split("\r\n").next());
        let length: usize = length.map_or(0, |length| length.parse().unwrap());
        // Bytes that are not UTF-8 come after the head, so its length is right.
        if request.len() >= head + 4 + length {
            count.fetch_add(1, Ordering::SeqCst);
            return Some((socket, request[head + 4..].to_vec()));
        }
    }
}

async fn answer(mut socket: TcpStream, reply: Reply) {
    match reply {
        Reply::Bytes(bytes) => {
            let _ = socket.write_all(&bytes).await;
            let _ = socket.shutdown().await;
        }
        Reply::Endless(bytes) => while socket.write_all(&bytes).await.is_ok() {},
        Reply::Silence => std::future::pending().await,
    }
}

/// The nonce in a question.
pub(super) fn nonce(question: &[u8]) -> Vec<u8> {
    let at = question
        .windows(request::NONCE.len())
        .position(|w| w == request::NONCE)
        .unwrap();
    let mut value = Reader::new(&question[at + request::NONCE.len()..]);
    let value = value.take(0x04, "extnValue").unwrap();
    Reader::new(value).take(0x04, "nonce").unwrap().to_vec()
}
