//! What connections cost on which nothing moves.

use std::time::Duration;

use anyhow::{Context, Result};

use super::{Samples, Scale, Scenario, Stage};
use crate::{
    contender::Contender,
    load::client::{PATIENCE, hold, many},
    report::metric::Metric,
};

/// The scenario.
#[derive(Debug)]
pub struct Idle;

impl Scenario for Idle {
    fn name(&self) -> &'static str {
        "idle"
    }

    fn title(&self) -> &'static str {
        "Connections on which nothing moves: memory and processor time"
    }

    fn rounds(&self) -> usize {
        3
    }

    fn excludes(&self, contender: &dyn Contender, _: Scale) -> Option<String> {
        (contender.name() == "direct").then(|| "has no processes".to_owned())
    }

    fn measure(&self, stage: &Stage<'_>, samples: &mut Samples) -> Result<()> {
        let set = stage.set(&[0])?;
        let running = &set.running;
        running.wait_quiet(Duration::from_secs(10));
        let window = Duration::from_secs_f64(stage.scale.pick(10.0, 0.2));
        let before = running.listener_memory() + running.connector_memory();
        let entry = running.entries[0];
        let mut held = Vec::new();
        for count in stage.scale.pick(vec![0, 50, 1_000, 10_000], vec![0, 50]) {
            if count > stage.contender.limits().streams {
                break;
            }
            let case = format!("{count} connections");
            let new = many(count - held.len(), || hold(entry, PATIENCE));
            held.extend(new.with_context(|| case.clone())?);
            running.wait_quiet(Duration::from_secs(10));
            let (listener, connector) = (running.listener_memory(), running.connector_memory());
            samples.add_memory(format!("{case}, listener"), listener);
            samples.add_memory(format!("{case}, connector"), connector);
            if count > 0 {
                let case = format!("{case}, both together");
                samples.add_growth(case, before, listener + connector, count);
            }
            let cpu = running.cpu_millis_per_second(window);
            samples.add(format!("{case}, both together"), Metric::CpuPerSecond, cpu);
        }
        Ok(())
    }
}
