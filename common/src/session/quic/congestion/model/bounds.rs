//! Bounds that loss sets to the window (after `inflight_hi` and `inflight_lo` of draft-ietf-ccwg-bbr, section 5.5.10).

use super::{
    round::Tally,
    units::{percent, share},
};

/// What is left of an upper bound for others, in hundredths.
const HEADROOM: u64 = 95;

/// How far a probe goes beyond the bound, and how fast the bound rises after a clean one, in hundredths.
const RISE: u64 = 125;

/// The least that loss can leave of the BDP, in hundredths: bandwidth that was delivered is not given up.
const FLOOR: u64 = 85;

/// What loss has taught.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bounds {
    /// What the path and its buffer hold, learned by probing.
    long: Option<u64>,
    /// What was tolerated lately; forgotten with the next probe.
    short: Option<u64>,
}

impl Bounds {
    /// The probe with `window` bytes is over; `excess` of its bytes were lost beyond the ordinary.
    pub(super) fn on_probe(&mut self, window: u64, tally: Tally, excess: u64, bdp: u64) {
        let total = tally.total();
        self.long = match (excess, self.long) {
            (0, None) => None,
            (0, Some(bound)) => Some(percent(bound, RISE)).filter(|bound| *bound / 2 < bdp),
            (_, _) => Some(reduced(window, excess, total).max(percent(bdp, FLOOR))),
        };
    }

    /// A round that was no probe, with `window` bytes, lost `excess` bytes beyond the ordinary.
    pub(super) fn on_round(&mut self, window: u64, tally: Tally, excess: u64, bdp: u64) {
        if excess > 0 {
            self.short = Some(reduced(window, excess, tally.total()).max(percent(bdp, FLOOR)));
        }
    }

    /// A new probe begins.
    pub(super) fn forget_short(&mut self) {
        self.short = None;
    }

    /// The bound of a probe.
    pub(super) fn probe(&self) -> u64 {
        self.long.map_or(u64::MAX, |bound| percent(bound, RISE))
    }

    /// The bound between probes.
    pub(super) fn cruise(&self) -> u64 {
        let long = self.long.map_or(u64::MAX, |bound| percent(bound, HEADROOM));
        long.min(self.short.unwrap_or(u64::MAX))
    }
}

/// `window` without the share that was lost in excess, but not less than half.
fn reduced(window: u64, excess: u64, total: u64) -> u64 {
    let left = share(window, total.saturating_sub(excess), total);
    left.max(window / 2)
}
