//! A run: every scenario, round by round, every contender in each.

use std::{
    collections::HashMap,
    fs,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    contender::installed::{self, Installed},
    house,
    options::Options,
    place::Place,
    report::{About, FORMAT, Failure, Report, Section, chart, machine::Machine, markdown},
    scenario::{self, Path, Samples, Scale, Scenario, Stage},
};

/// The scenarios, a line each.
pub fn list() -> String {
    let all = scenario::all();
    let lines = all
        .iter()
        .map(|scenario| format!("{:16} {}\n", scenario.name(), scenario.title()));
    lines.collect()
}

/// Measures and writes the result. The exit code tells whether direct TCP and socket-warp did what they were asked.
///
/// # Errors
/// When it cannot begin, or the result cannot be written.
pub fn run(options: &Options) -> Result<ExitCode> {
    house::prepare()?;
    let scenarios = chosen(options)?;
    let found = installed::find(options)?;
    let mut run = Run::new(options, &found)?;
    for scenario in &scenarios {
        run.scenario(scenario.as_ref(), &found)?;
        run.write(options)?;
    }
    println!("{}", markdown::of(&run.report));
    eprintln!(
        "bench: results.json, results.md and chart.svg are in {}",
        options.out.display()
    );
    Ok(run.verdict(options))
}

fn chosen(options: &Options) -> Result<Vec<Box<dyn Scenario>>> {
    let mut all = scenario::all();
    for name in &options.only {
        if all.iter().all(|scenario| scenario.name() != name) {
            let known: Vec<_> = all.iter().map(|scenario| scenario.name()).collect();
            bail!("there is no scenario {name:?}: {}", known.join(", "));
        }
    }
    if options.only.is_empty() {
        all.retain(|scenario| scenario.is_quick() || !options.quick);
    } else {
        all.retain(|scenario| options.only.iter().any(|name| name == scenario.name()));
    }
    Ok(all)
}

struct Run {
    report: Report,
    scale: Scale,
    places: HashMap<Path, Place>,
    start: Instant,
}

impl Run {
    fn new(options: &Options, found: &Installed) -> Result<Self> {
        let names = found.contenders.iter().map(|contender| About {
            name: contender.name().to_owned(),
            about: contender.about(),
        });
        let contenders: Vec<_> = names.collect();
        for contender in &contenders {
            eprintln!("bench: {}: {}", contender.name, contender.about);
        }
        for line in &found.left_out {
            eprintln!("bench: left out: {line}");
        }
        let report = Report {
            format: FORMAT,
            command: command_line(),
            started: OffsetDateTime::now_utc()
                .replace_nanosecond(0)?
                .format(&Rfc3339)?,
            quick: options.quick,
            rounds: options.rounds,
            machine: Machine::this(),
            reference: reference(options, &contenders),
            contenders,
            left_out: found.left_out.clone(),
            scenarios: Vec::new(),
            failures: Vec::new(),
        };
        let scale = if options.quick {
            Scale::Quick
        } else {
            Scale::Full
        };
        Ok(Self {
            report,
            scale,
            places: HashMap::new(),
            start: Instant::now(),
        })
    }

