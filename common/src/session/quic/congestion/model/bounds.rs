//! Bounds that loss sets to the window (after `inflight_hi` and `inflight_lo` of draft-ietf-ccwg-bbr, section 5.5.10).

use super::{
    round::Tally,
    units::{percent, share},
};

/// What is left of an upper bound for others, in hundredths.
const HEADROOM: u64 = 95;

/// How far a probe goes beyond the bound, in hundredths.
const BEYOND: u64 = 110;

/// How fast the bound rises after a clean probe, in hundredths.
const RISE: u64 = 125;

/// Most probes in a row that are skipped.
const PATIENCE: u64 = 3;

/// The least that loss can leave of the BDP, in hundredths: bandwidth that was delivered is not given up.
const FLOOR: u64 = 85;

/// What loss has taught.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bounds {
    /// What the path and its buffer hold, learned by probing.
    long: Option<u64>,
    /// What was tolerated lately; forgotten with the next probe.
    short: Option<u64>,
    /// Probes that lost too much in a row.
    lossy: u64,
}

impl Bounds {
    /// The probe with `window` bytes is over; `excess` of its bytes were lost beyond the ordinary.
    pub(super) fn on_probe(&mut self, window: u64, tally: Tally, excess: u64, bdp: u64) {
        let total = tally.total();
        self.lossy = if excess > 0 {
            self.lossy.saturating_add(1)
        } else {
            0
        };
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

    /// How many times longer to wait for the next probe.
    pub(super) fn patience(&self) -> u64 {
        1 + self.lossy.min(PATIENCE)
    }

    /// The bound of a probe.
    pub(super) fn probe(&self) -> u64 {
        self.long.map_or(u64::MAX, |bound| percent(bound, BEYOND))
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

#[cfg(test)]
mod tests {
    use super::*;

    const BDP: u64 = 100_000;

    fn tally(lost: u64) -> Tally {
        let mut tally = Tally::default();
        tally.on_ack(BDP - lost);
        tally.on_loss(lost);
        tally
    }

    #[test]
    fn a_probe_that_loses_sets_the_bound_to_what_got_through() {
        let mut bounds = Bounds::default();
        assert_eq!(bounds.cruise(), u64::MAX);
        bounds.on_probe(125_000, tally(8000), 8000, BDP);
        assert_eq!(bounds.cruise(), 109_250, "95 % of 92 % of the window");
        assert_eq!(bounds.probe(), 126_500);
        bounds.on_probe(BDP, tally(50_000), 50_000, BDP);
        assert_eq!(
            bounds.cruise(),
            80_750,
            "the floor: 95 % of 85 % of the BDP"
        );
    }

    #[test]
    fn clean_probes_lift_the_bound_until_it_is_of_no_use() {
        let mut bounds = Bounds::default();
        bounds.on_probe(BDP, tally(0), 10_000, BDP);
        let clean = |bounds: &mut Bounds| bounds.on_probe(BDP, tally(0), 0, BDP);
        let mut last = bounds.probe();
        for _ in 0..3 {
            clean(&mut bounds);
            assert!(bounds.probe() > last);
            last = bounds.probe();
        }
        clean(&mut bounds);
        assert_eq!(bounds.probe(), u64::MAX);
    }

    #[test]
    fn lossy_probes_become_rarer_and_clean_ones_frequent_again() {
        let mut bounds = Bounds::default();
        let patience = [1, 1, 1, 1, 0].map(|excess| {
            bounds.on_probe(BDP, tally(0), excess, BDP);
            bounds.patience()
        });
        assert_eq!(patience, [2, 3, 4, 4, 1]);
    }

    #[test]
    fn loss_between_probes_counts_until_the_next_one() {
        let mut bounds = Bounds::default();
        bounds.on_round(120_000, tally(10_000), 10_000, BDP);
        assert_eq!(bounds.cruise(), 108_000);
        assert_eq!(bounds.probe(), u64::MAX);
        bounds.forget_short();
        assert_eq!(bounds.cruise(), u64::MAX);
    }

    #[test]
    fn loss_that_goes_on_takes_the_window_down_to_the_floor() {
        let mut bounds = Bounds::default();
        let mut window = 120_000;
        let windows = [(); 5].map(|()| {
            bounds.on_round(window, tally(10_000), 10_000, BDP);
            window = bounds.cruise();
            window
        });
        assert_eq!(windows, [108_000, 97_200, 87_480, 85_000, 85_000]);
    }
}
