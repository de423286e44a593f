//! Responders that do not answer are left alone for a while. Pure: the time is an argument.
//!
//! Without it, a dead responder would cost every handshake 5 s. With it, the first failure holds all further questions
//! off for 1 s, doubling to 30 s; then one question tries, and the others wait for how it fares.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use reqwest::Url;

/// After the first failure.
const FIRST: Duration = Duration::from_secs(1);
/// At most.
const LONGEST: Duration = Duration::from_secs(30);
/// How long others wait for the one that tries again: a little longer than a question may take.
const TRIAL: Duration = Duration::from_secs(6);
/// Responders that are remembered. The addresses are those of certificates of our CAs: there are few.
const MAX_RESPONDERS: usize = 1024;

/// One that has failed.
#[derive(Debug)]
struct Failed {
    wait: Duration,
    until: Instant,
    trying: bool,
    why: String,
}

/// All that have failed.
#[derive(Debug, Default)]
pub(super) struct HoldOff {
    failed: HashMap<Url, Failed>,
}

impl HoldOff {
    /// Whether it may be asked now.
    ///
    /// # Errors
    /// Why it failed last.
    pub(super) fn admit(&mut self, responder: &Url, now: Instant) -> Result<(), String> {
        let Some(failed) = self.failed.get_mut(responder) else {
            return Ok(());
        };
        if now < failed.until {
            return Err(failed.why.clone());
        }
        failed.trying = true;
        failed.until = now + TRIAL;
        Ok(())
    }

    /// It has not answered. Of many questions that were under way together, the first counts.
    pub(super) fn failed(&mut self, responder: &Url, now: Instant, why: String) {
        if let Some(failed) = self.failed.get_mut(responder) {
            if failed.trying || now >= failed.until {
                failed.wait = (failed.wait * 2).min(LONGEST);
                failed.until = now + failed.wait;
                failed.trying = false;
                failed.why = why;
            }
            return;
        }
        if self.failed.len() == MAX_RESPONDERS {
            self.failed.retain(|_, failed| now < failed.until);
        }
        if self.failed.len() < MAX_RESPONDERS {
            let failed = Failed {
                wait: FIRST,
                until: now + FIRST,
                trying: false,
                why,
            };
            self.failed.insert(responder.clone(), failed);
        }
    }

    /// It has answered.
    pub(super) fn answered(&mut self, responder: &Url) {
        self.failed.remove(responder);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failing(hold_off: &mut HoldOff, url: &Url, now: Instant) {
        hold_off.failed(url, now, "no answer".to_owned());
    }

    #[test]
    fn waits_double_and_one_question_tries_again() {
        let url: Url = "http://a".parse().unwrap();
        let mut hold_off = HoldOff::default();
        let mut now = Instant::now();
        assert_eq!(hold_off.admit(&url, now), Ok(()));
        for _ in 0..32 {
            failing(&mut hold_off, &url, now);
        }
        for seconds in [1, 2, 4, 8, 16, 30, 30] {
            let wait = Duration::from_secs(seconds);
            let early = now + wait - Duration::from_millis(1);
            assert_eq!(hold_off.admit(&url, early), Err("no answer".to_owned()));
            now += wait;
            assert_eq!(hold_off.admit(&url, now), Ok(()));
            assert!(hold_off.admit(&url, now).is_err(), "two at once");
            failing(&mut hold_off, &url, now);
        }
        now += LONGEST;
        assert_eq!(hold_off.admit(&url, now), Ok(()));
        hold_off.answered(&url);
        assert_eq!(hold_off.admit(&url, now), Ok(()));
        assert_eq!(hold_off.admit(&url, now), Ok(()));
    }

    #[test]
    fn one_responder_does_not_hold_off_another_and_a_lost_trial_is_forgotten() {
        let [a, b]: [Url; 2] = ["http://a", "http://b"].map(|url| url.parse().unwrap());
        let mut hold_off = HoldOff::default();
        let now = Instant::now();
        failing(&mut hold_off, &a, now);
        assert_eq!(hold_off.admit(&b, now), Ok(()));
        assert_eq!(hold_off.admit(&a, now + FIRST), Ok(()));
        assert_eq!(hold_off.admit(&a, now + FIRST + TRIAL), Ok(()));
    }

    #[test]
    fn memory_is_bounded() {
        let mut hold_off = HoldOff::default();
        let now = Instant::now();
        for n in 0..2 * MAX_RESPONDERS {
            failing(&mut hold_off, &format!("http://{n}").parse().unwrap(), now);
        }
        assert_eq!(hold_off.failed.len(), MAX_RESPONDERS);
        let late = "http://late".parse().unwrap();
        failing(&mut hold_off, &late, now + FIRST);
        assert_eq!(hold_off.failed.len(), 1);
    }
}
