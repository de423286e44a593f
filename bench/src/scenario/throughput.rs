//! Bulk on 1, 8 and 64 streams, both ways.

use anyhow::{Context, Result};

use super::{Path, Samples, Scale, Scenario, Set, Stage};
use crate::{
    load::transfer::{Direction, transfer},
    measure::moved::Moved,
};

const STREAMS: [usize; 3] = [1, 8, 64];
const MIB: u64 = 1024 * 1024;
/// What is moved at most in a round, in bytes.
const MOST: u64 = 16 * 1024 * MIB;

/// The scenario.
#[derive(Debug)]
pub struct Throughput {
    /// On which path.
    pub path: Path,
}

impl Scenario for Throughput {
    fn name(&self) -> &'static str {
        match self.path {
            Path::Loopback => "throughput",
            Path::Ethernet | Path::Link(_) => "throughput-1500",
        }
    }

    fn title(&self) -> &'static str {
        match self.path {
            Path::Loopback => "Throughput, and processor time of all the contender's processes",
            Path::Ethernet | Path::Link(_) => {
                "Throughput, and processor time of all the contender's processes, over Ethernet packets"
            }
        }
    }

    fn path(&self) -> Path {
        self.path
    }

    fn measure(&self, stage: &Stage<'_>, samples: &mut Samples) -> Result<()> {
        let set = stage.set(&[0])?;
        for direction in Direction::BOTH {
            for streams in STREAMS {
                let case = case(streams, direction);
                let moved = round(&set, streams, direction, stage.scale);
                moved.context(case.clone())?.tell(&case, samples);
            }
        }
        if set.running.has_processes() {
            let memory = set.running.listener_memory() + set.running.connector_memory();
            samples.add_memory("after all of this, both daemons", memory);
        }
        Ok(())
    }
}

fn case(streams: usize, direction: Direction) -> String {
    let plural = if streams == 1 { "" } else { "s" };
    format!("{streams} stream{plural}, {}", direction.name())
}

/// A small transfer first, which warms up and tells how large the real one must be.
fn round(set: &Set, streams: usize, direction: Direction, scale: Scale) -> Result<Moved> {
    let entry = set.running.entries[0];
    let trial = scale.pick(128, 8) * MIB;
    let wanted = scale.pick(2.5, 0.1);
    let took = transfer(entry, streams, direction, trial)?.as_secs_f64();
    let bytes = (trial as f64 * wanted / took) as u64;
    let bytes = bytes.clamp(trial, MOST) / streams as u64 * streams as u64;
    let before = set.running.cpu_seconds();
    let elapsed = transfer(entry, streams, direction, bytes)?;
    let cpu_seconds = set.running.cpu_seconds() - before;
    Ok(Moved {
        bytes,
        elapsed,
        cpu_seconds: set.running.has_processes().then_some(cpu_seconds),
    })
}
