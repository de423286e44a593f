//! OCSP (RFC 6960): whether the CA still stands by a certificate, asked of its responder.
//!
//! # How old may an answer be?
//!
//! Two promises pull apart. A revocation must count at most 60 s after it is published; and a responder that is away
//! for a minute must not lock everybody out. So an answer has two ages. For `max_age`, which the caller chooses, it is
//! *fresh*: it is used, and nobody is asked. After that it is *stale*: the responder is asked, and its answer counts.
//! If there is none (or none that counts), it depends on who wants to know ([`Demand`]):
//!
//! - For a new session a stale "good" *bridges* the outage until its `nextUpdate`, and never longer than
//!   `ocsp_max_age_seconds` after it was asked for: that is what the CA itself has signed it for, and the one exception
//!   from "unreachable: no new session". (An answer without `nextUpdate` promises nothing, and never counts when stale.)
//! - For a live session it does not count: the check could not be made. So its grace (`verify_grace_seconds`) runs from
//!   the last time that the responder has really answered, and an outage cannot hide a revocation for longer.
//!
//! "Revoked" counts for both until a newer answer takes it back, and "unknown" is not kept. Who has no answer that counts
//! gets no session.
//!
//! - A new session uses answers that were asked for within `ocsp_refresh_seconds` (60): a connector that reconnects
//!   often costs the responder one question a minute. A stale one costs it 2 s at most while the responder is slow.
//! - A live session that is judged again every D seconds must pass a `max_age` of at most 60 s − D − 10 s (the longest
//!   question), lest cached answer, timer and question add up to more than 60 s: 10 s if it is judged every 40 s. They
//!   serve the intermediates, about which 1,000 sessions then ask once.
//!
//! Refreshing in the background instead would let a revoked certificate in, to be cut a moment later; and refreshing
//! ahead of time, unasked, would ask about certificates whose holders have gone.
//!
//! # What a bad responder costs
//!
//! A question takes 5 s and 64 KiB at most; 32 are asked at once; one per certificate, which all wait for; and a
//! responder that does not answer is left alone for 1 s, doubling to 30 s (`hold_off`).

mod ask;
mod cache;
mod cert_id;
mod finding;
mod hold_off;
mod questions;
mod request;
mod response;
mod signer;
mod subject;
#[cfg(test)]
mod tests;
mod verify;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use reqwest::Url;
use rustls::crypto::WebPkiSupportedAlgorithms;
use tokio::{runtime::Handle, time};

pub use self::finding::{OcspFinding, Whose};
use self::{
    ask::Failure,
    cache::{Cache, Kept, Known},
    hold_off::HoldOff,
    questions::{NotAsked, Outcome, Questions},
    response::Status,
    subject::Subject,
    verify::Statement,
};
use super::{
    chain::{Link, Path},
    der,
    fetch::Fetcher,
};
use crate::config::{OcspConfig, OcspScope};

/// How old what the OCSP responder said may be for a live session. With the longest time between two checks and what an
/// answer takes it stays within a minute.
const LIVE_AGE: Duration = Duration::from_secs(10);
/// How long one waits for a newer answer who has an older one that counts.
const PATIENCE: Duration = Duration::from_secs(2);

/// What somebody wants of an answer; see the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Demand {
    /// How old it may be without asking again.
    pub max_age: Duration,
    /// Whether a stale "good" counts while there is no newer answer.
    pub bridge: bool,
}

/// Asks responders about certificates, and remembers what they say.
#[derive(Debug)]
pub struct OcspVerifier {
    shared: Arc<Shared>,
    questions: Questions,
}

/// What questions under way share.
#[derive(Debug)]
struct Shared {
    config: OcspConfig,
    fetcher: Fetcher,
    supported: WebPkiSupportedAlgorithms,
    cache: Mutex<Cache>,
    hold_off: Mutex<HoldOff>,
}

impl OcspVerifier {
    /// A verifier that asks through `fetcher`, on the current runtime.
    pub fn new(config: OcspConfig, fetcher: Fetcher, supported: WebPkiSupportedAlgorithms) -> Self {
        Self {
            shared: Arc::new(Shared {
                config,
                fetcher,
                supported,
                cache: Mutex::default(),
                hold_off: Mutex::default(),
            }),
            questions: Questions::new(Handle::current()),
        }
    }

    /// What is wanted for a new session.
    pub fn for_new(&self) -> Demand {
        Demand {
            max_age: self.shared.config.refresh,
            bridge: true,
        }
    }

    /// What is wanted for a live session.
    pub fn for_live(&self) -> Demand {
        Demand {
            max_age: LIVE_AGE,
            bridge: false,
        }
    }

    /// Whether no certificate in scope is revoked.
    ///
    /// # Errors
    /// The first [`OcspFinding`], from the leaf up.
    ///
    /// # Cancel safety
    /// Questions go on, and their answers are kept, when the future is dropped.
    pub async fn check(
        &self,
        path: &Path,
        now: SystemTime,
        demand: Demand,
    ) -> Result<(), OcspFinding> {
        let count = match self.shared.config.scope {
            OcspScope::Off => 0,
            OcspScope::Leaf => 1,
            OcspScope::Chain => path.links.len(),
        };
        for (depth, link) in path.links.iter().take(count).enumerate() {
            self.check_one(link, depth, now, demand).await?;
        }
        Ok(())
    }

