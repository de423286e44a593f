//! The daemons of this repository.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::{Contender, Running, Tunnel, connectors};
use crate::{
    http,
    options::Setting,
    place::Place,
    ports,
    process::Recipe,
    program::Program,
    site::{Ca, Site},
};

/// How long sessions may take to come.
const PATIENCE: Duration = Duration::from_secs(120);

/// One build with its settings.
#[derive(Debug)]
pub struct SocketWarp {
    /// Its name in the tables.
    pub name: String,
    /// `sw_listener`.
    pub listener: Program,
    /// `sw_connector`.
    pub connector: Program,
    /// Settings besides the built-in ones.
    pub settings: Vec<Setting>,
}

impl Contender for SocketWarp {
    fn name(&self) -> &str {
        &self.name
    }

    fn about(&self) -> String {
        let version = self.listener.output(&["--version"]).unwrap_or_default();
        let settings = self.settings.iter();
        let settings = settings.map(|setting| format!(", {}={}", setting.key, setting.value));
        format!("{}{}", version.trim(), settings.collect::<String>())
    }

    fn start(&self, place: &Place, site: Site, tunnels: &[Tunnel]) -> Result<Running> {
        let ca = Ca::new()?;
        site.write("ca.crt", &ca.pem())?;
        site.write_pair("server", &ca.server(place.near_address)?)?;
        site.make("state")?;
        let listener = SocketAddr::new(place.near_address, ports::next());
        let api = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), ports::next());
        let mut recipes = Vec::new();
        for number in 0..connectors(tunnels) {
            let name = uid(number);
            site.write_pair(&name, &ca.client(&name)?)?;
            recipes.push(self.connector_recipe(&site, &name, listener)?);
        }
        let recipe = self.listener_recipe(&site, listener, api);
        let mut running = Running::new(site);
        running.start_listener(place, recipe)?;
        running.wait("the listener is not ready", PATIENCE, || {
            Ok(http::call(api, "GET", "/readyz", "").is_ok_and(|reply| reply.status == 200))
        })?;
        for recipe in recipes {
            running.start_connector(place, recipe)?;
        }
        open(&mut running, api, tunnels)?;
        Ok(running)
    }
}

impl SocketWarp {
    /// The build in a folder.
    ///
    /// # Errors
    /// When a program is not there.
    pub fn new(name: &str, folder: &Path, settings: Vec<Setting>) -> Result<Self> {
        Ok(Self {
            name: name.to_owned(),
            listener: Program::open(&folder.join("sw_listener"))?,
            connector: Program::open(&folder.join("sw_connector"))?,
            settings,
        })
    }

    fn listener_recipe(&self, site: &Site, quic: SocketAddr, api: SocketAddr) -> Recipe {
        let mut recipe = self
            .listener
            .recipe(site.folder())
            .variable("SWL_CERT_PATH", site.path("server.crt"))
            .variable("SWL_KEY_PATH", site.path("server.key"))
            .variable("SWL_CA_PATH", site.path("ca.crt"))
            .variable("SWL_STATE_DIR", site.path("state"))
            .variable("SWL_ADDRS", quic.ip().to_string())
            .variable("SWL_PORT", quic.port().to_string())
            .variable("APIS_PORT", api.port().to_string());
        for (key, value) in self.settings_of("listener") {
            recipe = recipe.argument("--set").argument(format!("{key}={value}"));
        }
        recipe
    }

    fn connector_recipe(&self, site: &Site, uid: &str, listener: SocketAddr) -> Result<Recipe> {
        let settings = json!({
            "client_cert_path": format!("{uid}.crt"),
            "client_key_path": format!("{uid}.key"),
            "ca_cert_path": "ca.crt",
            "listeners": [listener.to_string()],
        });
        let file = site.write(&format!("{uid}.json"), &settings.to_string())?;
        let mut recipe = self
            .connector
            .recipe(site.folder())
            .argument("--config")
            .argument(file);
        for (key, value) in self.settings_of("connector") {
            recipe = recipe.argument("--set").argument(format!("{key}={value}"));
        }
        Ok(recipe)
    }

    /// The settings of one daemon, `listener` or `connector`.
    fn settings_of(&self, daemon: &str) -> impl Iterator<Item = (&str, &str)> {
        self.settings.iter().filter_map(move |setting| {
            let key = match setting.key.split_once('.') {
                Some((of, key)) => (of == daemon).then_some(key)?,
                None => &setting.key,
            };
            Some((key, setting.value.as_str()))
        })
    }
}

fn uid(number: usize) -> String {
    format!("device-{number}")
}

fn open(running: &mut Running, api: SocketAddr, tunnels: &[Tunnel]) -> Result<()> {
    let wanted = connectors(tunnels);
    let connected = || {
        // The answer is as long as there are sessions, and asking shall not hold them up.
        std::thread::sleep(Duration::from_micros(wanted as u64 * 500));
        Ok(sessions(api)? >= wanted)
    };
    running.wait("not all connectors have a session", PATIENCE, connected)?;
    for tunnel in tunnels {
        let entry = SocketAddr::new(IpAddr::from(Ipv4Addr::LOCALHOST), ports::next());
        let body = json!({
            "uid": uid(tunnel.connector), "port": entry.port(), "bind_address": "127.0.0.1",
            "connect_address": "127.0.0.1", "connect_port": tunnel.port,
        });
        let reply = http::call(api, "POST", "/open", &body.to_string())?;
        if !matches!(reply.status, 200 | 201) {
            bail!("/open: {} {}", reply.status, reply.body);
        }
        running.entries.push(entry);
    }
    Ok(())
}

/// How many connectors are connected.
fn sessions(api: SocketAddr) -> Result<usize> {
    let reply = http::call(api, "GET", "/connectors", "")?;
    let value: Value = serde_json::from_str(&reply.body).context("/connectors is no JSON")?;
    Ok(value.as_array().map_or(0, Vec::len))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_for_both_or_for_one() {
        let setting = |key: &str| Setting {
            contender: "a".into(),
            key: key.into(),
            value: "1".into(),
        };
        let warp = SocketWarp {
            name: "a".into(),
            listener: Program::open(Path::new("/bin/sh")).unwrap(),
            connector: Program::open(Path::new("/bin/sh")).unwrap(),
            settings: vec![setting("both"), setting("listener.threads")],
        };
        let listener: Vec<_> = warp.settings_of("listener").collect();
        let connector: Vec<_> = warp.settings_of("connector").collect();
        assert_eq!(listener, [("both", "1"), ("threads", "1")]);
        assert_eq!(connector, [("both", "1")]);
    }
}
