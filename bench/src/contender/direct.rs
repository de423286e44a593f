//! No tunnel: clients connect to the target.

use std::net::SocketAddr;

use anyhow::Result;

use super::{Contender, Limits, Running, Tunnel};
use crate::{place::Place, site::Site};

/// Direct TCP.
#[derive(Debug)]
pub struct Direct;

impl Contender for Direct {
    fn name(&self) -> &str {
        "direct"
    }

    fn about(&self) -> String {
        "TCP from client to target, no tunnel".to_owned()
    }

    fn limits(&self) -> Limits {
        Limits {
            connectors: 0,
            ..Limits::default()
        }
    }

    fn start(&self, place: &Place, site: Site, tunnels: &[Tunnel]) -> Result<Running> {
        let mut running = Running::new(site);
        let entry = |tunnel: &Tunnel| SocketAddr::new(place.far_address, tunnel.port);
        running.entries = tunnels.iter().map(entry).collect();
        Ok(running)
    }
}
