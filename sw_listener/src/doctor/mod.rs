//! `sw_listener doctor`: looks at everything that the listener depends on, and with a connector's certificate at whether it
//! would be let in. It takes nothing from a listener that runs meanwhile.
//!
//! Files here: [`local`] (settings, files, limits), [`ports`], [`state`], [`rules`] (lists, CRLs, OCSP, SCEP, decision).

mod local;
mod ports;
mod rules;
mod servers;
mod state;

use std::{io::Write, path::PathBuf};

use clap::Args;
use common::doctor::{Block, Form, LIMIT, Line, Steps, print};
use tokio::{task::JoinSet, time::Instant};

use crate::config::{Config, Flags};

/// Options of `doctor`.
#[derive(Args, Debug, Clone, Default)]
pub struct DoctorArgs {
    /// Print one JSON object a line: step, outcome (ok, warn, fail, skipped), detail, advice
    #[arg(long)]
    json: bool,

    /// A connector's certificate (PEM with its chain, or DER): would it be let in?
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,
}

/// Looks at everything, at most 30 s long, and prints what it finds: whether nothing failed.
///
/// # Errors
/// When nothing can be printed, or there are no threads or sockets for a runtime.
pub fn run(
    flags: &Flags,
    environment: impl IntoIterator<Item = (String, String)>,
    args: &DoctorArgs,
    out: &mut impl Write,
) -> std::io::Result<bool> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let config = Config::load(flags, environment);
    let well = runtime.block_on(async {
        let deadline = Instant::now() + LIMIT;
        let (steps, block) = Block::new(None);
        let mut tasks = JoinSet::new();
        match config {
            Ok(config) => {
                tasks.spawn(examine(config, args.certificate.clone(), steps));
            }
            Err(problems) => {
                let problems = problems.0.iter();
                let line = |problem: &common::config::Problem| {
                    Line::fail("settings", problem.to_string(), None)
                };
                steps.tell_all(problems.map(line)).await;
                steps.skip(&LATER, "the settings cannot be used").await;
                drop(steps);
            }
        }
        let form = match args.json {
            true => Form::Json,
            false => Form::Text,
        };
        print(vec![block], form, deadline, out).await
    });
    // A name that is being resolved must not hold up the end.
    runtime.shutdown_background();
    well
}

/// The steps that need settings.
const LATER: [&str; 12] = [
    "files", "dates", "clock", "udp", "buffers", "api", "state", "limits", "lists", "crl", "ocsp",
    "scep",
];

async fn examine(config: Config, certificate: Option<PathBuf>, steps: Steps) {
    let authorities = local::examine(&config, &steps).await;
    ports::examine(&config, &steps).await;
    steps
        .tell_all(state::examine(config.state_dir.as_deref()))
        .await;
    steps.tell(local::limits(config.max_streams)).await;
    rules::examine(&config, authorities, certificate, &steps).await;
}
