//! What `doctor` finds: one line a step, told as it happens. Steps are judged by pure functions, facts in, [`Line`] out.
//!
//! Here is what both daemons have in common; the steps themselves are theirs.

pub mod certificates;
mod print;
pub mod udp;

use std::time::Duration;

use tokio::sync::mpsc;

pub use self::print::{Form, print};

/// How long `doctor` may take in all; each step is bounded so that all of them fit.
pub const LIMIT: Duration = Duration::from_secs(30);

/// Lines of a block that may wait until those before it are printed.
const QUEUE: usize = 256;

/// What came of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All is well.
    Ok,
    /// It works, but somebody should look.
    Warn,
    /// It does not work.
    Fail,
    /// It was not looked at.
    Skipped,
}

/// A step and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The step's name; stable.
    pub step: &'static str,
    /// What came of it.
    pub outcome: Outcome,
    /// What was seen. It may quote strangers: printing escapes it.
    pub detail: String,
    /// What to do about it.
    pub advice: Option<String>,
}

impl Line {
    /// All is well.
    pub fn ok(step: &'static str, detail: impl Into<String>) -> Self {
        Self::new(step, Outcome::Ok, detail, None)
    }

    /// Somebody should look, and do this.
    pub fn warn(
        step: &'static str,
        detail: impl Into<String>,
        advice: impl Into<Option<String>>,
    ) -> Self {
        Self::new(step, Outcome::Warn, detail, advice.into())
    }

    /// It does not work, and this should be done.
    pub fn fail(
        step: &'static str,
        detail: impl Into<String>,
        advice: impl Into<Option<String>>,
    ) -> Self {
        Self::new(step, Outcome::Fail, detail, advice.into())
    }

    /// It was not looked at, for this reason.
    pub fn skipped(step: &'static str, why: impl Into<String>) -> Self {
        Self::new(step, Outcome::Skipped, why, None)
    }

    /// A failure that does not matter as long as there is another way.
    pub fn softened(mut self, soften: bool) -> Self {
        if soften && self.outcome == Outcome::Fail {
            self.outcome = Outcome::Warn;
        }
        self
    }

    fn new(
        step: &'static str,
        outcome: Outcome,
        detail: impl Into<String>,
        advice: Option<String>,
    ) -> Self {
        Self {
            step,
            outcome,
            detail: detail.into(),
            advice,
        }
    }
}

/// Where steps tell what came of them.
#[derive(Debug, Clone)]
pub struct Steps(mpsc::Sender<Line>);

/// Lines that belong together, as they come. It ends when every [`Steps`] of it is gone.
#[derive(Debug)]
pub struct Block {
    about: Option<String>,
    lines: mpsc::Receiver<Line>,
}

impl Block {
    /// A block, with what it is about if there are several.
    pub fn new(about: Option<String>) -> (Steps, Self) {
        let (sender, lines) = mpsc::channel(QUEUE);
        (Steps(sender), Self { about, lines })
    }
}

impl Steps {
    /// Tells of a step. Nobody may listen any more; then there is nobody to tell.
    pub async fn tell(&self, line: Line) {
        let _ = self.0.send(line).await;
    }

    /// Tells of several.
    pub async fn tell_all(&self, lines: impl IntoIterator<Item = Line>) {
        for line in lines {
            self.tell(line).await;
        }
    }

    /// Says of each of these steps that it was not looked at.
    pub async fn skip(&self, steps: &[&'static str], why: &str) {
        for step in steps {
            self.tell(Line::skipped(step, why)).await;
        }
    }
}
