//! New connections a second.

use std::time::Duration;

use anyhow::{Result, bail};

use super::{Samples, Scenario, Stage};
use crate::{load::connect::connect, report::metric::Metric};

/// The scenario.
#[derive(Debug)]
pub struct Connect;

impl Scenario for Connect {
    fn name(&self) -> &'static str {
        "connect"
    }

    fn title(&self) -> &'static str {
        "Connections: connect, 64 bytes there and back, close"
    }

    fn measure(&self, stage: &Stage<'_>, samples: &mut Samples) -> Result<()> {
        let set = stage.set(&[0])?;
        let entry = set.running.entries[0];
        let limit = Duration::from_secs_f64(stage.scale.pick(3.0, 0.2));
        // Bounded, so that the ports of closed connections do not run out.
        let count = stage.scale.pick(10_000, 500);
        for (at_once, case) in [(1, "one after the other"), (64, "64 at once")] {
            let outcome = connect(entry, at_once, count, limit);
            if outcome.rate == 0.0 {
                bail!("{case}: not one connection was served");
            }
            samples.add(case, Metric::PerSecond, outcome.rate);
            samples.add(case, Metric::Failures, outcome.failures as f64);
        }
        Ok(())
    }
}
