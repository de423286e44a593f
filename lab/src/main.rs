//! `lab`: the command line.

use std::{
    io::BufRead,
    process::{Command, ExitCode, ExitStatus, Stdio},
    thread,
};

use anyhow::Context;
use clap::Parser;
use lab::{
    Direction, Lab, Side,
    link::Conditions,
    settings::{HELP, Setting},
};
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    runtime::Builder,
    select,
    signal::unix::{self, SignalKind, signal},
    sync::mpsc,
};

/// Makes two network namespaces, A (10.99.0.1, fd00:99::1) and B (10.99.0.2, fd00:99::2), with a bad link between them.
///
/// It runs until COMMAND ends, which finds the names of the namespaces in LAB_A and LAB_B; without one until the end of the
/// input. Settings in lines of the input change the link while it runs. Needs root.
#[derive(Parser)]
#[command(version, after_help = HELP, after_long_help = format!("{HELP}\n\n{EXAMPLE}"))]
struct Cli {
    /// Of all that is left to chance; the same seed and the same packets give the same result
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// What the link is like, such as delay=25ms
    #[arg(value_name = "SETTING")]
    settings: Vec<Setting>,
    /// What to run; its input is empty
    #[arg(last = true)]
    command: Vec<String>,
}

const EXAMPLE: &str = "\
Example:
  lab delay=25ms loss=1% rate=200mbit ba.rate=20mbit -- sh -c '
    ip netns exec $LAB_B iperf3 --server --one-off & ip netns exec $LAB_A iperf3 --client 10.99.0.2'";

enum Event {
    Line(String),
    InputEnded,
    CommandEnded(ExitStatus),
}

fn main() -> ExitCode {
    match execute(&Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("lab: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn execute(cli: &Cli) -> anyhow::Result<ExitCode> {
    let runtime = Builder::new_current_thread().enable_io().build()?;
    let _entered = runtime.enter();
    // From here on a signal does not end this process, which has to remove what it makes.
    let ends = [
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
    ];
    let lab = Lab::new(Conditions::default(), cli.seed)?;
    apply(&lab, &cli.settings);
    let [a, b] = Side::BOTH.map(|side| lab.namespace(side).name());
    eprintln!("lab: A is {a}, B is {b}");
    let (sender, events) = mpsc::channel(16);
    let command = start(&lab, &cli.command, sender.clone())?;
    thread::spawn(move || read_input(&sender));
    let code = runtime.block_on(run(&lab, events, ends, command));
    for (name, direction) in ["A to B", "B to A"].iter().zip(Direction::BOTH) {
        eprintln!("lab: {name}: {}", lab.counts(direction));
    }
    Ok(code)
}

fn apply(lab: &Lab, settings: &[Setting]) {
    for direction in Direction::BOTH {
        let mut conditions = lab.conditions(direction);
        for setting in settings.iter().filter(|setting| setting.is_for(direction)) {
            setting.apply(&mut conditions);
        }
        lab.change(direction, conditions);
    }
}

/// Starts the command, if there is one, and a thread that tells of its end.
fn start(lab: &Lab, words: &[String], events: mpsc::Sender<Event>) -> anyhow::Result<Option<Pid>> {
    let [program, arguments @ ..] = words else {
        return Ok(None);
    };
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    for (name, side) in [("LAB_A", Side::A), ("LAB_B", Side::B)] {
        command.env(name, lab.namespace(side).name());
    }
    let mut child = command
        .spawn()
        .with_context(|| format!("cannot run {program}"))?;
    let pid = Pid::from_child(&child);
    thread::spawn(move || {
        if let Ok(status) = child.wait() {
            // Nobody listens any more when this process ends.
            let _ = events.blocking_send(Event::CommandEnded(status));
        }
    });
    Ok(Some(pid))
}

fn read_input(events: &mpsc::Sender<Event>) {
    let lines = std::io::stdin().lock().lines().map_while(Result::ok);
    for event in lines.map(Event::Line).chain([Event::InputEnded]) {
        if events.blocking_send(event).is_err() {
            return;
        }
    }
}

/// Until the command ends, or without one the input. A signal ends both.
async fn run(
    lab: &Lab,
    mut events: mpsc::Receiver<Event>,
    [mut interrupt, mut terminate]: [unix::Signal; 2],
    command: Option<Pid>,
) -> ExitCode {
    loop {
        let event = select! {
            event = events.recv() => event,
            _ = interrupt.recv() => None,
            _ = terminate.recv() => None,
        };
        match (event, command) {
            (Some(Event::Line(line)), _) => change(lab, &line),
            (Some(Event::CommandEnded(status)), _) => return code(status),
            (Some(Event::InputEnded), Some(_)) => {}
            (None, Some(pid)) => {
                // It may be gone already; then its end is the next event.
                let _ = kill_process(pid, Signal::TERM);
            }
            (Some(Event::InputEnded) | None, None) => return ExitCode::SUCCESS,
        }
    }
}

fn change(lab: &Lab, line: &str) {
    let settings: Result<Vec<Setting>, _> = line.split_whitespace().map(str::parse).collect();
    match settings {
        Ok(settings) => apply(lab, &settings),
        Err(error) => eprintln!("lab: {error}"),
    }
}

/// The command's own code; a signal is a failure.
fn code(status: ExitStatus) -> ExitCode {
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    code.map_or(ExitCode::FAILURE, ExitCode::from)
}
