//! A probe for bandwidth: a round with a larger window, judged by what became of the packets sent in it.

use std::time::Instant;

use super::{bounds::Bounds, path::Path, round::Tally};

/// A probe at hand, or one that waits for its verdict.
#[derive(Debug, Clone, Copy)]
pub(super) struct Probe {
    began: Instant,
    /// `None` while it lasts.
    ended: Option<Instant>,
    /// The window of its end, bytes.
    window: u64,
    tally: Tally,
    busy: bool,
}

impl Probe {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            began: now,
            ended: None,
            window: 0,
            tally: Tally::default(),
            busy: false,
        }
    }

    /// The tally, when a packet sent at `sent` belongs to the probe.
    pub(super) fn tally_of(&mut self, sent: Instant) -> Option<&mut Tally> {
        let within = sent >= self.began && self.ended.is_none_or(|ended| sent < ended);
        within.then_some(&mut self.tally)
    }

    /// The window is now this.
    pub(super) fn set_window(&mut self, window: u64) {
        if self.ended.is_none() {
            self.window = window;
        }
    }

    /// The round is over; `busy`: there was enough to send.
    pub(super) fn end(&mut self, now: Instant, busy: bool) {
        self.ended = Some(now);
        self.busy = busy;
    }

    /// Whether the acknowledgement of a packet sent at `newest` tells that all packets of the probe had their time.
    pub(super) fn is_settled(&self, now: Instant, newest: Instant) -> bool {
        self.ended
            .is_some_and(|ended| newest >= ended && now > ended)
    }

    /// Teaches the bounds. A probe that had too little to send proves nothing unless it lost.
    pub(super) fn judge(&self, path: &Path, bounds: &mut Bounds) {
        let excess = self.tally.excess(path.ordinary_loss(), path.mtu);
        if self.busy || excess > 0 {
            let bdp = path.bdp().unwrap_or(0);
            bounds.on_probe(self.window, self.tally, excess, bdp);
        }
    }
}