    async fn check_one(
        &self,
        link: &Link,
        depth: usize,
        now: SystemTime,
        demand: Demand,
    ) -> Outcome {
        let subject = Arc::new(Subject::new(&self.shared.config, link, depth)?);
        let known = self.shared.cache().look(&subject.key, now, demand.max_age);
        match known {
            Known::Fresh(kept) => verdict(&subject, kept.status, &kept.responder),
            Known::Nothing => self.ask(&subject, now).await,
            Known::Stale(kept) if demand.bridge => {
                let newer = time::timeout(PATIENCE, self.ask(&subject, now)).await;
                newer_or_kept(newer.ok(), &subject, &kept)
            }
            Known::Stale(kept) => {
                let newer = self.ask(&subject, now).await;
                match kept.status {
                    Status::Revoked { .. } => newer_or_kept(Some(newer), &subject, &kept),
                    Status::Good | Status::Unknown => newer,
                }
            }
        }
    }

    async fn ask(&self, subject: &Arc<Subject>, now: SystemTime) -> Outcome {
        let Some(first) = subject.responders.first() else {
            let whose = subject.whose.clone();
            return Err(OcspFinding::NoResponder { whose });
        };
        let question = Arc::clone(&self.shared).question(Arc::clone(subject), now);
        let outcome = self.questions.outcome(subject.key, question).await;
        outcome.unwrap_or_else(|error| {
            let why = match error {
                NotAsked::TooMany => "too many questions are waiting",
                NotAsked::TooSlow => "it, and the questions before this one, took too long",
                NotAsked::GivenUp => "the question was given up",
            };
            Err(unavailable(subject, first, why.to_owned()))
        })
    }
}

impl Shared {
    /// Asks the responders of a certificate, one after another, until one makes a statement.
    async fn question(self: Arc<Self>, subject: Arc<Subject>, now: SystemTime) -> Outcome {
        let whose = subject.whose.clone();
        let mut outcome = Err(OcspFinding::NoResponder { whose });
        for responder in &subject.responders {
            match self.ask_one(&subject, responder, now).await {
                Ok(statement) => return verdict(&subject, statement.status, responder.as_str()),
                Err(finding) => outcome = Err(finding),
            }
        }
        outcome
    }

    async fn ask_one(
        &self,
        subject: &Subject,
        responder: &Url,
        now: SystemTime,
    ) -> Result<Statement, OcspFinding> {
        let held_off = self.hold_off().admit(responder, Instant::now());
        held_off.map_err(|why| unavailable(subject, responder, why))?;
        let asked = ask::ask(
            &self.fetcher,
            &self.supported,
            &self.config,
            subject,
            responder,
            now,
        )
        .await;
        if let Err(Failure::Unwell(why)) = asked {
            let mut hold_off = self.hold_off();
            hold_off.failed(responder, Instant::now(), why.clone());
            return Err(unavailable(subject, responder, why));
        }
        self.hold_off().answered(responder);
        let statement = asked.map_err(|failure| match failure {
            Failure::Unwell(why) | Failure::Refused(why) => unavailable(subject, responder, why),
            Failure::BadAnswer(why) => bad_answer(subject, responder, why),
        })?;
        let max_age = self.config.max_age;
        let stored = self
            .cache()
            .store(subject.key, &statement, responder.as_str(), now, max_age);
        stored.map_err(|error| bad_answer(subject, responder, error.to_string()))?;
        Ok(statement)
    }

    /// No step under a lock can panic half-way, so its poison means nothing. The same below.
    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hold_off(&self) -> MutexGuard<'_, HoldOff> {
        self.hold_off.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether what was known yields to what has come of asking again; `None`: not in time.
fn newer_or_kept(newer: Option<Outcome>, subject: &Subject, kept: &Kept) -> Outcome {
    match (newer, kept.status) {
        (Some(Ok(())), _) => Ok(()),
        (Some(Err(finding @ OcspFinding::Revoked { .. })), _)
        | (Some(Err(finding @ OcspFinding::Unknown { .. })), Status::Good) => Err(finding),
        (None | Some(Err(_)), status) => verdict(subject, status, &kept.responder),
    }
}

fn verdict(subject: &Subject, status: Status, responder: &str) -> Outcome {
    let (whose, responder) = (subject.whose.clone(), responder.to_owned());
    Err(match status {
        Status::Good => return Ok(()),
        Status::Revoked { when, reason } => OcspFinding::Revoked {
            whose,
            when,
            reason,
            responder,
        },
        Status::Unknown => OcspFinding::Unknown { whose, responder },
    })
}

fn unavailable(subject: &Subject, responder: &Url, why: String) -> OcspFinding {
    OcspFinding::Unavailable {
        whose: subject.whose.clone(),
        responder: responder.to_string(),
        why,
    }
}

fn bad_answer(subject: &Subject, responder: &Url, why: String) -> OcspFinding {
    OcspFinding::BadAnswer {
        whose: subject.whose.clone(),
        responder: responder.to_string(),
        why,
    }
}
