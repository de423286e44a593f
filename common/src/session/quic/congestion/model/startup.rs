//! When the start is over: the path is full as soon as a larger window brings no more bandwidth.

/// Growth below this in a round is none, in hundredths (draft-ietf-ccwg-bbr, section 5.3.1.2).
const GROWTH_PERCENT: u64 = 125;

/// Rounds without growth that prove it, when nothing else speaks for a full path.
const ROUNDS: u8 = 3;

/// Watches the bandwidth of the first rounds.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct FullPipe {
    best: u64,
    flat: u8,
}

impl FullPipe {
    /// Whether the path is full after a round with `bandwidth`; `signs` tells that a queue or excessive loss was seen.
    pub(super) fn on_round(&mut self, bandwidth: u64, signs: bool) -> bool {
        if bandwidth >= super::units::percent(self.best, GROWTH_PERCENT) {
            self.best = bandwidth;
            self.flat = 0;
            return false;
        }
        self.flat = self.flat.saturating_add(1);
        signs || self.flat >= ROUNDS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_flat_rounds_or_one_with_signs_end_the_start() {
        let mut start = FullPipe::default();
        assert!(!start.on_round(100, true), "it grows");
        assert!(!start.on_round(200, true));
        assert!(start.on_round(210, true));
        let mut start = FullPipe::default();
        let rounds = [100, 110, 105, 110].map(|bandwidth| start.on_round(bandwidth, false));
        assert_eq!(rounds, [false, false, false, true]);
    }
}
