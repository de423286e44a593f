//! Small messages on an idle way.

use std::time::Duration;

use anyhow::Result;

use super::{Path, Samples, Scenario, Stage};
use crate::load::ping::ping;

/// The scenario.
#[derive(Debug)]
pub struct Ping {
    /// On which path.
    pub path: Path,
}

impl Scenario for Ping {
    fn name(&self) -> &'static str {
        match self.path {
            Path::Loopback => "ping",
            Path::Ethernet | Path::Link(_) => "ping-1500",
        }
    }

    fn title(&self) -> &'static str {
        match self.path {
            Path::Loopback => "64 bytes there and back, one after the other",
            Path::Ethernet | Path::Link(_) => {
                "64 bytes there and back, one after the other, over Ethernet packets"
            }
        }
    }

    fn path(&self) -> Path {
        self.path
    }

    fn measure(&self, stage: &Stage<'_>, samples: &mut Samples) -> Result<()> {
        let set = stage.set(&[0])?;
        let entry = set.running.entries[0];
        let (trial, count) = stage.scale.pick((200, 2000), (10, 100));
        ping(entry, trial, Duration::from_secs(2))?;
        let times = ping(entry, count, Duration::from_secs(5))?;
        times.tell("round trip", samples);
        Ok(())
    }
}
