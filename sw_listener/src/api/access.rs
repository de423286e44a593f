//! Who may call the API, and under which name: tokens, and the guard against DNS rebinding.

use std::{
    net::{IpAddr, SocketAddr},
    time::Instant,
};

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use common::quiet::Quiet;
use tracing::warn;

use super::{ApiState, problem::Problem};
use crate::config::{ApiConfig, ApiToken, Role};

/// The rules of access.
#[derive(Debug)]
pub struct Access {
    address: SocketAddr,
    tokens: Vec<ApiToken>,
    hosts: Vec<String>,
    /// Calls that were denied.
    quiet: Quiet,
}

impl Access {
    /// The rules of these settings, for the address that was bound.
    pub fn new(config: &ApiConfig, address: SocketAddr) -> Self {
        Self {
            address,
            tokens: config.tokens.clone(),
            hosts: config.hosts.clone(),
            quiet: Quiet::default(),
        }
    }

    /// Decides about a request; health needs no token.
    fn judge(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
        if self.tokens.is_empty() {
            return self.check_names(uri, headers);
        }
        if matches!(uri.path(), "/healthz" | "/readyz") {
            return Ok(());
        }
        let secret = bearer(headers).ok_or_else(|| {
            let detail = "the request needs the header Authorization: Bearer TOKEN";
            Problem::new(StatusCode::UNAUTHORIZED, "no_token", detail)
        })?;
        // Every token is compared, so that the time tells nothing.
        let known = self.tokens.iter().fold(None, |known, token| {
            if token.matches(secret) {
                Some(token)
            } else {
                known
            }
        });
        let token = known.ok_or_else(|| {
            Problem::new(
                StatusCode::UNAUTHORIZED,
                "wrong_token",
                "the token is not known",
            )
        })?;
        let reads = matches!(*method, Method::GET | Method::HEAD);
        if reads || token.role() == Role::Write {
            return Ok(());
        }
        let detail = format!("the token {} may only read", token.name());
        Err(Problem::new(
            StatusCode::FORBIDDEN,
            "token_may_only_read",
            detail,
        ))
    }

    /// Without tokens, being able to connect is the permission. A web page in a browser on this machine could connect
    /// too, under its own name (DNS rebinding) or with an Origin; neither is us.
    fn check_names(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
        if let Some(authority) = uri.authority()
            && !self.is_ours(authority.as_str())
        {
            return Err(host_not_allowed(authority.as_str()));
        }
        let mut hosts = headers.get_all(header::HOST).iter().peekable();
        if hosts.peek().is_none() {
            return Err(host_not_allowed(""));
        }
        for host in hosts {
            let host = host.to_str().unwrap_or_default();
            if !self.is_ours(host) {
                return Err(host_not_allowed(host));
            }
        }
        let foreign = |origin: &HeaderValue| {
            let host = origin
                .to_str()
                .ok()
                .and_then(|origin| origin.split_once("://"));
            !host.is_some_and(|(_, host)| self.is_ours(host))
        };
        if headers.get_all(header::ORIGIN).iter().any(foreign) {
            let detail = "requests of other web sites are not taken";
            return Err(Problem::new(
                StatusCode::FORBIDDEN,
                "origin_not_allowed",
                detail,
            ));
        }
        Ok(())
    }

    fn is_ours(&self, host: &str) -> bool {
        if self
            .hosts
            .iter()
            .any(|name| name.eq_ignore_ascii_case(host))
        {
            return true;
        }
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
            _ => host,
        };
        let address = name.trim_start_matches('[').trim_end_matches(']');
        let is_address = address
            .parse::<IpAddr>()
            .is_ok_and(|ip| ip.is_loopback() || ip == self.address.ip());
        let listed = self
            .hosts
            .iter()
            .any(|known| known.eq_ignore_ascii_case(name));
        is_address || listed || name.eq_ignore_ascii_case("localhost")
    }
}

fn host_not_allowed(host: &str) -> Problem {
    let detail =
        format!("the Host header {host:?} is not a name of this API; api_hosts can add it");
    Problem::new(StatusCode::FORBIDDEN, "host_not_allowed", detail)
}

/// The token (RFC 6750, section 2.1).
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, secret) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then_some(secret)
}

/// The layer around all routes.
pub(super) async fn check(
    State(state): State<ApiState>,
    request: Request<Body>,
    next: Next,
) -> Response {
    let (method, uri) = (request.method(), request.uri());
    match state.access.judge(method, uri, request.headers()) {
        Ok(()) => next.run(request).await,
        Err(problem) => {
            if let Some(left_out) = state.access.quiet.line(Instant::now()) {
                warn!(%method, path = ?uri.path(), code = problem.code(), left_out, "API call denied");
            }
            let mut response = problem.into_response();
            if response.status() == StatusCode::UNAUTHORIZED {
                let challenge = HeaderValue::from_static("Bearer");
                response
                    .headers_mut()
                    .insert(header::WWW_AUTHENTICATE, challenge);
            }
            response
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SHA-256 of "secret".
    const DIGEST: &str = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";

    fn access(tokens: &[&str]) -> Access {
        let config = ApiConfig {
            address: "127.0.0.1:8080".parse().unwrap(),
            tokens: tokens.iter().map(|text| text.parse().unwrap()).collect(),
            hosts: vec!["tunnel.example".to_owned()],
        };
        Access::new(&config, config.address)
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (name.parse().unwrap(), HeaderValue::from_static(value))
        };
        pairs
            .iter()
            .map(pair)
            .collect::<Vec<(header::HeaderName, _)>>()
            .into_iter()
            .collect()
    }

    #[test]
    fn names_that_are_ours_and_names_that_are_not() {
        let access = access(&[]);
        let allowed = |pairs: &[(&'static str, &'static str)]| {
            access
                .judge(&Method::GET, &Uri::from_static("/list"), &headers(pairs))
                .is_ok()
        };
        for host in [
            "localhost:8080",
            "127.0.0.1:8080",
            "[::1]:8080",
            "LOCALHOST",
            "tunnel.example:8080",
        ] {
            assert!(allowed(&[("host", host)]), "{host}");
        }
        for host in [
            "evil.example",
            "localhost.evil.example",
            "192.0.2.1:8080",
            "",
        ] {
            assert!(!allowed(&[("host", host)]), "{host}");
        }
        assert!(!allowed(&[]));
        assert!(allowed(&[
            ("host", "localhost"),
            ("origin", "http://localhost:8080")
        ]));
        assert!(!allowed(&[
            ("host", "localhost"),
            ("origin", "http://evil.example")
        ]));
        assert!(!allowed(&[("host", "localhost"), ("origin", "null")]));
    }

    #[test]
    fn tokens_and_their_roles() {
        let access = access(&[&format!("ops:read:{DIGEST}")]);
        let judge = |method: Method, path: &str, token: Option<&'static str>| {
            let pairs: Vec<_> = token
                .map(|token| ("authorization", token))
                .into_iter()
                .collect();
            access
                .judge(&method, &path.parse().unwrap(), &headers(&pairs))
                .is_ok()
        };
        assert!(judge(Method::GET, "/list", Some("Bearer secret")));
        assert!(judge(Method::GET, "/healthz", None));
        assert!(!judge(Method::GET, "/list", None));
        assert!(!judge(Method::GET, "/list", Some("Bearer wrong")));
        assert!(!judge(Method::GET, "/list", Some("Basic secret")));
        assert!(!judge(Method::POST, "/open", Some("Bearer secret")));
    }
}
