//! Round trips, and what was lost in them.

use std::time::{Duration, Instant};

use super::{
    delivery::Sample,
    units::{percent, share},
};

const MILLION: u64 = 1_000_000;

/// Datagrams more than none that are bad luck rather than an overflow.
const LUCK: u64 = 3;

/// Loss beyond the ordinary one that speaks of an overflow, in hundredths (draft-ietf-ccwg-bbr, `LossThresh`).
const EXCESS_PERCENT: u64 = 2;

/// What a mark of a router (ECN) counts for, in hundredths lost: half a loss of CUBIC, 1 - 0.85 (RFC 8511).
const MARK_PERCENT: u64 = 15;

/// Bytes delivered and lost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) acked: u64,
    pub(super) lost: u64,
    /// Whether a router has marked a packet instead of dropping it (RFC 3168).
    pub(super) marked: bool,
}

impl Tally {
    pub(super) fn on_ack(&mut self, bytes: u64) {
        self.acked = self.acked.saturating_add(bytes);
    }

    /// quinn reports marks as losses of nothing.
    pub(super) fn on_loss(&mut self, bytes: u64) {
        self.lost = self.lost.saturating_add(bytes);
        self.marked |= bytes == 0;
    }

    /// Both together.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            acked: self.acked.saturating_add(other.acked),
            lost: self.lost.saturating_add(other.lost),
            marked: self.marked || other.marked,
        }
    }

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

    /// Whether a tenth or more is lost, and more than by chance.
    pub(super) fn is_heavy(&self, mtu: u64) -> bool {
        self.lost > (self.total() / 10).saturating_add(luck(0, mtu))
    }

    /// Bytes lost, or marked, beyond what a path loses that ordinarily loses `ordinary_ppm`; 0 when it may be chance.
    pub(super) fn excess(&self, ordinary_ppm: u64, mtu: u64) -> u64 {
        let ordinary = share(self.total(), ordinary_ppm, MILLION);
        let margin = percent(self.total(), EXCESS_PERCENT).saturating_add(luck(ordinary, mtu));
        let lost = if self.lost > ordinary.saturating_add(margin) {
            self.lost - ordinary
        } else {
            0
        };
        if self.marked {
            return lost.max(percent(self.total(), MARK_PERCENT));
        }
        lost
    }
}

/// Bytes by which a round exceeds its ordinary loss by chance: four standard deviations of a Poisson distribution, as the
/// ordinary loss is the smallest of many rounds and lies about two below the mean.
fn luck(ordinary: u64, mtu: u64) -> u64 {
    let datagrams = (ordinary / mtu.max(1))
        .isqrt()
        .saturating_mul(4)
        .saturating_add(LUCK);
    datagrams.saturating_mul(mtu)
}

/// The round trip at hand: it ends when a packet is acknowledged that was sent after its beginning.
#[derive(Debug, Clone, Copy)]
pub(super) struct Round {
    began: Instant,
    pub(super) tally: Tally,
    /// That of rounds before it which were too small to be judged.
    pub(super) carried: Tally,
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
            carried: Tally::default(),
            rate: 0,
            busy: false,
            rtt: None,
        }
    }

    pub(super) fn see_rtt(&mut self, rtt: Duration) {
        self.rtt = Some(self.rtt.map_or(rtt, |shortest| shortest.min(rtt)));
    }

    pub(super) fn see_sample(&mut self, sample: Sample) {
        self.rate = self.rate.max(sample.rate);
        self.busy |= !sample.limited;
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
            marked: false,
        };
        assert_eq!(tally(5000).loss_ppm(), 50_000);
        assert_eq!(tally(5000).excess(0, 1000), 0, "2 % and three packets");
        assert_eq!(tally(6000).excess(0, 1000), 6000);
        assert_eq!(tally(6000).excess(20_000, 1000), 0);
        assert_eq!(tally(9000).excess(20_000, 1000), 0, "chance");
        assert_eq!(tally(12_000).excess(20_000, 1000), 10_000);
        assert_eq!(Tally::default().excess(0, 1200), 0);
    }

    #[test]
    fn a_mark_counts_like_a_loss_without_being_one() {
        let mut tally = Tally::default();
        tally.on_ack(100_000);
        tally.on_loss(0);
        assert_eq!(tally.loss_ppm(), 0);
        assert_eq!(tally.excess(0, 1000), 15_000);
    }

    #[test]
    fn extremes_do_not_overflow() {
        let tally = Tally {
            acked: u64::MAX,
            lost: u64::MAX,
            marked: false,
        };
        assert_eq!(tally.loss_ppm(), 1_000_000);
        assert_eq!(tally.excess(u64::MAX, u64::MAX), 0);
    }
}
