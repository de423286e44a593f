//! socket-warp 1.x, from a folder with `sw_listener1` and `sw_connector1`.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    time::Duration,
};

use anyhow::Result;
use serde_json::json;

use super::{Contender, Limits, Running, Tunnel, connectors, scep::Scep};
use crate::{
    http,
    place::Place,
    ports,
    process::Recipe,
    program::Program,
    site::{Ca, Site},
};

const PATIENCE: Duration = Duration::from_secs(30);

/// socket-warp 1.x.
#[derive(Debug)]
pub struct OneX {
    listener: Program,
    connector: Program,
}

impl Contender for OneX {
    fn name(&self) -> &str {
        "socket-warp 1.x"
    }

    fn about(&self) -> String {
        "the version before this one, QUIC".to_owned()
    }

    /// quinn's default number of streams; and it ends with its session.
    fn limits(&self) -> Limits {
        Limits {
            streams: 100,
            reconnects: false,
            ..Limits::default()
        }
    }

    fn start(&self, place: &Place, site: Site, tunnels: &[Tunnel]) -> Result<Running> {
        let ca = Ca::new()?;
        site.write("ca.crt", &ca.pem())?;
        site.write_pair("server", &ca.server(place.near_address)?)?;
        let listener = SocketAddr::new(place.near_address, ports::next());
        let api = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), ports::next());
        let (mut recipes, mut known) = (Vec::new(), Vec::new());
        for number in 0..connectors(tunnels) {
            let name = uid(number);
            let pair = ca.client(&name)?;
            known.push((pair.certificate.clone(), name.clone()));
            let folder = site.make(&name)?;
            site.write_pair(&format!("{name}/client"), &pair)?;
            site.write(&format!("{name}/settings.json"), &settings(listener))?;
            recipes.push(self.connector.recipe(folder));
        }
        let scep = Scep::start(&known)?;
        let daemon = self.recipe(&site, listener, api, scep.address);
        let mut running = Running::new(site);
        running.keep.push(Box::new(scep));
        running.start_listener(place, daemon)?;
        running.wait("the listener is not ready", PATIENCE, || {
            Ok(http::call(api, "GET", "/list", "").is_ok())
        })?;
        for recipe in recipes {
            running.start_connector(place, recipe)?;
        }
        open(&mut running, api, tunnels)?;
        Ok(running)
    }
}

impl OneX {
    /// The programs in a folder.
    ///
    /// # Errors
    /// When one is not there.
    pub fn new(folder: &Path) -> Result<Self> {
        Ok(Self {
            listener: Program::open(&folder.join("sw_listener1"))?,
            connector: Program::open(&folder.join("sw_connector1"))?,
        })
    }

    fn recipe(&self, site: &Site, quic: SocketAddr, api: SocketAddr, scep: SocketAddr) -> Recipe {
        self.listener
            .recipe(site.folder())
            .variable("SWL_CERT_PATH", site.path("server.crt"))
            .variable("SWL_KEY_PATH", site.path("server.key"))
            .variable("SWL_CA_PATH", site.path("ca.crt"))
            .variable("SWL_ADDRS", quic.ip().to_string())
            .variable("SWL_PORT", quic.port().to_string())
            .variable("SWL_SCEP_URL", format!("http://{scep}/verify"))
            .variable("SWL_LOG_LEVEL", "error")
            .variable("APIS_ADDRS", api.ip().to_string())
            .variable("APIS_PORT", api.port().to_string())
    }
}

fn uid(number: usize) -> String {
    format!("device-{number}")
}

fn settings(listener: SocketAddr) -> String {
    json!({
        "client_cert_path": "client.crt", "client_key_path": "client.key",
        "ca_cert_path": "../ca.crt",
        "server_name": listener.ip().to_string(), "service_port": listener.port(),
    })
    .to_string()
}

/// It refuses until the connector is connected.
fn open(running: &mut Running, api: SocketAddr, tunnels: &[Tunnel]) -> Result<()> {
    for tunnel in tunnels {
        let port = ports::next();
        let body = json!({
            "uid": uid(tunnel.connector), "port": port,
            "connect_address": "127.0.0.1", "connect_port": tunnel.port,
        });
        let body = body.to_string();
        running.wait("/open is refused", PATIENCE, || {
            Ok(http::call(api, "POST", "/open", &body)?.status == 200)
        })?;
        running.entries.push((Ipv4Addr::LOCALHOST, port).into());
    }
    Ok(())
}
