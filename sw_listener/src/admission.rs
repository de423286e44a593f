//! Admission: what happens to a packet that wants to become a handshake, before any cryptography.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
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

/// Decides. `in_flight` and `sessions` count what is there already; `validated`: the address has proved itself.
pub fn judge(
    limits: &AdmissionConfig,
    in_flight: usize,
    sessions: usize,
    validated: bool,
) -> Verdict {
    if in_flight >= limits.handshakes && !validated {
        return Verdict::Retry;
    }
    let flooded = in_flight >= limits.handshakes.saturating_mul(HARD_FACTOR);
    if flooded || sessions + in_flight >= limits.sessions {
        return Verdict::Refuse;
    }
    Verdict::Admit
}

/// Counts handshakes in flight.
#[derive(Debug, Clone, Default)]
pub struct InFlight(Arc<AtomicUsize>);

/// One handshake in flight, until it is dropped.
#[derive(Debug)]
pub struct HandshakeSlot(Arc<AtomicUsize>);

impl InFlight {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.load(Relaxed)
    }

    /// One more.
    pub fn enter(&self) -> HandshakeSlot {
        self.0.fetch_add(1, Relaxed);
        HandshakeSlot(self.0.clone())
    }
}

impl Drop for HandshakeSlot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
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
            sessions: 50,
        };
        for (in_flight, sessions, validated, verdict) in [
            (0, 0, false, Verdict::Admit),
            (9, 0, false, Verdict::Admit),
            (10, 0, false, Verdict::Retry),
            (10, 0, true, Verdict::Admit),
            (100, 0, true, Verdict::Refuse),
            (0, 50, false, Verdict::Refuse),
            (1, 49, true, Verdict::Refuse),
        ] {
            let got = judge(&limits, in_flight, sessions, validated);
            assert_eq!(got, verdict, "{in_flight} {sessions} {validated}");
        }
    }

    #[test]
    fn slots_are_given_back() {
        let in_flight = InFlight::default();
        let slots = [in_flight.enter(), in_flight.enter()];
        assert_eq!(in_flight.count(), 2);
        drop(slots);
        assert_eq!(in_flight.count(), 0);
    }
}
