//! When the command runs. Pure: both clocks and the randomness are arguments.
//!
//! The end of a certificate is read off the wall clock; the rest after a try is measured on the steady one, so that a
//! clock that is set back cannot stop the retries.

use std::time::{Duration, Instant};

use time::OffsetDateTime;

/// Longest wait between two looks at the clock: timers stop while a machine sleeps.
const LOOK: Duration = Duration::from_secs(3600);

/// A wait for retries grows from this part of `retry` to the whole.
const FIRST_RETRY: u32 = 8;

/// Connectors that were certified together are spread over at most this time.
const SPREAD: Duration = Duration::from_secs(3600);

/// What the settings say.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// How long before the end; `None`: a third of the lifetime.
    pub(crate) before: Option<Duration>,
    /// Longest wait between two tries.
    pub(crate) retry: Duration,
}

/// The dates of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Validity {
    pub(crate) not_before: OffsetDateTime,
    pub(crate) not_after: OffsetDateTime,
}

/// Why the command runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The end is near.
    Due,
    /// The end is over.
    Expired,
    /// The files cannot be used.
    Unusable,
}

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Look again after this time.
    Wait(Duration),
    /// Run the command.
    Run(Reason),
}

/// When to run, and when again.
#[derive(Debug)]
pub(crate) struct Schedule {
    plan: Plan,
    /// This connector's place in the spread, 0..1.
    place: f64,
    failures: u32,
    rest_until: Option<Instant>,
}

impl Plan {
    /// Whether the certificate does not even live for as long as `before`, which is then ignored.
    pub(crate) fn exceeds(&self, validity: Validity) -> bool {
        self.before
            .is_some_and(|before| before >= validity.lifetime())
    }

    fn before(&self, validity: Validity) -> Duration {
        let third = validity.lifetime() / 3;
        match self.before {
            Some(before) if !self.exceeds(validity) => before,
            Some(_) | None => third,
        }
    }
}

impl Validity {
    fn lifetime(self) -> Duration {
        until(self.not_before, self.not_after)
    }
}

impl Reason {
    /// The word for it in the command's environment and in the log.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Due => "due",
            Self::Expired => "expired",
            Self::Unusable => "unusable",
        }
    }
}

impl Schedule {
    /// `place` is uniform in 0..1, drawn once.
    pub(crate) fn new(plan: Plan, place: f64) -> Self {
        Self {
            plan,
            place: place.clamp(0.0, 1.0),
            failures: 0,
            rest_until: None,
        }
    }

    /// What to do about a certificate with these dates; `None`: the files cannot be used.
    pub(crate) fn next(
        &mut self,
        now: OffsetDateTime,
        steady: Instant,
        validity: Option<Validity>,
    ) -> Step {
        let reason = match validity {
            None => Reason::Unusable,
            Some(validity) if now >= validity.not_after => Reason::Expired,
            Some(validity) => {
                let left = until(now, validity.not_after);
                let wait = left.saturating_sub(self.lead(validity));
                if !wait.is_zero() {
                    // Whoever has mended it, the trouble is over.
                    self.failures = 0;
                    return Step::Wait(wait.min(LOOK));
                }
                Reason::Due
            }
        };
        let rest = self
            .rest_until
            .map(|end| end.saturating_duration_since(steady));
        match rest {
            Some(rest) if !rest.is_zero() => Step::Wait(rest.min(LOOK)),
            Some(_) | None => Step::Run(reason),
        }
    }

    /// How long before its end this connector renews.
    fn lead(&self, validity: Validity) -> Duration {
        let before = self.plan.before(validity);
        let spread = (before / 8).min(SPREAD);
        before - spread.mul_f64(self.place)
    }

    /// A try has failed: the wait until the next one. `draw` is uniform in 0..1. Each wait is between half and the whole
    /// of a time that doubles from an eighth of `retry` to `retry`.
    pub(crate) fn failed(&mut self, steady: Instant, draw: f64) -> Duration {
        let doubled = 1u32.checked_shl(self.failures).unwrap_or(u32::MAX);
        let first = self.plan.retry / FIRST_RETRY;
        let ceiling = first.saturating_mul(doubled).min(self.plan.retry);
        self.failures = (self.failures + 1).min(31);
        let wait = ceiling.mul_f64(0.5 + draw.clamp(0.0, 1.0) / 2.0);
        self.rest_until = Some(steady + wait);
        wait
    }

    /// A try has succeeded. A new certificate may be due at once, if the CA gives such: that must not become a loop.
    pub(crate) fn succeeded(&mut self, steady: Instant) {
        self.failures = 0;
        self.rest_until = Some(steady + self.plan.retry / FIRST_RETRY);
    }
}

/// From one time to another; nothing when it is the other way round.
pub(super) fn until(from: OffsetDateTime, to: OffsetDateTime) -> Duration {
    (to - from).try_into().unwrap_or_default()
}

#[cfg(test)]
mod tests;
