//! CRLs from `http(s)://` addresses: when to fetch (pure), and one fetch.

use std::{
    collections::HashSet,
    fmt,
    str::FromStr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use common::backoff::Backoff;
use reqwest::{StatusCode, Url};
use rustls::crypto::WebPkiSupportedAlgorithms;
use tokio::task;

use super::{
    List,
    source::{self, SourceError},
};
use crate::policy::{
    chain::Issuer,
    fetch::{Fetcher, Limits},
};

/// Longest answer, in bytes: a million entries with serials of 8 bytes.
const MAX_BODY: usize = 32 << 20;
/// How long before its end a list is fetched anew.
const MARGIN: Duration = Duration::from_secs(60);
/// A list is fetched at most this often while all is well.
const LEAST: Duration = Duration::from_secs(5);
/// The first wait after a failure.
const RETRY_BASE: Duration = Duration::from_secs(5);
/// Every wait after a failure is at most this long, and never longer than one after a success.
const RETRY_CAP: Duration = Duration::from_secs(300);

/// The address of a CRL, e.g. `http://127.0.0.1:3000/scep?operation=GetCRL`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CrlUrl(Url);

impl FromStr for CrlUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let url: Url = text
            .parse()
            .map_err(|error| format!("must be an http or https address: {error}"))?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err("must be an http or https address".to_owned());
        }
        // The address stands in logs.
        if !url.username().is_empty() || url.password().is_some() {
            return Err("must not contain a user name or password".to_owned());
        }
        Ok(Self(url))
    }
}

impl fmt::Display for CrlUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// When to fetch again. Pure: time and randomness are arguments.
#[derive(Debug, Clone)]
pub struct Schedule {
    every: Duration,
    failures: Backoff,
}

impl Schedule {
    /// At least once in `every`.
    pub fn new(every: Duration) -> Self {
        Self {
            every,
            failures: Backoff::new(RETRY_BASE, RETRY_CAP.min(every)),
        }
    }

    /// The wait after a good answer, whose first list ends at `next_update`: until a minute before that, at most the interval,
    /// up to a tenth less so that listeners spread out. `draw` is uniform in 0..1.
    pub fn after_success(
        &mut self,
        next_update: SystemTime,
        now: SystemTime,
        draw: f64,
    ) -> Duration {
        self.failures.reset();
        let left = next_update.duration_since(now).unwrap_or_default();
        let wait = left.saturating_sub(MARGIN).min(self.every);
        wait.mul_f64(1.0 - draw.clamp(0.0, 1.0) / 10.0).max(LEAST)
    }

    /// The wait after a failure: 5 s, twice as long each time, up to 5 min and never longer than the interval, so that a
    /// server that is back is heard as soon as any other; half of it to all of it.
    pub fn after_failure(&mut self, draw: f64) -> Duration {
        self.failures.next(0.5 + draw.clamp(0.0, 1.0) / 2.0)
    }
}

/// Fetches what stands at an address, and checks the signatures by the CAs that are known, so that the verdicts are at hand.
///
/// # Errors
/// [`SourceError`].
///
/// # Cancel safety
/// Dropping the future gives the question up.
pub(super) async fn fetch(
    fetcher: Fetcher,
    url: CrlUrl,
    known: HashSet<Issuer>,
    supported: WebPkiSupportedAlgorithms,
) -> Result<Vec<Arc<List>>, SourceError> {
    let answer = fetcher
        .send(fetcher.get(url.0), Limits::long(MAX_BODY))
        .await?;
    if answer.status != StatusCode::OK {
        return Err(SourceError::Status(answer.status));
    }
    // A long list takes a while, and the control plane has one thread.
    let reading = task::spawn_blocking(move || {
        let lists = source::read(answer.body)?;
        Ok(prove(lists, &known, &supported))
    });
    reading.await.unwrap_or(Err(SourceError::GivenUp))
}

/// Lets the lists remember which of the known CAs has signed them.
pub(super) fn prove(
    lists: Vec<List>,
    known: &HashSet<Issuer>,
    supported: &WebPkiSupportedAlgorithms,
) -> Vec<Arc<List>> {
    for list in &lists {
        for issuer in known.iter().filter(|issuer| issuer.name == list.issuer()) {
            let _ = list.verify(supported, issuer);
        }
    }
    lists.into_iter().map(Arc::new).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn a_list_is_fetched_before_its_end_and_at_least_once_an_interval() {
        let mut schedule = Schedule::new(HOUR);
        let now = SystemTime::UNIX_EPOCH + HOUR * 1000;
        let mut wait = |left, draw| schedule.after_success(now + left, now, draw);
        assert_eq!(wait(HOUR * 24, 0.0), HOUR);
        assert_eq!(wait(HOUR * 24, 1.0), HOUR * 9 / 10);
        assert_eq!(wait(HOUR / 2, 0.0), HOUR / 2 - MARGIN);
        assert_eq!(wait(MARGIN, 0.0), LEAST);
        assert_eq!(schedule.after_success(now - HOUR, now, 0.5), LEAST);
    }

    #[test]
    fn failures_are_tried_again_ever_more_slowly() {
        let mut schedule = Schedule::new(HOUR);
        let waits: Vec<_> = (0..8)
            .map(|_| schedule.after_failure(1.0).as_secs())
            .collect();
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 300, 300]);
        assert_eq!(schedule.after_failure(0.0).as_secs(), 150);
        schedule.after_success(SystemTime::UNIX_EPOCH, SystemTime::UNIX_EPOCH, 0.0);
        assert_eq!(schedule.after_failure(1.0), RETRY_BASE);
    }

    /// An interval of 45 s became one of 5 min while the server was away, and a revocation waited as long.
    #[test]
    fn failures_are_tried_again_within_the_interval() {
        let mut schedule = Schedule::new(Duration::from_secs(45));
        let waits: Vec<_> = (0..6)
            .map(|_| schedule.after_failure(1.0).as_secs())
            .collect();
        assert_eq!(waits, [5, 10, 20, 40, 45, 45]);
    }

    #[test]
    fn addresses_are_http_and_hold_no_secret() {
        let scep: CrlUrl = "http://127.0.0.1:3000/scep?operation=GetCRL"
            .parse()
            .unwrap();
        assert_eq!(
            scep.to_string(),
            "http://127.0.0.1:3000/scep?operation=GetCRL"
        );
        for bad in [
            "ldap://ca/x",
            "file:///x",
            "x.crl",
            "http://a:secret@ca/x.crl",
            "http://",
        ] {
            let error = bad.parse::<CrlUrl>().unwrap_err();
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
