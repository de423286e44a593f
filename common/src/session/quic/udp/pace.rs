//! How many datagrams quinn may put into one transmit.
//!
//! quinn reserves room for as many when a connection sends its first packets, and keeps it for the connection's life: for ten
//! it is 12 KB of every session, however idle. So connections are allowed few until one of them has more to send.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

/// Datagrams in a transmit while nobody has much to send. The flight that answers a handshake has three, with certificates on
/// elliptic curves.
pub(super) const FEW: usize = 3;
/// After so many transmits of [`FEW`] to one peer in a row somebody has much to send.
const RUN: usize = 2;
/// How long that holds.
const BUSY: Duration = Duration::from_secs(1);

/// What the connections of one thread have sent of late.
#[derive(Debug, Default)]
pub(super) struct Pace {
    run: usize,
    to: Option<SocketAddr>,
    busy_until: Option<Instant>,
}

impl Pace {
    /// How many datagrams of all that `most` allows may be in a transmit.
    pub(super) fn allowed(&self, most: usize, now: Instant) -> usize {
        match self.busy_until {
            Some(end) if now < end => most,
            Some(_) | None => most.min(FEW),
        }
    }

    /// A transmit of so many datagrams is sent.
    pub(super) fn sent(&mut self, segments: usize, to: SocketAddr, now: Instant) {
        if segments < FEW {
            self.run = 0;
            return;
        }
        self.run = match self.to == Some(to) {
            true => self.run + 1,
            false => 1,
        };
        self.to = Some(to);
        if self.run >= RUN {
            self.busy_until = Some(now + BUSY);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(port: u16) -> SocketAddr {
        ([127, 0, 0, 1], port).into()
    }

    #[test]
    fn handshakes_are_few_datagrams_and_bulk_is_many() {
        let now = Instant::now();
        let mut pace = Pace::default();
        for client in 1..100 {
            pace.sent(FEW, peer(client), now);
            pace.sent(1, peer(client), now);
        }
        assert_eq!(pace.allowed(10, now), FEW);
        pace.sent(FEW, peer(1), now);
        pace.sent(FEW, peer(1), now);
        assert_eq!(pace.allowed(10, now), 10);
        assert_eq!(pace.allowed(1, now), 1, "without segmentation offload");
        assert_eq!(pace.allowed(10, now + BUSY), FEW);
    }

    #[test]
    fn it_stays_busy_while_much_is_sent() {
        let now = Instant::now();
        let mut pace = Pace::default();
        for step in 0..20 {
            let now = now + step * BUSY / 2;
            pace.sent(10, peer(1), now);
            pace.sent(10, peer(1), now);
            assert_eq!(pace.allowed(10, now + BUSY / 2), 10);
        }
    }
}
