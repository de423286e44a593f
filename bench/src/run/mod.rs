//! A run: every scenario, round by round, every contender in each.

use std::{collections::HashMap, fs, process::ExitCode, time::Instant};

use anyhow::{Context, Result, bail};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

mod command_line;
mod rounds;

use rounds::turns;

use crate::{
    contender::installed::{self, Installed},
    house,
    options::Options,
    place::Place,
    report::{About, FORMAT, Report, chart, machine::Machine, markdown},
    scenario::{self, Path, Scale, Scenario},
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
        run.turns += turns(scenario.as_ref(), &found, options);
    }
    for scenario in &scenarios {
        run.scenario(scenario.as_ref(), &found, options)?;
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
    /// How often a contender has its turn in the whole run, and how often one has had it.
    turns: usize,
    done: usize,
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
            command: command_line::typed(),
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
        Ok(Self {
            report,
            scale: options.scale(),
            places: HashMap::new(),
            start: Instant::now(),
            turns: 0,
            done: 0,
        })
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
                || options.set.iter().any(|setting| setting.contender == name)
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
