//! HTTP towards the servers that know of certificates: SCEP, CRL, OCSP. Each may be slow, endless or lying.
//!
//! One place for the limits: 5 s in all, a longest answer, no redirects, no proxy out of the environment.

use std::time::Duration;

use common::errors;
use reqwest::{Certificate, StatusCode, Url, redirect};
use rustls::pki_types::CertificateDer;
use thiserror::Error;
use tokio::runtime::Handle;
use tokio_util::task::AbortOnDropHandle;

/// Time limit of one question, connecting and the whole answer included.
const DEADLINE: Duration = Duration::from_secs(5);

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
    /// Not reached, or not in time, or broken off.
    #[error("no answer: {}", errors::chain(.0))]
    Unreachable(reqwest::Error),
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
            .timeout(DEADLINE)
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

    /// Sends a request and reads the answer, of at most `limit` bytes.
    ///
    /// # Errors
    /// [`FetchError`].
    ///
    /// # Cancel safety
    /// Dropping the future gives the question up.
    pub async fn send(
        &self,
        request: reqwest::RequestBuilder,
        limit: usize,
    ) -> Result<Answer, FetchError> {
        let asking = AbortOnDropHandle::new(self.runtime.spawn(ask(request, limit)));
        asking.await.unwrap_or(Err(FetchError::GivenUp))
    }
}

async fn ask(request: reqwest::RequestBuilder, limit: usize) -> Result<Answer, FetchError> {
    let mut response = request.send().await.map_err(FetchError::Unreachable)?;
    let status = response.status();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(FetchError::Unreachable)? {
        if body.len() + chunk.len() > limit {
            return Err(FetchError::TooLong(limit));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer { status, body })
}
