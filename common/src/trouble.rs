//! What is said about an outage: the first failure in full, then one line a minute, then that it is over.
//!
//! Pure: the time is an argument.

use std::time::{Duration, Instant};

/// Time between two lines about the same outage.
const INTERVAL: Duration = Duration::from_secs(60);

/// The outage that is going on, if any.
#[derive(Debug, Default)]
pub struct Trouble {
    since: Option<Outage>,
}

#[derive(Debug)]
struct Outage {
    began: Instant,
    told: Instant,
    tries: u32,
    cause: String,
}

/// What to say about a failure.
#[derive(Debug, PartialEq, Eq)]
pub enum Say {
    /// It is the first, or its cause is new.
    Full,
    /// It goes on: for so long, with so many tries.
    Still(Duration, u32),
    /// Nothing.
    Nothing,
}

impl Trouble {
    /// A try has failed.
    pub fn failed(&mut self, cause: &str, now: Instant) -> Say {
        let Some(outage) = &mut self.since else {
            self.since = Some(Outage {
                began: now,
                told: now,
                tries: 1,
                cause: cause.to_owned(),
            });
            return Say::Full;
        };
        outage.tries += 1;
        if outage.cause != cause {
            cause.clone_into(&mut outage.cause);
            outage.told = now;
            return Say::Full;
        }
        if now.duration_since(outage.told) < INTERVAL {
            return Say::Nothing;
        }
        outage.told = now;
        Say::Still(now.duration_since(outage.began), outage.tries)
    }

    /// A try has succeeded: how long the outage was, and how many tries it took.
    pub fn over(&mut self, now: Instant) -> Option<(Duration, u32)> {
        let outage = self.since.take()?;
        Some((now.duration_since(outage.began), outage.tries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_in_full_then_one_line_a_minute() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut trouble = Trouble::default();
        assert_eq!(trouble.failed("a", at(0)), Say::Full);
        assert_eq!(trouble.failed("a", at(30)), Say::Nothing);
        assert_eq!(
            trouble.failed("a", at(60)),
            Say::Still(Duration::from_secs(60), 3)
        );
        assert_eq!(trouble.failed("a", at(61)), Say::Nothing);
        assert_eq!(trouble.failed("b", at(62)), Say::Full);
        assert_eq!(trouble.over(at(70)), Some((Duration::from_secs(70), 5)));
        assert_eq!(trouble.over(at(71)), None);
        assert_eq!(trouble.failed("a", at(80)), Say::Full);
    }
}
