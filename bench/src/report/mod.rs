//! The result of a run, as it stands in `results.json`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::scenario::Samples;
use metric::Metric;

pub mod chart;
pub mod join;
pub mod machine;
pub mod markdown;
pub mod metric;
pub mod publish;

/// The version of the file's format.
pub const FORMAT: u32 = 1;

/// A run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// [`FORMAT`].
    pub format: u32,
    /// What was typed; a line for each run if several were joined.
    pub command: String,
    /// When it began (RFC 3339, UTC).
    pub started: String,
    /// Whether it only showed that everything works; then no figure means anything.
    pub quick: bool,
    /// How often each figure was to be taken, if that was said.
    pub rounds: Option<usize>,
    /// Where.
    pub machine: machine::Machine,
    /// To whom the others are compared.
    pub reference: String,
    /// Who took part, in the order of the tables.
    pub contenders: Vec<About>,
    /// Who did not, and why.
    pub left_out: Vec<String>,
    /// What was measured.
    pub scenarios: Vec<Section>,
    /// What did not work.
    pub failures: Vec<Failure>,
}

/// A contender.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// As in the tables.
    pub name: String,
    /// With its version.
    pub about: String,
}

/// The figures of a scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Section {
    /// As in `--only`.
    pub name: String,
    /// What was measured.
    pub title: String,
    /// Between both sides.
    pub path: String,
    /// Of all TCP connections in it.
    pub congestion_control: String,
    /// How often each figure was taken.
    pub rounds: usize,
    /// The figures.
    pub rows: Vec<Row>,
    /// Who did not take part, and why.
    pub notes: Vec<String>,
}

/// One figure of all contenders.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Of what.
    pub case: String,
    /// In which unit.
    pub metric: Metric,
    /// By contender, one for each round; null where it failed.
    pub values: BTreeMap<String, Vec<Option<f64>>>,
}

/// Something that did not work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// In which scenario.
    pub scenario: String,
    /// Whose.
    pub contender: String,
    /// In which round, from 1.
    pub round: usize,
    /// What.
    pub error: String,
}

impl Section {
    /// Adds the figures of one round, counted from 0, of one contender.
    pub fn add(&mut self, contender: &str, round: usize, samples: Samples) {
        for sample in samples.0 {
            let row = self.row(&sample.case, sample.metric);
            let values = row.values.entry(contender.to_owned()).or_default();
            values.resize(round, None);
            values.push(Some(sample.value));
        }
    }

    fn row(&mut self, case: &str, metric: Metric) -> &mut Row {
        let same = |row: &Row| row.case == case && row.metric == metric;
        let at = self.rows.iter().position(same).unwrap_or_else(|| {
            self.rows.push(Row {
                case: case.to_owned(),
                metric,
                values: BTreeMap::new(),
            });
            self.rows.len() - 1
        });
        &mut self.rows[at]
    }
}

impl Row {
    /// The figures of a contender, without the rounds that failed.
    pub fn figures(&self, contender: &str) -> Vec<f64> {
        let values = self.values.get(contender);
        values.into_iter().flatten().flatten().copied().collect()
    }
}

#[cfg(test)]
pub(crate) fn example() -> Report {
    let mut section = Section {
        name: "throughput".into(),
        title: "Throughput".into(),
        path: "loopback".into(),
        congestion_control: "cubic".into(),
        rounds: 3,
        rows: Vec::new(),
        notes: vec!["b: too slow".into()],
    };
    let sample = |value| {
        let mut samples = Samples::default();
        samples.add("1 stream", Metric::Gigabits, value);
        samples
    };
    section.add("a", 0, sample(8.0));
    section.add("b", 0, sample(10.0));
    section.add("a", 2, sample(4.0));
    section.add("b", 2, sample(6.0));
    let about = |name: &str| About {
        name: name.into(),
        about: format!("{name} 1.0"),
    };
    Report {
        format: FORMAT,
        command: "bench".into(),
        started: "2026-01-02T03:04:05Z".into(),
        quick: false,
        rounds: None,
        machine: machine::Machine::default(),
        reference: "b".into(),
        contenders: vec![about("a"), about("b")],
        left_out: vec!["c: not there".into()],
        scenarios: vec![section],
        failures: vec![Failure {
            scenario: "throughput".into(),
            contender: "a".into(),
            round: 2,
            error: "it broke".into(),
        }],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_that_failed_are_null() {
        let report = example();
        let row = &report.scenarios[0].rows[0];
        assert_eq!(row.values["a"], [Some(8.0), None, Some(4.0)]);
        assert_eq!(row.figures("a"), [8.0, 4.0]);
        assert!(row.figures("nobody").is_empty());
    }

    #[test]
    fn json_comes_back() {
        let text = serde_json::to_string(&example()).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), example());
    }
}
