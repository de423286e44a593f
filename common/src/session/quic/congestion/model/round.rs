//! Round trips, and what was lost in them.

use std::time::{Duration, Instant};

use super::units::{percent, share};

const MILLION: u64 = 1_000_000;

/// Packets more than expected that are bad luck rather than an overflow.
const LUCK: u64 = 3;

/// Loss beyond the ordinary one that speaks of an overflow, in hundredths (draft-ietf-ccwg-bbr, `LossThresh`).
const EXCESS_PERCENT: u64 = 2;

/// Bytes delivered and lost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) acked: u64,
    pub(super) lost: u64,
}

impl Tally {
    /// Bytes delivered or lost.
    pub(super) fn total(&self) -> u64 {
        self.acked.saturating_add(self.lost)
    }

    /// Lost bytes in a million.
    pub(super) fn loss_ppm(&self) -> u64 {
        match self.total() {
            0 => 0,
            total => share(MILLION, self.lost, total),
        }
    }

    /// Bytes lost beyond what a path loses that ordinarily loses `ordinary_ppm`; 0 when it may be chance.
    pub(super) fn excess(&self, ordinary_ppm: u64, mtu: u64) -> u64 {
        let ordinary = share(self.total(), ordinary_ppm, MILLION);
        let margin = percent(self.total(), EXCESS_PERCENT).saturating_add(LUCK.saturating_mul(mtu));
        if self.lost > ordinary.saturating_add(margin) {
            self.lost - ordinary
        } else {
            0
        }
    }
}

/// The round trip at hand: it ends when a packet is acknowledged that was sent after its beginning.
#[derive(Debug, Clone, Copy)]
pub(super) struct Round {
    began: Instant,
    pub(super) tally: Tally,
    /// The fastest sample, bytes per second.
    pub(super) rate: u64,
    /// Whether a sample came while there was enough to send.
    pub(super) busy: bool,
    /// The shortest round-trip time.
    pub(super) rtt: Option<Duration>,
}

impl Round {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            began: now,
            tally: Tally::default(),
            rate: 0,
            busy: false,
            rtt: None,
        }
    }

    pub(super) fn see_rtt(&mut self, rtt: Duration) {
        self.rtt = Some(self.rtt.map_or(rtt, |shortest| shortest.min(rtt)));
    }

    /// Whether the acknowledgement of a packet sent at `sent` ends the round.
    pub(super) fn ends_with(&self, sent: Instant) -> bool {
        sent >= self.began
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loss_is_excessive_only_beyond_the_ordinary_and_chance() {
        let tally = |lost| Tally {
            acked: 100_000 - lost,
            lost,
        };
        assert_eq!(tally(5000).loss_ppm(), 50_000);
        assert_eq!(tally(5000).excess(0, 1000), 0, "2 % and three packets");
        assert_eq!(tally(6000).excess(0, 1000), 6000);
        assert_eq!(tally(6000).excess(20_000, 1000), 0);
        assert_eq!(tally(8000).excess(20_000, 1000), 6000);
        assert_eq!(Tally::default().excess(0, 1200), 0);
    }

    #[test]
    fn extremes_do_not_overflow() {
        let tally = Tally {
            acked: u64::MAX,
            lost: u64::MAX,
        };
        assert_eq!(tally.loss_ppm(), 1_000_000);
        assert_eq!(tally.excess(u64::MAX, u64::MAX), 0);
    }
}
