//! `ssh -R`: an sshd of its own on the near side, ssh on the far side.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Result;

use super::{Contender, Limits, Running, Tunnel, connectors};
use crate::{house::command, place::Place, ports, process::Recipe, site::Site};

const PATIENCE: Duration = Duration::from_secs(30);
/// The fastest one that both sides have where the processor helps with AES.
const CIPHER: &str = "aes128-gcm@openssh.com";

/// OpenSSH.
#[derive(Debug)]
pub struct Ssh {
    /// The program sshd, which wants its whole path.
    pub sshd: PathBuf,
}

impl Contender for Ssh {
    fn name(&self) -> &str {
        "ssh -R"
    }

    fn about(&self) -> String {
        // It tells its version on standard error.
        let output = std::process::Command::new("ssh").arg("-V").output();
        let said = output.map(|output| String::from_utf8_lossy(&output.stderr).into_owned());
        let said = said.unwrap_or_default();
        let version = said.split(',').next().unwrap_or_default();
        format!("{version}, {CIPHER}")
    }

    /// Each is three processes here, and it is not made for more.
    fn limits(&self) -> Limits {
        Limits {
            connectors: 100,
            reconnects: false,
            ..Limits::default()
        }
    }

    fn start(&self, place: &Place, site: Site, tunnels: &[Tunnel]) -> Result<Running> {
        let listener = SocketAddr::new(place.near_address, ports::next());
        make_keys(&site, listener)?;
        let config = site.write("sshd_config", &settings(&site, listener))?;
        let folder = site.folder().to_owned();
        let mut running = Running::new(site);
        running.entries = tunnels
            .iter()
            .map(|_| SocketAddr::from((Ipv4Addr::LOCALHOST, ports::next())))
            .collect();
        let daemon = Recipe::new(&self.sshd, &folder)
            .arguments("-D -e -f")
            .argument(config);
        running.start_listener(place, daemon)?;
        running.wait("sshd is not ready", PATIENCE, || {
            Ok(TcpStream::connect(listener).is_ok())
        })?;
        for number in 0..connectors(tunnels) {
            let recipe = client(&folder, listener, tunnels, &running.entries, number);
            running.start_connector(place, recipe)?;
        }
        Ok(running)
    }
}

fn make_keys(site: &Site, listener: SocketAddr) -> Result<()> {
    for name in ["host_key", "user_key"] {
        let path = site.path(name);
        let arguments = [
            "-q",
            "-t",
            "ed25519",
            "-N",
            "",
            "-f",
            &path.to_string_lossy(),
        ];
        command("ssh-keygen", &arguments)?;
    }
    let public = std::fs::read_to_string(site.path("host_key.pub"))?;
    let known = format!("[{}]:{} {public}", listener.ip(), listener.port());
    site.write("known_hosts", &known).map(drop)
}

fn settings(site: &Site, listener: SocketAddr) -> String {
    let folder = site.folder().display();
    format!(
        "ListenAddress {listener}\n\
         HostKey {folder}/host_key\n\
         AuthorizedKeysFile {folder}/user_key.pub\n\
         PidFile none\n\
         PermitRootLogin prohibit-password\n\
         PasswordAuthentication no\n\
         KbdInteractiveAuthentication no\n\
         StrictModes no\n\
         UsePAM no\n\
         AllowTcpForwarding yes\n\
         MaxStartups 1000\n\
         Ciphers {CIPHER}\n"
    )
}

fn client(
    folder: &Path,
    listener: SocketAddr,
    tunnels: &[Tunnel],
    entries: &[SocketAddr],
    connector: usize,
) -> Recipe {
    let mut recipe = Recipe::new("ssh", folder)
        .arguments("-F none -N -i user_key -o BatchMode=yes -o IdentitiesOnly=yes")
        .arguments("-o StrictHostKeyChecking=yes -o UserKnownHostsFile=known_hosts")
        .arguments("-o GlobalKnownHostsFile=/dev/null -o ExitOnForwardFailure=yes")
        .arguments(&format!("-o Ciphers={CIPHER} -p {}", listener.port()));
    for (tunnel, entry) in tunnels.iter().zip(entries) {
        if tunnel.connector == connector {
            let forward = format!("{entry}:127.0.0.1:{}", tunnel.port);
            recipe = recipe.argument("-R").argument(forward);
        }
    }
    recipe.argument(format!("root@{}", listener.ip()))
}
