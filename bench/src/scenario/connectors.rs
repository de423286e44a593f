//! Many connectors on one listener, and all of them coming back after it was restarted.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

use super::{Samples, Scale, Scenario, Set, Stage};
use crate::{contender::Contender, load::client, report::metric::Metric};

/// How long all may take to come back.
const PATIENCE: Duration = Duration::from_secs(180);
/// How long a service may take to answer before it counts as not back yet.
const ANSWER: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(50);

/// The scenario.
#[derive(Debug)]
pub struct Connectors;

impl Scenario for Connectors {
    fn name(&self) -> &'static str {
        "connectors"
    }

    fn title(&self) -> &'static str {
        "Connectors on one listener, each a process with one service"
    }

    fn rounds(&self) -> usize {
        2
    }

    fn excludes(&self, contender: &dyn Contender, scale: Scale) -> Option<String> {
        let limits = contender.limits();
        if limits.connectors < count(scale) {
            let most = limits.connectors;
            return Some(format!("is measured with at most {most} connectors"));
        }
        (!limits.reconnects).then(|| "its connectors do not come back".to_owned())
    }

    fn measure(&self, stage: &Stage<'_>, samples: &mut Samples) -> Result<()> {
        let count = count(stage.scale);
        let alone = stage.set(&[0])?.running.listener_memory();
        let numbers: Vec<_> = (0..count).collect();
        let mut set = stage.set(&numbers)?;
        let running = &set.running;
        running.wait_quiet(Duration::from_secs(stage.scale.pick(30, 1)));
        let memory = running.listener_memory();
        let case = format!("listener with {count} connectors");
        samples.add_memory(&case, memory);
        samples.add_growth(&case, alone, memory, count - 1);
        let window = Duration::from_secs_f64(stage.scale.pick(30.0, 0.5));
        let cpu = running.listener_cpu_millis_per_second(window);
        samples.add(&case, Metric::CpuPerSecond, cpu);
        let connectors = running.connector_memory();
        samples.add_growth("a connector", 0, connectors, count);
        let (first, all) = restart(&mut set)?;
        let case = "after the listener was restarted, until";
        samples.add(format!("{case} the first is back"), Metric::Seconds, first);
        samples.add(format!("{case} all are back"), Metric::Seconds, all);
        Ok(())
    }
}

fn count(scale: Scale) -> usize {
    scale.pick(1_000, 8)
}

/// Ends the listener and starts it again at once; the seconds from then until the first service and all answer again.
fn restart(set: &mut Set) -> Result<(f64, f64)> {
    for process in &mut set.running.listener {
        process.end();
    }
    let start = Instant::now();
    for process in &mut set.running.listener {
        process.start_again()?;
    }
    let mut away: Vec<SocketAddr> = set.running.entries.clone();
    let all = away.len();
    let mut first = None;
    while !away.is_empty() {
        away.retain(|entry| client::echo(*entry, 1, ANSWER).is_err());
        if away.len() < all {
            first.get_or_insert_with(|| start.elapsed().as_secs_f64());
        }
        if start.elapsed() > PATIENCE {
            let words = set.running.last_words();
            let (missing, limit) = (away.len(), PATIENCE.as_secs());
            bail!("{missing} of {all} are not back within {limit} s; {words}");
        }
        std::thread::sleep(LOOK);
    }
    let last = start.elapsed().as_secs_f64();
    Ok((first.unwrap_or(last), last))
}
