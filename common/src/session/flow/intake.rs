//! The reader's side of one stream's window: how much to grant, and when.
//!
//! What is used up is granted anew, a [step](Intake::step) at a time. When half a window took less than two round trips,
//! the window may be what holds the sender back, and it grows; a reader that takes its time gets a smaller one.

use std::time::Duration;

use super::INITIAL_WINDOW;

/// Half a window should last so long even on the shortest path: every grant is a message.
const SHORT: Duration = Duration::from_millis(10);
/// Bytes that are worth a message.
const STEP: u64 = INITIAL_WINDOW / 2;
/// A step is at most this part of a window: the sender has the rest of it while the grant is on its way.
const PART: u64 = 8;
/// A window of which half lasts longer than this is larger than its reader needs.
const LONG: Duration = Duration::from_secs(1);

/// How far a sender may be ahead of a reader who makes no grants: far more than control messages ever are, and a bound for
/// who sends them with a gap, so that none can be read.
const UNSAID: u64 = 4 << 20;

/// What is granted of one stream.
#[derive(Debug)]
pub(crate) struct Intake {
    consumed: u64,
    granted: u64,
    window: u64,
    /// What had been consumed when the window was last looked at, and when that was.
    reviewed: u64,
    since: Duration,
    /// Whether the sender is told of no grants, and needs none.
    lifted: bool,
}

impl Intake {
    /// A stream of which nothing has been read; times are since any fixed moment.
    pub(crate) fn new(now: Duration) -> Self {
        Self {
            consumed: 0,
            granted: INITIAL_WINDOW,
            window: INITIAL_WINDOW,
            reviewed: 0,
            since: now,
            lifted: false,
        }
    }

    /// Grants by itself what nobody reaches in good faith: for a stream whose sender is told of no grants.
    pub(crate) fn lift(&mut self) {
        self.lifted = true;
        self.granted = self.consumed + UNSAID;
    }

    /// Up to this offset the sender may have sent.
    pub(crate) fn granted(&self) -> u64 {
        self.granted
    }

    /// Bytes that the sender may be ahead now.
    pub(crate) fn ahead(&self) -> u64 {
        self.granted.saturating_sub(self.consumed)
    }

    /// The window now, in bytes.
    pub(crate) fn window(&self) -> u64 {
        self.window
    }

    /// So many bytes more have gone where they belong: the offset to grant, if it is time for one. `rtt` is asked for only when something is to be granted; `grow`
    /// says whether the window may grow by so many bytes, up to `most`.
    pub(crate) fn consumed(
        &mut self,
        bytes: u64,
        now: Duration,
        most: u64,
        rtt: impl FnOnce() -> Duration,
        grow: impl FnOnce(u64) -> bool,
    ) -> Option<u64> {
        self.consumed += bytes;
        if self.lifted {
            self.granted = self.consumed + UNSAID;
            return None;
        }
        if self.consumed - self.reviewed >= self.window / 2 {
            self.review(now, most, rtt, grow);
        }
        let offset = self.consumed + self.window;
        if offset < self.granted.saturating_add(self.step()) {
            return None;
        }
        self.granted = offset;
        Some(offset)
    }

    fn review(
        &mut self,
        now: Duration,
        most: u64,
        rtt: impl FnOnce() -> Duration,
        grow: impl FnOnce(u64) -> bool,
    ) {
        let lasted = now.saturating_sub(self.since);
        let doubled = (self.window * 2).min(most.max(INITIAL_WINDOW));
        if lasted > LONG {
            self.window = (self.window / 2).max(INITIAL_WINDOW);
        } else if doubled > self.window
            && lasted < (2 * rtt()).max(SHORT)
            && grow(doubled - self.window)
        {
            self.window = doubled;
        }
        self.reviewed = self.consumed;
        self.since = now;
    }

    /// How far a grant must go beyond the last one.
    fn step(&self) -> u64 {
        (self.window / PART).max(STEP)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(100);
    const MOST: u64 = 16 << 20;

    fn consume(intake: &mut Intake, bytes: u64, now_ms: u64) -> Option<u64> {
        let now = Duration::from_millis(now_ms);
        intake.consumed(bytes, now, MOST, || RTT, |_| true)
    }

    #[test]
    fn half_a_window_is_granted_anew() {
        let mut intake = Intake::new(Duration::ZERO);
        assert_eq!(consume(&mut intake, INITIAL_WINDOW / 2 - 1, 500), None);
        let grant = consume(&mut intake, 1, 500).unwrap();
        assert_eq!(grant, INITIAL_WINDOW / 2 + INITIAL_WINDOW);
        assert_eq!(intake.window(), INITIAL_WINDOW);
    }

    #[test]
    fn a_window_that_holds_the_sender_back_grows_to_the_most() {
        let mut intake = Intake::new(Duration::ZERO);
        for now in 0..20 {
            let half = intake.window() / 2;
            consume(&mut intake, half, now * 20).unwrap();
        }
        assert_eq!(intake.window(), MOST);
    }

    #[test]
    fn a_large_window_is_granted_in_small_steps() {
        let mut intake = Intake::new(Duration::ZERO);
        for _ in 0..10 {
            let half = intake.window() / 2;
            consume(&mut intake, half, 0);
        }
        let mut least = MOST;
        for _ in 0..1000 {
            consume(&mut intake, 64 << 10, 100);
            least = least.min(intake.ahead());
        }
        assert!(least >= MOST / PART * (PART - 1) - (64 << 10), "{least}");
    }

    #[test]
    fn a_slow_reader_gets_a_small_window_again() {
        let mut intake = Intake::new(Duration::ZERO);
        for now in 0..10 {
            let half = intake.window() / 2;
            consume(&mut intake, half, now);
        }
        let mut now = 0;
        let mut granted = 0;
        for _ in 0..40 {
            now += 2000;
            if let Some(grant) = consume(&mut intake, 8 << 20, now) {
                assert!(grant >= granted, "a grant is never taken back");
                granted = grant;
            }
        }
        assert_eq!(intake.window(), INITIAL_WINDOW);
    }

    #[test]
    fn a_window_may_shrink_without_a_grant() {
        let mut intake = Intake::new(Duration::ZERO);
        for now in 0..3 {
            let half = intake.window() / 2;
            consume(&mut intake, half, now);
        }
        let (window, granted) = (intake.window(), intake.granted());
        let half = window / 2;
        assert_eq!(consume(&mut intake, half, 5000), None);
        assert!(intake.window() < window && intake.granted() == granted);
    }

    #[test]
    fn no_growth_when_the_session_has_none_left() {
        let mut intake = Intake::new(Duration::ZERO);
        for now in 0..10 {
            let now = Duration::from_millis(now);
            intake.consumed(INITIAL_WINDOW / 2, now, MOST, || RTT, |_| false);
        }
        assert_eq!(intake.window(), INITIAL_WINDOW);
    }

    #[test]
    fn without_grants_a_sender_is_bounded_all_the_same() {
        let mut intake = Intake::new(Duration::ZERO);
        intake.lift();
        let bytes = 1 << 30;
        let rtt = || Duration::ZERO;
        assert_eq!(
            intake.consumed(bytes, Duration::ZERO, bytes, rtt, |_| true),
            None
        );
        assert_eq!(intake.granted(), bytes + UNSAID);
        assert_eq!(intake.window(), INITIAL_WINDOW, "nothing grew");
    }
}
