//! `doctor` of either daemon, run as a process, and what it has said.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use serde_json::Value;

/// `doctor` may take 30 s; a process needs a moment more.
const LIMIT: Duration = Duration::from_secs(35);

/// What `doctor --json` has said.
pub struct Report {
    /// Whether it ended well: nothing failed.
    pub well: bool,
    /// The lines.
    pub lines: Vec<Value>,
}

impl Report {
    /// Runs `doctor` with these options.
    ///
    /// # Panics
    /// When it takes too long, says what is not JSON, or its exit code and its lines do not agree.
    pub fn of(command: &mut Command, options: &[&str]) -> Self {
        let began = Instant::now();
        let command = command.args(["doctor", "--json"]).args(options);
        let output = command.output().unwrap();
        assert!(began.elapsed() < LIMIT, "it took {:?}", began.elapsed());
        let text = String::from_utf8(output.stdout).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        let report = Self {
            well: output.status.success(),
            lines: lines.collect(),
        };
        let failed = report.lines.iter().any(|line| line["outcome"] == "fail");
        assert_eq!(failed, !report.well, "{text}");
        report
    }

    /// The lines of a step.
    pub fn all<'a>(&'a self, step: &'a str) -> impl Iterator<Item = &'a Value> {
        self.lines.iter().filter(move |line| line["step"] == step)
    }

    /// The only line of a step: outcome, and all its text.
    ///
    /// # Panics
    /// When there is none, or more than one.
    pub fn step<'a>(&'a self, step: &'a str) -> (&'a str, String) {
        let mut found = self.all(step);
        let line = found
            .next()
            .unwrap_or_else(|| panic!("no {step} in {:?}", self.lines));
        assert!(found.next().is_none(), "{step} twice in {:?}", self.lines);
        let text = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
        (
            line["outcome"].as_str().unwrap(),
            text("detail") + ": " + &text("advice"),
        )
    }

    /// The step has this outcome and says all of this.
    ///
    /// # Panics
    /// When it does not.
    pub fn expect(&self, step: &str, outcome: &str, parts: &[&str]) {
        let (found, text) = self.step(step);
        assert_eq!(found, outcome, "{step}: {text}");
        for part in parts {
            assert!(text.contains(part), "{part:?} is not in {text:?}");
        }
    }

    /// None of these was looked at.
    ///
    /// # Panics
    /// When one was.
    pub fn skipped(&self, steps: &[&str]) {
        steps
            .iter()
            .for_each(|step| self.expect(step, "skipped", &[]));
    }
}
