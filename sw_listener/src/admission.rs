//! Admission: what happens to a packet that wants to become a handshake, before any cryptography.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard},
};

use crate::config::AdmissionConfig;

/// Past this many times the limit, even validated addresses are refused.
const HARD_FACTOR: usize = 10;

/// What to do with an incoming handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    Admit,
    /// Make the address prove itself first (RFC 9000, section 8.1.2).
    Retry,
    /// Say no; the other side can tell that from a lost packet.
    Refuse,
}

/// What is there already.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Load {
    /// Handshakes in flight.
    pub handshakes: usize,
    /// Those of them from the same network.
    pub from_network: usize,
    /// Sessions, registered or not.
    pub sessions: usize,
}

/// Decides. `validated`: the address has proved itself.
pub fn judge(limits: &AdmissionConfig, load: Load, validated: bool) -> Verdict {
    if load.handshakes >= limits.handshakes && !validated {
        return Verdict::Retry;
    }
    let hard = limits.handshakes.saturating_mul(HARD_FACTOR);
    // One network may fill half of the places, so that a flood from there leaves the other half.
    let flooded = load.handshakes >= hard || load.from_network >= (hard / 2).max(1);
    if flooded || load.sessions + load.handshakes >= limits.sessions {
        return Verdict::Refuse;
    }
    Verdict::Admit
}

/// Counts handshakes in flight and sessions.
#[derive(Debug, Clone, Default)]
pub struct Admission(Arc<Mutex<Counts>>);

#[derive(Debug, Default)]
struct Counts {
    handshakes: HashMap<IpAddr, usize>,
    sessions: usize,
}

/// One handshake in flight, until it is dropped.
#[derive(Debug)]
pub struct HandshakeSlot {
    counts: Admission,
    network: IpAddr,
}

/// One session, until it is dropped.
#[derive(Debug)]
pub struct SessionSlot(Admission);

impl Admission {
    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0
            .lock()
            .expect("nothing panics while it holds this lock")
    }

    /// What is there, seen from an address.
    pub fn load(&self, peer: IpAddr) -> Load {
        let counts = self.lock();
        let from_network = counts.handshakes.get(&network(peer));
        Load {
            handshakes: counts.handshakes.values().sum(),
            from_network: from_network.copied().unwrap_or_default(),
            sessions: counts.sessions,
        }
    }

    /// One more handshake.
    pub fn enter(&self, peer: IpAddr) -> HandshakeSlot {
        let network = network(peer);
        *self.lock().handshakes.entry(network).or_default() += 1;
        HandshakeSlot {
            counts: self.clone(),
            network,
        }
    }
}

impl HandshakeSlot {
    /// The handshake has become a session.
    pub fn succeed(self) -> SessionSlot {
        self.counts.lock().sessions += 1;
        SessionSlot(self.counts.clone())
    }
}

impl Drop for HandshakeSlot {
    fn drop(&mut self) {
        let mut counts = self.counts.lock();
        if let Some(count) = counts.handshakes.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                counts.handshakes.remove(&self.network);
            }
        }
    }
}

impl Drop for SessionSlot {
    fn drop(&mut self) {
        self.0.lock().sessions -= 1;
    }
}

/// The /24 of an IPv4 address, the /64 of an IPv6 address: what one attacker has for nothing.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(ip) => Ipv4Addr::from_bits(ip.to_bits() & !0xff).into(),
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn verdicts() {
        let limits = AdmissionConfig {
            handshakes: 10,
            deadline: Duration::from_secs(5),
            sessions: 500,
        };
        for (handshakes, from_network, sessions, validated, verdict) in [
            (0, 0, 0, false, Verdict::Admit),
            (9, 9, 0, false, Verdict::Admit),
            (10, 0, 0, false, Verdict::Retry),
            (10, 10, 0, true, Verdict::Admit),
            (50, 50, 0, true, Verdict::Refuse),
            (50, 0, 0, true, Verdict::Admit),
            (100, 0, 0, true, Verdict::Refuse),
            (0, 0, 500, false, Verdict::Refuse),
            (1, 0, 499, true, Verdict::Refuse),
        ] {
            let load = Load {
                handshakes,
                from_network,
                sessions,
            };
            assert_eq!(
                judge(&limits, load, validated),
                verdict,
                "{load:?} {validated}"
            );
        }
    }

    #[test]
    fn places_are_given_back() {
        let admission = Admission::default();
        let near: IpAddr = "192.0.2.1".parse().unwrap();
        let slots = [
            admission.enter(near),
            admission.enter("192.0.2.9".parse().unwrap()),
        ];
        let far = admission.enter("2001:db8::1".parse().unwrap());
        let load = admission.load(near);
        assert_eq!(
            (load.handshakes, load.from_network, load.sessions),
            (3, 2, 0)
        );
        let session = far.succeed();
        drop(slots);
        let load = admission.load(near);
        assert_eq!(
            (load.handshakes, load.from_network, load.sessions),
            (0, 0, 1)
        );
        drop(session);
        assert_eq!(admission.load(near), Load::default());
    }
}
