//! Links that are slow, far, or bad.

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    time::Duration,
};

use anyhow::{Context, Result};
use lab::{Lab, link::Conditions};

use super::{Path, Samples, Scale, Scenario, Stage};
use crate::{
    contender::Contender,
    load::{bulk::Bulk, ping::ping, transfer::Direction},
    report::metric::Metric,
};

/// 50 ms there and back, and what such a link often has.
macro_rules! far {
    ($more:literal) => {
        concat!("delay=25ms rate=200mbit queue=50ms", $more)
    };
}

const STREAMS: [usize; 2] = [1, 8];
const DOWN: &[Direction] = &[Direction::Down];
/// Bulk streams beside the ping.
const BESIDE: usize = 7;

/// All of them.
pub const LINKS: [Link; 8] = [
    Link::new("link", "50 ms, 200 Mbit/s, no loss", far!("")),
    Link::new(
        "link-loss-0.1",
        "50 ms, 200 Mbit/s, 0.1 % loss",
        far!(" loss=0.1%"),
    ),
    Link::new(
        "link-loss-1",
        "50 ms, 200 Mbit/s, 1 % loss",
        far!(" loss=1%"),
    ),
    Link::new(
        "link-loss-2",
        "50 ms, 200 Mbit/s, 2 % loss",
        far!(" loss=2%"),
    ),
    Link::new(
        "link-reordering",
        "50 ms, 200 Mbit/s, 25 % of the packets 10 ms late",
        far!(" reorder=25%/10ms"),
    )
    .directions(DOWN),
    Link::new(
        "link-bursts",
        "50 ms, 200 Mbit/s, 5 % loss in bursts of 20 ms",
        far!(" loss=5%/20ms"),
    )
    .directions(DOWN),
    Link::new(
        "link-blackouts",
        "50 ms, 200 Mbit/s, and for 1 s of 5 nothing gets through",
        far!(""),
    )
    .directions(DOWN)
    .blackouts(),
    Link::new(
        "link-gigabit",
        "100 ms, 1 Gbit/s, no loss",
        "delay=50ms rate=1gbit queue=50ms",
    )
    .bulk_only(),
];

/// The scenario.
#[derive(Debug, Clone, Copy)]
pub struct Link {
    name: &'static str,
    title: &'static str,
    settings: &'static str,
    directions: &'static [Direction],
    blackouts: bool,
    bulk_only: bool,
}

impl Link {
    const fn new(name: &'static str, title: &'static str, settings: &'static str) -> Self {
        Self {
            name,
            title,
            settings,
            directions: &Direction::BOTH,
            blackouts: false,
            bulk_only: false,
        }
    }

    const fn directions(mut self, directions: &'static [Direction]) -> Self {
        self.directions = directions;
        self
    }

    const fn blackouts(mut self) -> Self {
        self.blackouts = true;
        self
    }

    /// One stream and nothing else.
    const fn bulk_only(mut self) -> Self {
        self.bulk_only = true;
        self
    }

    fn bulk(&self, stage: &Stage<'_>, streams: usize, direction: Direction) -> Result<f64> {
        let set = stage.set(&[0])?;
        let warm_up = Duration::from_secs_f64(stage.scale.pick(2.0, 0.3));
        let window = Duration::from_secs_f64(stage.scale.pick(10.0, 0.3));
        let bulk = Bulk::start(set.running.entries[0], streams, direction)?;
        let moved = bulk.measure(&set, warm_up, window)?;
        Ok(moved.bits_per_second() / 1e6)
    }

    fn ping(&self, stage: &Stage<'_>, case: &str, samples: &mut Samples) -> Result<()> {
        let set = stage.set(&[0])?;
        let entry = set.running.entries[0];
        let bulk = Bulk::start(entry, BESIDE, Direction::Down)?;
        std::thread::sleep(Duration::from_secs_f64(stage.scale.pick(2.0, 0.3)));
        let limit = Duration::from_secs_f64(stage.scale.pick(10.0, 0.3));
        ping(entry, usize::MAX, limit)?.tell_millis(case, samples);
        bulk.received(&set.target).map(drop)
    }

    fn measure_all(&self, stage: &Stage<'_>, samples: &mut Samples) -> Result<()> {
        let quick = stage.scale == Scale::Quick;
        let few = quick || self.bulk_only;
        for &streams in &STREAMS[..if few { 1 } else { STREAMS.len() }] {
            for &direction in &self.directions[..if quick { 1 } else { self.directions.len() }] {
                let plural = if streams == 1 { "" } else { "s" };
                let case = format!("{streams} stream{plural}, {}", direction.name());
                let rate = self.bulk(stage, streams, direction);
                samples.add(&case, Metric::Megabits, rate.context(case.clone())?);
            }
        }
        if !self.bulk_only {
            let case = format!("ping beside {BESIDE} bulk streams");
            self.ping(stage, &case, samples).context(case.clone())?;
        }
        Ok(())
    }
}

impl Scenario for Link {
    fn name(&self) -> &'static str {
        self.name
    }

    fn title(&self) -> &'static str {
        self.title
    }

    fn path(&self) -> Path {
        Path::Link(self.settings)
    }

    fn rounds(&self) -> usize {
        2
    }

    fn is_quick(&self) -> bool {
        self.blackouts || self.name == "link-loss-1"
    }

    fn excludes(&self, contender: &dyn Contender, _: Scale) -> Option<String> {
        let same_carrier = ["rathole TLS", "rathole noise"].contains(&contender.name());
        same_carrier.then(|| "left out, because it is carried as rathole plaintext is".to_owned())
    }

    fn measure(&self, stage: &Stage<'_>, samples: &mut Samples) -> Result<()> {
        let Some(lab) = stage.place.lab.as_deref().filter(|_| self.blackouts) else {
            return self.measure_all(stage, samples);
        };
        std::thread::scope(|scope| {
            let (done, over) = channel();
            scope.spawn(move || black_out(lab, &over));
            let measured = self.measure_all(stage, samples);
            drop(done);
            measured
        })
    }
}

/// Nothing gets through in the last of every 5 s, until the other end of the channel is gone.
fn black_out(lab: &Lab, over: &Receiver<()>) {
    let set = |up| {
        let conditions = lab.conditions(lab::Direction::AToB);
        lab.change_both(Conditions { up, ..conditions });
    };
    for up in [true, false].into_iter().cycle() {
        set(up);
        let length = Duration::from_secs(if up { 4 } else { 1 });
        if over.recv_timeout(length) == Err(RecvTimeoutError::Disconnected) {
            break;
        }
    }
    set(true);
}

#[cfg(test)]
mod tests {
    use lab::settings::Setting;

    use super::*;

    #[test]
    fn the_lab_understands_every_link() {
        for link in LINKS {
            for setting in link.settings.split_whitespace() {
                let parsed = setting.parse::<Setting>();
                assert!(parsed.is_ok(), "{}: {setting}: {parsed:?}", link.name);
            }
        }
    }

    #[test]
    fn a_quick_run_has_some_links() {
        assert_eq!(LINKS.iter().filter(|link| link.is_quick()).count(), 2);
    }
}
