//! Many connectors on one listener, and all of them coming back after it was restarted.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

use super::{Path, Samples, Scale, Scenario, Set, Stage};
use crate::{
    contender::Contender, load::client, measure::statistics::range, report::metric::Metric,
};

/// How long all may take to come back.
const PATIENCE: Duration = Duration::from_secs(180);
/// How long a service may take to answer before it counts as not back yet.
const ANSWER: Duration = Duration::from_secs(2);
/// How many threads look who is back.
const WATCHERS: usize = 16;
const LOOK: Duration = Duration::from_millis(50);

/// The scenario.
#[derive(Debug)]
pub struct Connectors;

impl Scenario for Connectors {
    fn name(&self) -> &'static str {
        "connectors"
    }

    fn title(&self) -> &'static str {
        "Connectors on one listener, each a process with one service, over Ethernet packets"
    }

    /// As devices are, not on loopback: with jumbo packets every session keeps more.
    fn path(&self) -> Path {
        Path::Ethernet
    }

    fn rounds(&self) -> usize {
        2
    }

    fn excludes(&self, contender: &dyn Contender, scale: Scale) -> Option<String> {
        let limits = contender.limits();
        let most = limits.connectors;
        if most == 0 {
            return Some("has no connectors".to_owned());
        }
        if most < count(scale) {
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
        running.wait_quiet(Duration::from_secs(stage.scale.pick(30, 4)));
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
    let entries = &set.running.entries;
    let back: Vec<_> = std::thread::scope(|scope| {
        let watchers: Vec<_> = entries
            .chunks(entries.len().div_ceil(WATCHERS))
            .map(|share| scope.spawn(move || watch(share, start)))
            .collect();
        let times = watchers
            .into_iter()
            .filter_map(|watcher| watcher.join().ok());
        times.flatten().collect()
    });
    if back.len() < entries.len() {
        let (missing, all) = (entries.len() - back.len(), entries.len());
        let (limit, words) = (PATIENCE.as_secs(), set.running.last_words());
        bail!("{missing} of {all} are not back within {limit} s; {words}");
    }
    Ok(range(&back))
}

/// The seconds since `start` after which each of the services answered, as far as they did in time.
fn watch(entries: &[SocketAddr], start: Instant) -> Vec<f64> {
    let mut away = entries.to_vec();
    let mut times = Vec::new();
    while !away.is_empty() && start.elapsed() < PATIENCE {
        away.retain(|entry| {
            let is_back = client::echo(*entry, 1, ANSWER).is_ok();
            if is_back {
                times.push(start.elapsed().as_secs_f64());
            }
            !is_back
        });
        std::thread::sleep(LOOK);
    }
    times
}
