//! The steps `ocsp` and `scep`: are the servers there that the listener asks? And asking a server at all.

use std::path::Path;

use common::{doctor::Line, tls::load_certificates};
use reqwest::{StatusCode, Url};

use crate::{
    config::{OcspConfig, PolicyConfig, ScepConfig},
    policy::fetch::{Fetcher, Limits},
};

/// Longest answer that is read, in bytes.
const MAX_BODY: usize = 64 * 1024;

/// What asking a server has come to: its status, or why there is no answer.
type Asked = Result<StatusCode, String>;

/// Whether a GET is answered with 200.
pub(super) async fn answers_well(url: &str) -> bool {
    match url.parse() {
        Ok(url) => ask(url, None).await == Ok(StatusCode::OK),
        Err(_) => false,
    }
}

/// Asks the responder and the SCEP server, at once. `later`: a certificate will be asked about anyway.
pub(super) async fn examine(config: &PolicyConfig, later: bool) -> [Line; 2] {
    tokio::join!(ocsp(&config.ocsp, later), scep(config.scep.as_ref(), later)).into()
}

async fn ocsp(config: &OcspConfig, later: bool) -> Line {
    let step = "ocsp";
    match (&config.url, config.is_on(), later) {
        (_, false, _) => Line::skipped(step, "ocsp is off: responders are not asked"),
        (_, true, true) => Line::skipped(step, "the decision asks the responder"),
        (None, true, false) => Line::skipped(
            step,
            "the connectors' certificates name their responder: --certificate FILE asks about one of them",
        ),
        (Some(url), true, false) => {
            let url = url.as_url();
            judge(step, url, &ask(url.clone(), None).await)
        }
    }
}

async fn scep(config: Option<&ScepConfig>, later: bool) -> Line {
    let step = "scep";
    let Some(config) = config else {
        return Line::skipped(step, "scep_url is not set: no SCEP server is asked");
    };
    if later {
        return Line::skipped(step, "the decision asks the server");
    }
    let url = config.url.as_url();
    judge(
        step,
        url,
        &ask(url.clone(), config.ca_path.as_deref()).await,
    )
}

async fn ask(url: Url, ca: Option<&Path>) -> Asked {
    let ca = ca.map(load_certificates).transpose();
    let ca = ca.map_err(|error| error.to_string())?;
    let fetcher = Fetcher::new(ca.as_deref()).map_err(|error| error.to_string())?;
    let answer = fetcher
        .send(fetcher.get(url), Limits::short(MAX_BODY))
        .await;
    answer
        .map(|answer| answer.status)
        .map_err(|error| error.to_string())
}

/// A server is there if it says anything: the question is about no certificate, and any "no" will do.
fn judge(step: &'static str, url: &Url, asked: &Asked) -> Line {
    match asked {
        Ok(status) if status.is_server_error() => Line::fail(
            step,
            format!("{url} answers with {status}"),
            "look at the server's log: while it is ill, every new connector is refused".to_owned(),
        ),
        Ok(status) if status.is_redirection() => Line::fail(
            step,
            format!("{url} answers with {status}"),
            "redirects are not followed: give the address that it leads to".to_owned(),
        ),
        Ok(status) => Line::ok(
            step,
            format!("{url} answers ({status} to a question about nothing)"),
        ),
        Err(why) => Line::fail(
            step,
            format!("{url}: {why}"),
            "start the server, or mend the address: until then every new connector is refused"
                .to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use common::doctor::Outcome;

    use super::*;

    #[test]
    fn any_answer_but_illness_will_do() {
        let url: Url = "http://scep.example/verify".parse().unwrap();
        for (status, outcome) in [
            (200, Outcome::Ok),
            (401, Outcome::Ok),
            (404, Outcome::Ok),
            (302, Outcome::Fail),
            (503, Outcome::Fail),
        ] {
            let asked = Ok(StatusCode::from_u16(status).unwrap());
            let line = judge("scep", &url, &asked);
            assert_eq!(line.outcome, outcome, "{status}");
            assert_eq!(line.advice.is_some(), outcome == Outcome::Fail);
        }
        assert_eq!(
            judge("scep", &url, &Err("x".to_owned())).outcome,
            Outcome::Fail
        );
    }
}
