//! HTTP towards the servers that know of certificates: SCEP, CRL, OCSP. Each may be slow, endless or lying.
//!
//! One place for the limits: a longest answer, the time that it may take, and 5 s without a byte; no redirects, no proxy out
//! of the environment.

use std::time::Duration;

use common::errors;
use reqwest::{Certificate, StatusCode, Url, redirect};
use rustls::pki_types::CertificateDer;
use thiserror::Error;
use tokio::{runtime::Handle, time::timeout};
use tokio_util::task::AbortOnDropHandle;

/// Nobody is waited for longer who says nothing: neither for a connection, nor for the next bytes.
const SILENCE: Duration = Duration::from_secs(5);

/// How long an answer may be, and take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Its body, in bytes.
    bytes: usize,
    /// From the question to its end.
    whole: Duration,
    /// Without a byte.
    silence: Duration,
}

impl Limits {
    /// For an answer that a peer waits for: 5 s in all.
    pub const fn short(bytes: usize) -> Self {
        Self {
            bytes,
            whole: SILENCE,
            silence: SILENCE,
        }
    }

    /// For megabytes that nobody waits for: 60 s in all, which is 560 KB/s for 32 MiB.
    pub const fn long(bytes: usize) -> Self {
        Self {
            bytes,
            whole: Duration::from_secs(60),
            silence: SILENCE,
        }
    }
}

/// An answer, whatever its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The body, at most as long as was asked for.
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum FetchError {
    /// The client could not be made.
    #[error("cannot make the HTTP client: {}", errors::chain(.0))]
    Client(reqwest::Error),
    /// Not reached, or broken off.
    #[error("no answer: {}", errors::chain(.0))]
    Unreachable(reqwest::Error),
    /// Not a byte for so long.
    #[error("no answer: nothing came for {} s", .0.as_secs_f32())]
    Silent(Duration),
    /// It comes too slowly.
    #[error("the answer was not complete after {} s", .0.as_secs_f32())]
    TooSlow(Duration),
    /// Longer than was asked for.
    #[error("the answer is longer than {0} bytes")]
    TooLong(usize),
    /// The control plane is ending.
    #[error("the question was given up")]
    GivenUp,
}

/// Asks servers, on one runtime.
#[derive(Debug, Clone)]
pub struct Fetcher {
    client: reqwest::Client,
    /// The runtime of the client's pooled connections: they die with it, so it is the control plane's.
    runtime: Handle,
}

impl Fetcher {
    /// A fetcher that works on the current runtime. `ca`: who may have issued the certificates of https servers; without
    /// any, the system's CAs.
    ///
    /// # Errors
    /// [`FetchError::Client`].
    pub fn new(ca: Option<&[CertificateDer<'_>]>) -> Result<Self, FetchError> {
        let mut builder = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy();
        if let Some(ca) = ca {
            let ca: Result<Vec<_>, _> = ca.iter().map(|der| Certificate::from_der(der)).collect();
            builder = builder.tls_certs_only(ca.map_err(FetchError::Client)?);
        }
        Ok(Self {
            client: builder.build().map_err(FetchError::Client)?,
            runtime: Handle::current(),
        })
    }

    /// Begins a GET; give it to [`Self::send`].
    pub fn get(&self, url: Url) -> reqwest::RequestBuilder {
        self.client.get(url)
    }

    /// Begins a POST; give it to [`Self::send`].
    pub fn post(&self, url: Url) -> reqwest::RequestBuilder {
        self.client.post(url)
    }

    /// Sends a request and reads the answer.
    ///
    /// # Errors
    /// [`FetchError`].
    ///
    /// # Cancel safety
    /// Dropping the future gives the question up.
    pub async fn send(
        &self,
        request: reqwest::RequestBuilder,
        limits: Limits,
    ) -> Result<Answer, FetchError> {
        let asking = timeout(limits.whole, ask(request, limits));
        let asking = AbortOnDropHandle::new(self.runtime.spawn(asking));
        match asking.await {
            Ok(in_time) => in_time.unwrap_or(Err(FetchError::TooSlow(limits.whole))),
            Err(_) => Err(FetchError::GivenUp),
        }
    }
}

async fn ask(request: reqwest::RequestBuilder, limits: Limits) -> Result<Answer, FetchError> {
    let mut response = heard(request.send(), limits).await?;
    let status = response.status();
    let mut body = Vec::new();
    while let Some(chunk) = heard(response.chunk(), limits).await? {
        if body.len() + chunk.len() > limits.bytes {
            return Err(FetchError::TooLong(limits.bytes));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer { status, body })
}

/// The next that comes of it.
async fn heard<T>(
    next: impl Future<Output = reqwest::Result<T>>,
    limits: Limits,
) -> Result<T, FetchError> {
    match timeout(limits.silence, next).await {
        Ok(came) => came.map_err(FetchError::Unreachable),
        Err(_) => Err(FetchError::Silent(limits.silence)),
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
        time::sleep,
    };

    use super::*;

    /// A byte of the body so often.
    const DRIP: Duration = Duration::from_millis(20);

    /// A server that sends so many bytes slowly, and the rest of 100 never.
    async fn dripping(bytes: usize) -> (SocketAddr, AbortOnDropHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move {
            let (client, _) = listener.accept().await.unwrap();
            // The client may leave at any time.
            let _ = drip(client, bytes).await;
            std::future::pending::<()>().await;
        });
        (address, AbortOnDropHandle::new(serving))
    }

    async fn drip(mut client: TcpStream, bytes: usize) -> std::io::Result<()> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(client.read_u8().await?);
        }
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n";
        client.write_all(head).await?;
        for _ in 0..bytes {
            sleep(DRIP).await;
            client.write_all(b"x").await?;
        }
        std::future::pending().await
    }

    async fn fetch(bytes: usize, limits: Limits) -> Result<Answer, FetchError> {
        let (address, _server) = dripping(bytes).await;
        let fetcher = Fetcher::new(None).unwrap();
        let url = format!("http://{address}/").parse().unwrap();
        fetcher.send(fetcher.get(url), limits).await
    }

    /// A long CRL over a slow line never came to its end: 5 s were for all of it.
    #[tokio::test]
    async fn slow_is_not_silent() {
        let limits = Limits {
            bytes: 100,
            whole: Duration::from_secs(60),
            silence: Duration::from_secs(1),
        };
        let whole = fetch(100, limits).await.unwrap();
        assert_eq!(whole.body, [b'x'; 100]);
        let half = fetch(50, limits).await;
        assert!(matches!(half, Err(FetchError::Silent(_))), "{half:?}");
        let whole = Duration::from_millis(500);
        let late = fetch(100, Limits { whole, ..limits }).await;
        assert!(matches!(late, Err(FetchError::TooSlow(_))), "{late:?}");
        let long = fetch(
            100,
            Limits {
                bytes: 99,
                ..limits
            },
        )
        .await;
        assert!(matches!(long, Err(FetchError::TooLong(99))), "{long:?}");
    }

    #[test]
    fn peers_wait_less_long_than_nobody() {
        assert_eq!(Limits::short(1).whole, Duration::from_secs(5));
        assert_eq!(Limits::long(1).whole, Duration::from_secs(60));
    }
}