    fn scenario(&mut self, scenario: &dyn Scenario, found: &Installed) -> Result<()> {
        let place = match self.place(scenario.path()) {
            Ok(place) => place,
            // Not everywhere is there a /dev/net/tun.
            Err(error) if matches!(scenario.path(), Path::Link(_)) => {
                let line = format!("{}: {error:#}", scenario.name());
                eprintln!("bench: left out: {line}");
                self.report.left_out.push(line);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let mut section = Section {
            name: scenario.name().to_owned(),
            title: scenario.title().to_owned(),
            path: place.path.clone(),
            congestion_control: place.congestion_control()?,
            rounds: 0,
            rows: Vec::new(),
            notes: Vec::new(),
        };
        let mut takes_part = Vec::new();
        for contender in &found.contenders {
            match scenario.excludes(contender.as_ref(), self.scale) {
                Some(why) => section.notes.push(format!("{}: {why}", contender.name())),
                None => takes_part.push(contender.as_ref()),
            }
        }
        section.rounds = match self.scale {
            Scale::Full => self.report.rounds.unwrap_or(scenario.rounds()),
            Scale::Quick => self.report.rounds.unwrap_or(1),
        };
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
        let turn = Instant::now();
        let mut samples = Samples::default();
        // On the near side.
        let near = stage.place.near.clone();
        let measured = near.run(|| scenario.measure(stage, &mut samples));
        let (now, took) = (clock(self.start.elapsed()), turn.elapsed().as_secs_f64());
        let (number, of) = (round + 1, section.rounds);
        let figures = samples.0.iter().map(|sample| {
            format!(
                "{} {}",
                markdown::number(sample.value),
                sample.metric.unit()
            )
        });
        let figures = figures.collect::<Vec<_>>().join(", ");
        eprintln!("{now} {name}, round {number} of {of}, {who} ({took:.1} s): {figures}");
        section.add(who, round, samples);
        if let Err(error) = measured {
            let error = format!("{error:#}");
            eprintln!("{now} {name}, round {number} of {of}, {who}: FAILED: {error}");
            self.report.failures.push(Failure {
                scenario: name.to_owned(),
                contender: who.to_owned(),
                round: number,
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

    fn write(&self, options: &Options) -> Result<()> {
        let folder = &options.out;
        let json = serde_json::to_string_pretty(&self.report)? + "\n";
        let files = [
            ("results.json", json),
            ("results.md", markdown::of(&self.report)),
            ("chart.svg", chart::of(&self.report)),
        ];
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        for (name, content) in files {
            let path = folder.join(name);
            fs::write(&path, content)
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }

    /// Peers may fail, for what they cannot do; direct TCP and our own builds may not.
    fn verdict(&self, options: &Options) -> ExitCode {
        let ours = |name: &str| {
            name == "direct"
                || name == installed::SOCKET_WARP
                || options.also.iter().any(|(also, _)| also == name)
        };
        match self
            .report
            .failures
            .iter()
            .find(|failure| ours(&failure.contender))
        {
            Some(failure) => {
                eprintln!(
                    "bench: {} has failed in {}",
                    failure.contender, failure.scenario
                );
                ExitCode::FAILURE
            }
            None => ExitCode::SUCCESS,
        }
    }
}

fn reference(options: &Options, contenders: &[About]) -> String {
    let known = contenders
        .iter()
        .find(|contender| contender.name == options.reference);
    let known = known.or(contenders.first());
    known
        .map(|contender| contender.name.clone())
        .unwrap_or_default()
}

/// What was typed, without folders, which are nobody's business.
fn command_line() -> String {
    let words = std::env::args().skip(1).map(|word| without_folders(&word));
    let words: Vec<_> = std::iter::once("bench".to_owned()).chain(words).collect();
    words.join(" ")
}

/// `NAME=/a/b/c` becomes `NAME=…/c`; what holds spaces is quoted.
fn without_folders(word: &str) -> String {
    let (name, path) = word.rsplit_once('=').unwrap_or(("", word));
    if word.contains(' ') {
        return format!("{word:?}");
    }
    let Some((_, last)) = path.trim_end_matches('/').rsplit_once('/') else {
        return word.to_owned();
    };
    let equals = if word.contains('=') { "=" } else { "" };
    format!("{name}{equals}…/{last}")
}

fn clock(elapsed: Duration) -> String {
    format!(
        "{:02}:{:02}",
        elapsed.as_secs() / 60,
        elapsed.as_secs() % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_left_out() {
        assert_eq!(without_folders("--quick"), "--quick");
        assert_eq!(without_folders("a:key=1"), "a:key=1");
        assert_eq!(without_folders("ssh -R,direct"), "\"ssh -R,direct\"");
        assert_eq!(without_folders("/x/y/rathole"), "…/rathole");
        assert_eq!(without_folders("old=/x/y/"), "old=…/y");
        assert_eq!(
            without_folders("--binaries=/x/release"),
            "--binaries=…/release"
        );
    }
}
