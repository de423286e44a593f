//! Two namespaces and the links between them.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr},
    process::Command,
    sync::Arc,
};

use crate::{
    link::{Conditions, Counts, Link},
    netns::{CreateError, IpError, Namespace, names, sweep},
    tun::{Device, NAME, Wire},
};

/// What each side is set to, as far as the kernel has it for each namespace and lets it be set: TCP that does not learn from
/// one connection for the next, no packets of the kernel's own on the link, and buffers of up to 32 MiB, which is 1 Gbit/s
/// at 250 ms.
const TUNING: &[(&str, &str)] = &[
    ("ipv4/tcp_congestion_control", "cubic"),
    ("ipv4/tcp_no_metrics_save", "1"),
    ("ipv4/tcp_rmem", "4096 131072 33554432"),
    ("ipv4/tcp_wmem", "4096 16384 33554432"),
    ("core/rmem_max", "33554432"),
    ("core/wmem_max", "33554432"),
    ("ipv6/conf/default/accept_ra", "0"),
    ("ipv6/conf/default/addr_gen_mode", "1"),
];

/// A side of the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// 10.99.0.1 and fd00:99::1.
    A,
    /// 10.99.0.2 and fd00:99::2.
    B,
}

/// A direction of the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From side A to side B.
    AToB,
    /// From side B to side A.
    BToA,
}

/// Two network namespaces of their own, joined by nothing but a link. All is removed when this is dropped, so programs that
/// run there should have ended before.
pub struct Lab {
    // Dropped in this order: the links, their devices, the namespaces.
    wires: [Wire; 2],
    namespaces: [Namespace; 2],
}

/// Why there is no lab.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// A namespace is missing.
    #[error(transparent)]
    Namespace(#[from] CreateError),
    /// A device is missing.
    #[error("cannot make the TUN device {NAME} in {namespace}, which needs /dev/net/tun")]
    Device {
        /// Where.
        namespace: String,
        /// Why.
        source: io::Error,
    },
    /// A device has no address.
    #[error("cannot set the addresses of {namespace}")]
    Address {
        /// Where.
        namespace: String,
        /// Why.
        source: IpError,
    },
    /// A namespace cannot be entered.
    #[error("cannot enter {namespace}")]
    Enter {
        /// Which.
        namespace: String,
        /// Why.
        source: io::Error,
    },
    /// A thread cannot be started.
    #[error("cannot start the threads of the link")]
    Threads(#[source] io::Error),
}

impl Side {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::A, Self::B];

    /// Its address; the network is a /24.
    pub fn ipv4(self) -> Ipv4Addr {
        Ipv4Addr::new(10, 99, 0, 1 + self as u8)
    }

    /// Its address; the network is a /64.
    pub fn ipv6(self) -> Ipv6Addr {
        Ipv6Addr::new(0xfd00, 0x99, 0, 0, 0, 0, 0, 1 + self as u16)
    }
}

impl Direction {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::AToB, Self::BToA];
}

impl Lab {
    /// Sets one up with the same conditions in both directions. What killed processes have left is [swept](sweep) first.
    ///
    /// # Errors
    /// Without root, iproute2 or `/dev/net/tun`.
    pub fn new(conditions: Conditions, seed: u64) -> Result<Self, SetupError> {
        // Leftovers are in nobody's way; that they cannot be removed is no reason to stop.
        let _ = sweep();
        let [a, b] = names();
        let namespaces = [Namespace::create(a)?, Namespace::create(b)?];
        let a = Arc::new(furnish(&namespaces[0], Side::A)?);
        let b = Arc::new(furnish(&namespaces[1], Side::B)?);
        let start = |seed, from: &Arc<Device>, to: &Arc<Device>| {
            let link = Link::new(conditions, seed);
            Wire::start(link, from.clone(), to.clone()).map_err(SetupError::Threads)
        };
        // Any two different seeds for the directions, so that they are not lost in step.
        let wires = [start(seed, &a, &b)?, start(!seed, &b, &a)?];
        Ok(Self { wires, namespaces })
    }

    /// Other conditions, for what is sent from now on; see [`Link::change`].
    pub fn change(&self, direction: Direction, conditions: Conditions) {
        self.wire(direction).link().change(conditions);
    }

    /// The same in both directions.
    pub fn change_both(&self, conditions: Conditions) {
        for direction in Direction::BOTH {
            self.change(direction, conditions);
        }
    }

    /// The conditions now.
    pub fn conditions(&self, direction: Direction) -> Conditions {
        *self.wire(direction).link().conditions()
    }

    /// What has happened so far.
    pub fn counts(&self, direction: Direction) -> Counts {
        self.wire(direction).link().counts()
    }

    /// The namespace of a side.
    pub fn namespace(&self, side: Side) -> &Namespace {
        &self.namespaces[side as usize]
    }

    /// A program that will run on that side.
    pub fn command(&self, side: Side, program: &str) -> Command {
        self.namespace(side).command(program)
    }

    /// Runs a function on that side; see [`Namespace::inside`].
    ///
    /// # Panics
    /// With the function. Also when the namespace cannot be entered any more, after this process has given up root.
    pub fn inside<T: Send>(&self, side: Side, function: impl FnOnce() -> T + Send) -> T {
        let result = self.namespace(side).inside(function);
        result.expect("who could make a namespace can enter it")
    }

    fn wire(&self, direction: Direction) -> &Wire {
        &self.wires[direction as usize]
    }
}

/// Makes the device of a side, with its addresses.
fn furnish(namespace: &Namespace, side: Side) -> Result<Device, SetupError> {
    let name = || namespace.name().to_owned();
    let tuned = namespace.tune(TUNING);
    tuned.map_err(|source| SetupError::Enter {
        namespace: name(),
        source,
    })?;
    let device = Device::create(namespace).map_err(|source| SetupError::Device {
        namespace: name(),
        source,
    })?;
    let set = address(namespace, side);
    set.map_err(|source| SetupError::Address {
        namespace: name(),
        source,
    })?;
    Ok(device)
}

/// With routes that say cubic, because a host may have another algorithm and keep namespaces from setting theirs.
fn address(namespace: &Namespace, side: Side) -> Result<(), IpError> {
    let (ipv4, ipv6) = (side.ipv4().to_string(), side.ipv6().to_string());
    let (with4, with6) = (format!("{ipv4}/24"), format!("{ipv6}/64"));
    let bare = ["dev", NAME, "noprefixroute"];
    let cubic = ["dev", NAME, "congctl", "cubic"];
    // Without multicast, so that no reports about groups are sent.
    namespace.ip(&["link", "set", NAME, "multicast", "off"])?;
    namespace.ip(&[&["address", "add", &with4], &bare[..]].concat())?;
    namespace.ip(&[&["address", "add", &with6, "nodad"], &bare[..]].concat())?;
    let route4 = ["route", "add", "10.99.0.0/24", "src", &ipv4];
    namespace.ip(&[&route4, &cubic[..]].concat())?;
    namespace.ip(&[&["route", "add", "fd00:99::/64"], &cubic[..]].concat())
}
