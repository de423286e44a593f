//! The rounds of a scenario, and the turns in them.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::Run;
use crate::{
    contender::{Contender, installed::Installed},
    options::Options,
    place::Place,
    report::{Failure, Section, markdown},
    scenario::{Path, Samples, Scale, Scenario, Stage},
};

/// How often a contender has its turn in a scenario.
pub(super) fn turns(scenario: &dyn Scenario, found: &Installed, options: &Options) -> usize {
    let scale = options.scale();
    let contenders = found.contenders.iter();
    let takes_part = contenders.filter(|who| scenario.excludes(who.as_ref(), scale).is_none());
    takes_part.count() * rounds(scenario, options)
}

fn rounds(scenario: &dyn Scenario, options: &Options) -> usize {
    let usual = options.scale().pick(scenario.rounds(), 1);
    options.rounds.unwrap_or(usual)
}

impl Run {
    /// Measures a scenario and adds its section to the report.
    ///
    /// # Errors
    /// When there is no place for it.
    pub(super) fn scenario(
        &mut self,
        scenario: &dyn Scenario,
        found: &Installed,
        options: &Options,
    ) -> Result<()> {
        let place = match self.place(scenario.path()) {
            Ok(place) => place,
            // Not everywhere is there a /dev/net/tun.
            Err(error) if matches!(scenario.path(), Path::Link(_)) => {
                let line = format!("{}: {error:#}", scenario.name());
                eprintln!("bench: left out: {line}");
                self.report.left_out.push(line);
                self.turns -= turns(scenario, found, options);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let mut section = Section {
            name: scenario.name().to_owned(),
            title: scenario.title().to_owned(),
            path: place.path.clone(),
            congestion_control: place.congestion_control()?,
            rounds: rounds(scenario, options),
            rows: Vec::new(),
            notes: Vec::new(),
        };
        let takes_part = participants(scenario, found, self.scale, &mut section.notes);
        for round in 0..section.rounds {
            // Nobody is always the first.
            let first = round % takes_part.len().max(1);
            let (last, begin) = takes_part.split_at(first);
            for &contender in begin.iter().chain(last) {
                let stage = Stage {
                    place: &place,
                    contender,
                    scale: self.scale,
                };
                self.turn(scenario, &stage, round, &mut section);
            }
        }
        self.report.scenarios.push(section);
        Ok(())
    }

    fn turn(
        &mut self,
        scenario: &dyn Scenario,
        stage: &Stage<'_>,
        round: usize,
        section: &mut Section,
    ) {
        let (name, who) = (scenario.name(), stage.contender.name());
        let start = Instant::now();
        let mut samples = Samples::default();
        // On the near side.
        let near = stage.place.near.clone();
        let measured = near.run(|| scenario.measure(stage, &mut samples));
        self.done += 1;
        let progress = format!(
            "{} {}/{} {name}, round {} of {}, {who} ({:.1} s)",
            clock(self.start.elapsed()),
            self.done,
            self.turns,
            round + 1,
            section.rounds,
            start.elapsed().as_secs_f64()
        );
        if !samples.0.is_empty() {
            eprintln!("{progress}: {}", figures(&samples));
        }
        section.add(who, round, samples);
        if let Err(error) = measured {
            let error = format!("{error:#}");
            eprintln!("{progress}: FAILED: {error}");
            self.report.failures.push(Failure {
                scenario: name.to_owned(),
                contender: who.to_owned(),
                round: round + 1,
                error,
            });
        }
    }

    fn place(&mut self, path: Path) -> Result<Place> {
        if let Some(place) = self.places.get(&path) {
            return Ok(place.clone());
        }
        let place = path.place()?;
        // A link costs processor time as long as it is there.
        if place.lab.is_none() {
            self.places.insert(path, place.clone());
        }
        Ok(place)
    }
}

/// Who takes part; a note for each who does not.
fn participants<'a>(
    scenario: &dyn Scenario,
    found: &'a Installed,
    scale: Scale,
    notes: &mut Vec<String>,
) -> Vec<&'a dyn Contender> {
    let mut takes_part = Vec::new();
    for contender in &found.contenders {
        match scenario.excludes(contender.as_ref(), scale) {
            Some(why) => notes.push(format!("{}: {why}", contender.name())),
            None => takes_part.push(contender.as_ref()),
        }
    }
    takes_part
}

fn figures(samples: &Samples) -> String {
    let figures = samples.0.iter().map(|sample| {
        let number = markdown::number(sample.value);
        format!("{number} {}", sample.metric.unit())
    });
    figures.collect::<Vec<_>>().join(", ")
}

fn clock(elapsed: Duration) -> String {
    format!(
        "{:02}:{:02}",
        elapsed.as_secs() / 60,
        elapsed.as_secs() % 60
    )
}
