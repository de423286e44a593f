//! Real connections over a simulated bottleneck, in virtual time.

mod host;
mod measure;
mod plain;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use common::session::quic::{TransportSettings, congestion::CongestionControl};
use lab::link::{Conditions, Link};
use quinn_proto::{TransportConfig, VarInt, congestion};

use self::host::Host;
pub(crate) use self::measure::Measured;

/// IPv4 and UDP headers, in which the simulation keeps whose packet it is, and when it was sent.
const HEADERS: usize = 28;

/// Which controller a flow uses.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Control {
    Ours(CongestionControl),
    QuinnBbr,
}

/// One flow: it sends all the time from its start on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Flow {
    pub(crate) control: Control,
    pub(crate) start: Duration,
    /// Bytes; the flow is idle afterwards.
    pub(crate) bytes: u64,
}

/// UDP payload of an Ethernet frame over IPv6, bytes.
const LONGEST: u16 = 1452;

/// That of the daemons, but for one stream with room for all that it may send, so that the controller bounds what is in
/// flight.
fn transport(control: Control) -> Arc<TransportConfig> {
    let settings = TransportSettings {
        max_udp_payload: LONGEST,
        ..Default::default()
    };
    let mut config = match control {
        Control::Ours(congestion) => TransportSettings {
            congestion,
            ..settings
        }
        .to_quinn(),
        Control::QuinnBbr => {
            let mut config = settings.to_quinn();
            config.congestion_controller_factory(Arc::new(congestion::BbrConfig::default()));
            config
        }
    };
    config
        .send_window(64 << 20)
        .max_concurrent_uni_streams(VarInt::from_u32(1));
    Arc::new(config)
}

struct Pair {
    flow: Flow,
    transport: Arc<TransportConfig>,
    /// Sender, receiver.
    hosts: [Host; 2],
    started: bool,
}

/// All flows send through one link, whose queue is the bottleneck; their ACKs come back through another.
pub(crate) struct World {
    now: Duration,
    links: [Link; 2],
    pairs: Vec<Pair>,
    pub(crate) measured: Measured,
    /// Without a queue, from sending to arrival.
    delay: Duration,
}

impl World {
    pub(crate) fn new(
        forward: Conditions,
        backward: Conditions,
        flows: &[Flow],
        seed: u64,
    ) -> Self {
        let epoch = Instant::now();
        let pairs = flows.iter().zip(seed..).map(|(flow, seed)| {
            let transport = transport(flow.control);
            let host = |sender| {
                let mut host = Host::new(sender, seed, epoch, &transport);
                host.to_send = flow.bytes;
                host
            };
            Pair {
                flow: *flow,
                hosts: [host(true), host(false)],
                transport,
                started: false,
            }
        });
        let pairs: Vec<_> = pairs.collect();
        Self {
            now: Duration::ZERO,
            links: [Link::new(forward, seed), Link::new(backward, !seed)],
            measured: Measured::new(pairs.len()),
            pairs,
            delay: forward.delay,
        }
    }

    /// Other conditions of the forward link from now on.
    pub(crate) fn change(&mut self, conditions: Conditions) {
        self.links[0].change(conditions);
    }

    /// The data link goes down or up in both directions.
    pub(crate) fn set_up(&mut self, up: bool) {
        for link in &mut self.links {
            let conditions = Conditions {
                up,
                ..*link.conditions()
            };
            link.change(conditions);
        }
    }

    pub(crate) fn sender(&self, flow: usize) -> &Host {
        &self.pairs[flow].hosts[0]
    }

    /// Why a connection has ended, if one has.
    pub(crate) fn lost(&self) -> Option<String> {
        self.pairs
            .iter()
            .flat_map(|pair| &pair.hosts)
            .find_map(|host| host.lost.clone())
    }

    /// More bytes to send for a flow.
    pub(crate) fn send(&mut self, flow: usize, bytes: u64) {
        self.pairs[flow].hosts[0].to_send = bytes;
        self.drive(flow, 0);
    }

    /// Lets time pass until `end`.
    pub(crate) fn run(&mut self, end: Duration) {
        while let Some(next) = self.next_event().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            self.start_flows();
            for direction in [0, 1] {
                self.deliver(direction);
            }
            self.fire_timers();
        }
        self.now = end;
    }

    fn next_event(&self) -> Option<Duration> {
        let links = self.links.iter().filter_map(Link::next_arrival);
        let starts = self.pairs.iter().filter(|pair| !pair.started);
        let hosts = self.pairs.iter().flat_map(|pair| &pair.hosts);
        links
            .chain(starts.map(|pair| pair.flow.start))
            .chain(hosts.filter_map(|host| host.wake))
            .min()
    }

    fn start_flows(&mut self) {
        for flow in 0..self.pairs.len() {
            let pair = &mut self.pairs[flow];
            if !pair.started && pair.flow.start <= self.now {
                pair.started = true;
                pair.hosts[0].connect(self.now, &pair.transport);
                self.drive(flow, 0);
            }
        }
    }

    fn deliver(&mut self, direction: usize) {
        while let Some(packet) = self.links[direction].receive(self.now) {
            let flow = usize::from(u16::from_be_bytes([packet[0], packet[1]]));
            if direction == 0 {
                let mut sent = [0; 8];
                sent.copy_from_slice(&packet[2..10]);
                let sent = Duration::from_nanos(u64::from_be_bytes(sent));
                self.measured
                    .on_packet(self.now, (self.now - sent).saturating_sub(self.delay));
            }
            let end = 1 - direction;
            self.pairs[flow].hosts[end].handle(self.now, &packet[HEADERS..]);
            self.drive(flow, end);
            if direction == 0 {
                self.measured
                    .on_bytes(self.now, flow, self.pairs[flow].hosts[1].received);
            }
        }
    }

    fn fire_timers(&mut self) {
        for flow in 0..self.pairs.len() {
            for end in [0, 1] {
                if self.pairs[flow].hosts[end]
                    .wake
                    .is_some_and(|wake| wake <= self.now)
                {
                    self.drive(flow, end);
                }
            }
        }
    }

    fn drive(&mut self, flow: usize, end: usize) {
        for payload in self.pairs[flow].hosts[end].drive(self.now) {
            let mut packet = vec![0; HEADERS + payload.len()];
            packet[..2].copy_from_slice(&(flow as u16).to_be_bytes());
            packet[2..10].copy_from_slice(&(self.now.as_nanos() as u64).to_be_bytes());
            packet[HEADERS..].copy_from_slice(&payload);
            // The sender's packets go forward, the receiver's back.
            self.links[end].send(self.now, packet);
        }
    }
}
