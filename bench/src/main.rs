//! `bench`: the command line.

use std::{path::Path, process::ExitCode};

use anyhow::{Context, Result};
use bench::{
    house,
    load::target,
    options::{Command, Options},
    report::{Report, chart, join, markdown, publish},
    run,
};
use clap::Parser;

fn main() -> ExitCode {
    match execute(Options::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn execute(options: Options) -> Result<ExitCode> {
    match &options.command {
        Some(Command::Markdown { results }) => print!("{}", markdown::of(&read(results)?)),
        Some(Command::Publish { results, folder }) => {
            let reports: Result<Vec<_>> = results.iter().map(|path| read(path)).collect();
            publish::into(&join::all(reports?)?, folder)?;
        }
        Some(Command::Target { port }) => target::serve(*port)?,
        Some(Command::Chart { results }) => print!("{}", chart::of(&read(results)?)),
        None if options.list => print!("{}", run::list()),
        None if house::is_inside() => return run::run(&options),
        None => return house::enter(),
    }
    Ok(ExitCode::SUCCESS)
}

fn read(results: &Path) -> Result<Report> {
    let text = std::fs::read_to_string(results)
        .with_context(|| format!("cannot read {}", results.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is no result", results.display()))
}
