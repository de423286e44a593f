//! The decision: pure, over what the checks have found. See the fail matrix in the tests.

use std::time::{Duration, Instant};

use super::{Denial, ScepError, crl::CrlFinding, lists::ListFinding, ocsp::OcspFinding};

/// What the checks say of a certificate whose holder and path are known. A check that is off says nothing against it.
#[derive(Debug)]
pub(super) struct Findings {
    pub(super) lists: Result<(), ListFinding>,
    pub(super) crl: Result<(), CrlFinding>,
    pub(super) ocsp: Result<(), OcspFinding>,
    pub(super) scep: Result<(), ScepError>,
}

/// What the servers have said.
#[derive(Debug)]
pub(super) struct Answers {
    pub(super) ocsp: Result<(), OcspFinding>,
    pub(super) scep: Result<(), ScepError>,
}

impl Findings {
    /// Whether there is no need to ask anybody else.
    pub(super) fn are_final(&self) -> bool {
        self.lists.is_err() || self.crl.as_ref().is_err_and(CrlFinding::is_definite)
    }

    /// Adds what the servers have said.
    pub(super) fn add(&mut self, answers: Answers) {
        self.ocsp = answers.ocsp;
        self.scep = answers.scep;
    }
}

/// Whether a certificate passes: a verdict against it comes before a check that could not be made, and both refuse.
///
/// # Errors
/// The [`Denial`].
pub(super) fn decide(findings: Findings) -> Result<(), Denial> {
    let Findings {
        lists,
        crl,
        ocsp,
        scep,
    } = findings;
    let all = [
        lists.map_err(Denial::from),
        crl.map_err(Denial::from),
        ocsp.map_err(Denial::from),
        scep.map_err(Denial::from),
    ];
    let mut against: Vec<_> = all.into_iter().filter_map(Result::err).collect();
    let first = against.iter().position(Denial::is_definite).unwrap_or(0);
    match against.is_empty() {
        true => Ok(()),
        false => Err(against.swap_remove(first)),
    }
}

/// How far an examination went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// What is known here: path, lists, CRLs.
    Local,
    /// The servers were asked too.
    Full,
}

/// What becomes of a live session.
#[derive(Debug)]
pub(super) enum Sentence {
    /// It goes on.
    Keep,
    /// It goes on for now, though a check could not be made; said once per trouble.
    Tolerate(Denial),
    /// It ends.
    Close(Denial),
}

/// What is known of a live session's certificate.
#[derive(Debug)]
pub(super) struct Standing {
    /// When every check last passed.
    good: Instant,
    /// The trouble that was told.
    told: Option<&'static str>,
}

impl Standing {
    /// Everything has just passed.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            good: now,
            told: None,
        }
    }

    /// Whether a check could not be made last time.
    pub(super) fn is_troubled(&self) -> bool {
        self.told.is_some()
    }

    /// When to check again, if `next` is when it would be anyway: while a check cannot be made, at the end of the grace at
    /// the latest.
    pub(super) fn due(&self, next: Instant, grace: Duration) -> Instant {
        match self.is_troubled() {
            true => next.min(self.good + grace),
            false => next,
        }
    }

    /// A verdict ends the session at once; a check that cannot be made does after `grace`.
    pub(super) fn judge(
        &mut self,
        outcome: Result<(), Denial>,
        depth: Depth,
        now: Instant,
        grace: Duration,
    ) -> Sentence {
        let denial = match outcome {
            Ok(()) if depth == Depth::Local => return Sentence::Keep,
            Ok(()) => {
                *self = Self::new(now);
                return Sentence::Keep;
            }
            Err(denial) => denial,
        };
        if denial.ends_live() || now.saturating_duration_since(self.good) >= grace {
            return Sentence::Close(denial);
        }
        let code = denial.code();
        match self.told.replace(code) == Some(code) {
            true => Sentence::Keep,
            false => Sentence::Tolerate(denial),
        }
    }
}

#[cfg(test)]
mod tests;
