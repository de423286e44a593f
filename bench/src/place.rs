//! Where a contender runs: one network namespace, or two with a path between them. Listener and clients are on the near
//! side, connector and targets on the far side.

use std::{
    fs::File,
    net::{IpAddr, Ipv4Addr, TcpListener, TcpStream},
    os::fd::AsFd,
    sync::Arc,
};

use anyhow::{Context, Result, anyhow};
use lab::{Lab, Side, link::Conditions, settings::Setting};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::house::command;

/// The same for everybody, whatever the machine prefers.
const CONGESTION_CONTROL: &str = "cubic";

/// Of the links' dice.
const SEED: u64 = 1;

/// A network namespace.
#[derive(Debug, Clone)]
pub struct Network(Arc<File>);

impl Network {
    /// The one in which this thread is.
    ///
    /// # Errors
    /// When `/proc` is not mounted.
    pub fn current() -> Result<Self> {
        Self::open("/proc/thread-self/ns/net")
    }

    /// The one that a file stands for, `/run/netns/NAME` for example.
    ///
    /// # Errors
    /// When there is no such file.
    pub fn open(path: &str) -> Result<Self> {
        let file = File::open(path).with_context(|| format!("cannot open {path}"))?;
        Ok(Self(Arc::new(file)))
    }

    /// Runs `job` on a thread in this namespace; sockets, threads and processes that it makes belong there, too.
    ///
    /// # Errors
    /// When the job fails.
    pub fn run<T: Send>(&self, job: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                move_into_link_name_space(self.0.as_fd(), Some(LinkNameSpaceType::Network))
                    .context("cannot enter a network namespace")?;
                job()
            });
            thread
                .join()
                .map_err(|_| anyhow!("a thread has panicked"))?
        })
    }
}

/// Both sides.
#[derive(Clone)]
pub struct Place {
    /// Where listener and clients are.
    pub near: Network,
    /// Where connector and targets are.
    pub far: Network,
    /// What connectors dial.
    pub near_address: IpAddr,
    /// What a client dials that goes without a tunnel.
    pub far_address: IpAddr,
    /// In words.
    pub path: String,
    /// The emulated link between both sides, if there is one.
    pub lab: Option<Arc<Lab>>,
}

impl Place {
    /// Everything on loopback.
    ///
    /// # Errors
    /// When the namespace cannot be set up.
    pub fn loopback() -> Result<Self> {
        let network = Network::current()?;
        network.run(|| {
            command("ip", &["link", "set", "lo", "up"])?;
            settle()
        })?;
        Ok(Self {
            near: network.clone(),
            far: network,
            near_address: Ipv4Addr::LOCALHOST.into(),
            far_address: Ipv4Addr::LOCALHOST.into(),
            path: "loopback, MTU 65536".to_owned(),
            lab: None,
        })
    }

    /// Two namespaces joined by a pair of virtual Ethernet devices with the usual MTU.
    ///
    /// # Errors
    /// When they cannot be set up.
    pub fn ethernet() -> Result<Self> {
        let names = ["near", "far"];
        for name in names {
            command("ip", &["netns", "add", name])?;
        }
        let pair = "link add eth0 netns near type veth peer name eth0 netns far";
        command("ip", &pair.split(' ').collect::<Vec<_>>())?;
        let [near, far] = names.map(|name| Network::open(&format!("/run/netns/{name}")));
        let (near, far) = (near?, far?);
        near.run(|| set_up_ethernet("10.77.0.1/24"))?;
        far.run(|| set_up_ethernet("10.77.0.2/24"))?;
        // Only now are both ends up, and the routes whole.
        near.run(settle)?;
        far.run(settle)?;
        Ok(Self {
            near,
            far,
            near_address: Ipv4Addr::new(10, 77, 0, 1).into(),
            far_address: Ipv4Addr::new(10, 77, 0, 2).into(),
            path: "veth, MTU 1500".to_owned(),
            lab: None,
        })
    }

    /// Two namespaces joined by an emulated link, which is gone with the last clone of this.
    ///
    /// # Errors
    /// When it cannot be set up, or a setting cannot be understood.
    pub fn link(settings: &str) -> Result<Self> {
        let mut conditions = Conditions::default();
        for setting in settings.split_whitespace() {
            setting.parse::<Setting>()?.apply(&mut conditions);
        }
        let lab = Lab::new(conditions, SEED)?;
        let [near, far] = Side::BOTH
            .map(|side| Network::open(&format!("/run/netns/{}", lab.namespace(side).name())));
        let (near, far) = (near?, far?);
        near.run(settle)?;
        far.run(settle)?;
        Ok(Self {
            near,
            far,
            near_address: Side::A.ipv4().into(),
            far_address: Side::B.ipv4().into(),
            path: format!("emulated link, each way: {settings}"),
            lab: Some(Arc::new(lab)),
        })
    }

    /// The congestion control that TCP connections between both sides get.
    ///
    /// # Errors
    /// When no connection can be made.
    pub fn congestion_control(&self) -> Result<String> {
        let listener = self
            .far
            .run(|| Ok(TcpListener::bind((self.far_address, 0))?))?;
        self.near.run(|| {
            let tcp = TcpStream::connect(listener.local_addr()?)?;
            let name = socket2::SockRef::from(&tcp).tcp_congestion()?;
            let name = String::from_utf8_lossy(&name);
            Ok(name.trim_end_matches('\0').to_owned())
        })
    }
}

fn set_up_ethernet(address: &str) -> Result<()> {
    command("ip", &["link", "set", "lo", "up"])?;
    command("ip", &["address", "add", address, "dev", "eth0"])?;
    command("ip", &["link", "set", "eth0", "up"]).map(drop)
}

/// Sets what every namespace here has: congestion control, and enough ports for 10,000 connections.
///
/// # Errors
/// When the routes cannot be changed.
pub fn settle() -> Result<()> {
    // Not vital: with the kernel's own range fewer connections fit.
    let _ = std::fs::write("/proc/sys/net/ipv4/ip_local_port_range", "20000 65535");
    let control = "/proc/sys/net/ipv4/tcp_congestion_control";
    if std::fs::write(control, CONGESTION_CONTROL).is_ok() {
        return Ok(());
    }
    // The kernel forbids it where the machine does not allow it to everybody; routes may name it nevertheless.
    for (table, kind) in [("local", "local "), ("main", "")] {
        for route in command("ip", &["route", "show", "table", table])?.lines() {
            if route.starts_with(kind) {
                change_route(table, &route.replace(" linkdown", ""))?;
            }
        }
    }
    Ok(())
}

fn change_route(table: &str, route: &str) -> Result<()> {
    let mut arguments = vec!["route", "change"];
    arguments.extend(route.split_whitespace());
    arguments.extend(["table", table, "congctl", CONGESTION_CONTROL]);
    command("ip", &arguments).map(drop)
}
