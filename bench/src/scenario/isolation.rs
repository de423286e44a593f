//! Small messages beside bulk: on the same opening, on another, and of another connector.

use std::time::Duration;

use anyhow::{Context, Result};

use super::{Samples, Scenario, Stage};
use crate::load::{bulk::Bulk, ping::ping, transfer::Direction};

const STREAMS: usize = 7;

/// The scenario.
#[derive(Debug)]
pub struct Isolation;

impl Scenario for Isolation {
    fn name(&self) -> &'static str {
        "isolation"
    }

    fn title(&self) -> &'static str {
        "64 bytes there and back, beside 7 bulk streams"
    }

    fn rounds(&self) -> usize {
        3
    }

    fn measure(&self, stage: &Stage<'_>, samples: &mut Samples) -> Result<()> {
        // The first two openings are one connector's, the third is another's.
        let set = stage.set(&[0, 0, 1])?;
        let limit = Duration::from_secs_f64(stage.scale.pick(3.0, 0.1));
        let warm_up = Duration::from_secs_f64(stage.scale.pick(0.5, 0.05));
        let entries = &set.running.entries;
        let alone = ping(entries[0], 2000, limit).context("nothing beside")?;
        alone.tell("nothing beside", samples);
        for direction in Direction::BOTH {
            let bulk = Bulk::start(entries[0], STREAMS, direction)?;
            std::thread::sleep(warm_up);
            let places = ["the same opening", "another opening", "another connector"];
            for (place, entry) in places.iter().zip(entries) {
                let case = format!("bulk {}, ping on {place}", direction.name());
                let times = ping(*entry, 2000, limit);
                times.with_context(|| case.clone())?.tell(&case, samples);
            }
            // A stream that has broken would have made room.
            bulk.received(&set.target)?;
        }
        Ok(())
    }
}
