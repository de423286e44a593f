//! rathole, a reverse tunnel over TCP, with each of its transports: <https://github.com/rapiz1/rathole>.

use std::{
    fmt::Write,
    net::{Ipv4Addr, SocketAddr, TcpStream},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result};

use super::{Contender, Running, Tunnel, connectors};
use crate::{
    house::command,
    place::Place,
    ports,
    program::Program,
    site::{Ca, Site},
};

const PATIENCE: Duration = Duration::from_secs(30);
const PASSWORD: &str = "bench";

/// What carries the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// TCP, in the clear.
    Plaintext,
    /// TLS over TCP.
    Tls,
    /// Noise over TCP.
    Noise,
}

/// rathole with one transport.
#[derive(Debug)]
pub struct Rathole {
    /// The program.
    pub program: Arc<Program>,
    /// What carries the bytes.
    pub transport: Transport,
}

/// The two sides' settings of the transport, TOML.
struct Sides {
    server: String,
    client: String,
}

impl Contender for Rathole {
    fn name(&self) -> &str {
        match self.transport {
            Transport::Plaintext => "rathole plaintext",
            Transport::Tls => "rathole TLS",
            Transport::Noise => "rathole noise",
        }
    }

    fn about(&self) -> String {
        let answer = self.program.output(&["--version"]).unwrap_or_default();
        let version = version(&answer).unwrap_or("of unknown version");
        let kind = match self.transport {
            Transport::Plaintext => "not encrypted",
            Transport::Tls => "TLS of OpenSSL",
            Transport::Noise => "Noise_NK_25519_ChaChaPoly_BLAKE2s",
        };
        format!("rathole {version}, {kind}")
    }

    fn start(&self, place: &Place, site: Site, tunnels: &[Tunnel]) -> Result<Running> {
        let listener = SocketAddr::new(place.near_address, ports::next());
        let sides = self.transport_settings(place, &site)?;
        let entries: Vec<_> = tunnels
            .iter()
            .map(|_| SocketAddr::from((Ipv4Addr::LOCALHOST, ports::next())))
            .collect();
        let file = site.write(
            "server.toml",
            &server_settings(listener, &sides.server, &entries),
        )?;
        let mut clients = Vec::new();
        for number in 0..connectors(tunnels) {
            let text = client_settings(listener, &sides.client, tunnels, number);
            clients.push(site.write(&format!("client{number}.toml"), &text)?);
        }
        let recipe = self.program.recipe(site.folder());
        let mut running = Running::new(site);
        running.entries = entries;
        running.start_listener(place, recipe.clone().argument("--server").argument(file))?;
        running.wait("rathole is not ready", PATIENCE, || {
            Ok(TcpStream::connect(listener).is_ok())
        })?;
        for file in clients {
            let recipe = recipe.clone().argument("--client").argument(file);
            running.start_connector(place, recipe)?;
        }
        Ok(running)
    }
}

impl Rathole {
    fn transport_settings(&self, place: &Place, site: &Site) -> Result<Sides> {
        match self.transport {
            Transport::Plaintext => Ok(Sides {
                server: String::new(),
                client: String::new(),
            }),
            Transport::Tls => tls_settings(place, site),
            Transport::Noise => self.noise_settings(),
        }
    }

    fn noise_settings(&self) -> Result<Sides> {
        let said = self.program.output(&["--genkey"])?;
        let mut keys = said.lines().filter(|line| line.ends_with('='));
        let (private, public) = keys.next().zip(keys.next()).context("no keys of rathole")?;
        let section = |side: &str, key: &str| {
            format!("[{side}.transport]\ntype = \"noise\"\n[{side}.transport.noise]\n{key}\n")
        };
        Ok(Sides {
            server: section("server", &format!("local_private_key = \"{private}\"")),
            client: section("client", &format!("remote_public_key = \"{public}\"")),
        })
    }
}

/// From a list of what it was built of.
fn version(answer: &str) -> Option<&str> {
    let line = answer.lines().find(|line| line.contains("Version:"))?;
    line.split_whitespace().last()
}

fn tls_settings(place: &Place, site: &Site) -> Result<Sides> {
    let ca = Ca::new()?;
    let root = site.write("ca.crt", &ca.pem())?;
    site.write_pair("server", &ca.server(place.near_address)?)?;
    let path = |name: &str| site.path(name).to_string_lossy().into_owned();
    let (certificate, key) = (path("server.crt"), path("server.key"));
    let (pack, password) = (path("server.p12"), format!("pass:{PASSWORD}"));
    let arguments = [
        "pkcs12",
        "-export",
        "-in",
        &certificate,
        "-inkey",
        &key,
        "-out",
        &pack,
        "-passout",
        &password,
    ];
    command("openssl", &arguments)?;
    let section =
        |side: &str| format!("[{side}.transport]\ntype = \"tls\"\n[{side}.transport.tls]\n");
    Ok(Sides {
        server: format!(
            "{}pkcs12 = \"{pack}\"\npkcs12_password = \"{PASSWORD}\"\n",
            section("server")
        ),
        client: format!(
            "{}trusted_root = \"{}\"\nhostname = \"localhost\"\n",
            section("client"),
            root.display()
        ),
    })
}

fn server_settings(listener: SocketAddr, transport: &str, entries: &[SocketAddr]) -> String {
    let mut text =
        format!("[server]\nbind_addr = \"{listener}\"\ndefault_token = \"t\"\n{transport}");
    for (number, entry) in entries.iter().enumerate() {
        // Writing to a string does not fail.
        let _ = write!(
            text,
            "[server.services.s{number}]\nbind_addr = \"{entry}\"\n"
        );
    }
    text
}

fn client_settings(
    listener: SocketAddr,
    transport: &str,
    tunnels: &[Tunnel],
    connector: usize,
) -> String {
    let mut text =
        format!("[client]\nremote_addr = \"{listener}\"\ndefault_token = \"t\"\n{transport}");
    for (number, tunnel) in tunnels.iter().enumerate() {
        if tunnel.connector == connector {
            let _ = write!(
                text,
                "[client.services.s{number}]\nlocal_addr = \"127.0.0.1:{}\"\n",
                tunnel.port
            );
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_one_line_of_many() {
        let answer = "rathole\nBuild Timestamp:  2026\nBuild Version:   0.5.0\n";
        assert_eq!(version(answer), Some("0.5.0"));
        assert_eq!(version("rathole"), None);
    }

    #[test]
    fn a_client_has_the_services_of_its_connector() {
        let listener = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        let tunnels = [(0, 10), (1, 11)].map(|(connector, port)| Tunnel { connector, port });
        let text = client_settings(listener, "", &tunnels, 1);
        assert!(text.contains("services.s1]\nlocal_addr = \"127.0.0.1:11\""));
        assert!(!text.contains("services.s0"));
    }
}
