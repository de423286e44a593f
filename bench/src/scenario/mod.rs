//! What is measured of a contender.

use anyhow::Result;

use crate::{
    contender::{Contender, Running, Tunnel},
    load::target::Target,
    place::Place,
    report::metric::Metric,
};

pub mod connect;
pub mod connectors;
pub mod idle;
pub mod isolation;
pub mod link;
pub mod ping;
pub mod stalled;
pub mod throughput;

/// One kind of measurement.
pub trait Scenario: Sync {
    /// Its name, for `--only`.
    fn name(&self) -> &'static str;

    /// What is measured, in a line.
    fn title(&self) -> &'static str;

    /// On which path.
    fn path(&self) -> Path {
        Path::Loopback
    }

    /// Why a contender cannot take part, if so.
    fn excludes(&self, _contender: &dyn Contender, _scale: Scale) -> Option<String> {
        None
    }

    /// How often each figure is taken in a full run.
    fn rounds(&self) -> usize {
        5
    }

    /// Whether a quick run has it, too.
    fn is_quick(&self) -> bool {
        true
    }

    /// One round with one contender. Runs on the near side. What was measured before an error counts.
    ///
    /// # Errors
    /// When something does not work.
    fn measure(&self, stage: &Stage<'_>, samples: &mut Samples) -> Result<()>;
}

/// Between near and far side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Path {
    /// Everything in one namespace.
    Loopback,
    /// Virtual Ethernet with the usual MTU.
    Ethernet,
    /// An emulated link.
    Link(&'static str),
}

impl Path {
    /// Sets it up.
    ///
    /// # Errors
    /// When that fails.
    pub fn place(self) -> Result<Place> {
        match self {
            Self::Loopback => Place::loopback(),
            Self::Ethernet => Place::ethernet(),
            Self::Link(settings) => Place::link(settings),
        }
    }
}

/// All scenarios, in the order in which they run.
pub fn all() -> Vec<Box<dyn Scenario>> {
    let (loopback, ethernet) = (Path::Loopback, Path::Ethernet);
    let mut all: Vec<Box<dyn Scenario>> = vec![
        Box::new(throughput::Throughput { path: loopback }),
        Box::new(ping::Ping { path: loopback }),
        Box::new(connect::Connect),
        Box::new(idle::Idle),
        Box::new(isolation::Isolation),
        Box::new(stalled::Stalled),
        Box::new(connectors::Connectors),
        Box::new(throughput::Throughput { path: ethernet }),
        Box::new(ping::Ping { path: ethernet }),
    ];
    for link in link::LINKS {
        all.push(Box::new(link));
    }
    all
}

/// A figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Of what, within the scenario.
    pub case: String,
    /// In which unit.
    pub metric: Metric,
    /// The figure.
    pub value: f64,
}

/// The figures of one round.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Samples(pub Vec<Sample>);

impl Samples {
    /// Adds a figure.
    pub fn add(&mut self, case: impl Into<String>, metric: Metric, value: f64) {
        self.0.push(Sample {
            case: case.into(),
            metric,
            value,
        });
    }

    /// Adds memory, given in bytes.
    pub fn add_memory(&mut self, case: impl Into<String>, bytes: u64) {
        let mib = bytes as f64 / (1024.0 * 1024.0);
        self.add(case, Metric::Memory, mib);
    }

    /// Adds the growth of memory, given in bytes, for each of `count`.
    pub fn add_growth(&mut self, case: impl Into<String>, before: u64, after: u64, count: usize) {
        let kib = (after as f64 - before as f64) / 1024.0 / count as f64;
        self.add(case, Metric::MemoryEach, kib);
    }
}

/// How much is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// As much as good figures take.
    Full,
    /// As little as shows that it works.
    Quick,
}

impl Scale {
    /// One for each.
    pub fn pick<T>(self, full: T, quick: T) -> T {
        match self {
            Self::Full => full,
            Self::Quick => quick,
        }
    }
}

/// Who is measured, and where.
pub struct Stage<'a> {
    /// The path.
    pub place: &'a Place,
    /// Who.
    pub contender: &'a dyn Contender,
    /// How much is done.
    pub scale: Scale,
}

/// A contender that runs, and the target behind it.
pub struct Set {
    /// The contender. Ends before the target does.
    pub running: Running,
    /// Where all its tunnels lead.
    pub target: Target,
}

impl Stage<'_> {
    /// Starts the contender with a tunnel through each of these connectors (the same one several times for several
    /// tunnels), and waits until all carry bytes.
    ///
    /// # Errors
    /// When it cannot be started or does not become ready.
    pub fn set(&self, connectors: &[usize]) -> Result<Set> {
        let target = Target::start(&self.place.far)?;
        let port = target.port;
        let tunnels: Vec<_> = connectors
            .iter()
            .map(|&connector| Tunnel { connector, port })
            .collect();
        let site = crate::site::Site::new()?;
        let mut running = self.contender.start(self.place, site, &tunnels)?;
        running.wait_ready()?;
        Ok(Set { running, target })
    }
}
