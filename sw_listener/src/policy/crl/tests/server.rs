//! A small HTTP server that does what it is told, also what no server should.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_util::task::AbortOnDropHandle;

/// What it does with a question.
#[derive(Clone)]
pub(super) enum Answer {
    /// 200, with these bytes.
    Good(Vec<u8>),
    /// This status and header, and nothing else.
    Head(&'static str),
    /// These bytes, without HTTP.
    Raw(&'static [u8]),
    /// 200, and bytes for ever.
    Endless,
    /// Takes the question and says nothing.
    Silent,
}

pub(super) struct Server {
    pub(super) address: SocketAddr,
    answer: Arc<Mutex<Answer>>,
    _task: AbortOnDropHandle<()>,
}

impl Server {
    pub(super) async fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let answer = Arc::new(Mutex::new(answer));
        let shared = answer.clone();
        let task = tokio::spawn(async move {
            let mut clients = Vec::new();
            while let Ok((client, _)) = listener.accept().await {
                let answer = shared.clone();
                let serving = tokio::spawn(async move {
                    // The client may leave at any time.
                    let _ = serve(client, &answer).await;
                });
                clients.push(AbortOnDropHandle::new(serving));
            }
        });
        Self {
            address,
            answer,
            _task: AbortOnDropHandle::new(task),
        }
    }

    pub(super) fn will(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }
}

async fn serve(mut client: TcpStream, answer: &Mutex<Answer>) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await?);
    }
    let answer = answer.lock().unwrap().clone();
    match answer {
        Answer::Good(body) => {
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            client.write_all(head.as_bytes()).await?;
            client.write_all(&body).await
        }
        Answer::Head(head) => {
            let head = format!("HTTP/1.1 {head}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            client.write_all(head.as_bytes()).await
        }
        Answer::Raw(bytes) => client.write_all(bytes).await,
        Answer::Endless => {
            client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
            let chunk = vec![0x30; 1 << 20];
            loop {
                client.write_all(&chunk).await?;
            }
        }
        Answer::Silent => std::future::pending().await,
    }
}
