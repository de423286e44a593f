//! Clients that do not read, while their targets send without end; and another stream beside them.

use std::time::Duration;

use anyhow::{Context, Result};

use super::{Samples, Scale, Scenario, Set, Stage};
use crate::{
    contender::Contender,
    load::{
        bulk::Bulk,
        client::{many, request},
        request::Request,
        transfer::Direction,
    },
};

/// The scenario.
#[derive(Debug)]
pub struct Stalled;

impl Scenario for Stalled {
    fn name(&self) -> &'static str {
        "stalled"
    }

    fn title(&self) -> &'static str {
        "Clients that never read, their targets sending without end, and one stream beside them"
    }

    fn rounds(&self) -> usize {
        3
    }

    fn excludes(&self, contender: &dyn Contender, scale: Scale) -> Option<String> {
        let most = contender.limits().streams;
        (most <= clients(scale)).then(|| format!("has at most {most} streams"))
    }

    fn measure(&self, stage: &Stage<'_>, samples: &mut Samples) -> Result<()> {
        let set = stage.set(&[0])?;
        let count = clients(stage.scale);
        one_stream("one stream, nothing beside", &set, stage.scale, samples)?;
        let entry = set.running.entries[0];
        let stalled = many(count, || request(entry, Request::Flood));
        let stalled = stalled.with_context(|| format!("{count} clients that never read"))?;
        set.running
            .wait_quiet(Duration::from_secs(stage.scale.pick(20, 4)));
        let case = format!("one stream beside {count} stalled ones");
        one_stream(&case, &set, stage.scale, samples)?;
        if set.running.has_processes() {
            let case = format!("with {count} stalled streams");
            samples.add_memory(format!("{case}, listener"), set.running.listener_memory());
            samples.add_memory(format!("{case}, connector"), set.running.connector_memory());
        }
        drop(stalled);
        Ok(())
    }
}

fn clients(scale: Scale) -> usize {
    scale.pick(1_000, 20)
}

fn one_stream(case: &str, set: &Set, scale: Scale, samples: &mut Samples) -> Result<()> {
    let warm_up = Duration::from_secs_f64(scale.pick(1.0, 0.1));
    let window = Duration::from_secs_f64(scale.pick(3.0, 0.1));
    let bulk = Bulk::start(set.running.entries[0], 1, Direction::Down);
    let bulk = bulk.with_context(|| case.to_owned())?;
    let moved = bulk.measure(set, warm_up, window);
    moved.with_context(|| case.to_owned())?.tell(case, samples);
    Ok(())
}
