//! Lines of the log that strangers can cause: a few in full, the rest as a number.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

/// Lines in full per [`PERIOD`].
const LINES: u32 = 10;
/// The period.
const PERIOD: Duration = Duration::from_secs(10);

/// Counts the lines of one kind.
#[derive(Debug, Default)]
pub struct Quiet(Mutex<Option<Period>>);

#[derive(Debug)]
struct Period {
    began: Instant,
    lines: u32,
}

impl Quiet {
    /// Whether to write a line now, and how many of the kind were left out before it; `None`: leave it out.
    pub fn line(&self, now: Instant) -> Option<u32> {
        let mut state = self
            .0
            .lock()
            .expect("nothing panics while it holds this lock");
        let period = state.get_or_insert(Period {
            began: now,
            lines: 0,
        });
        let mut left_out = 0;
        if now.duration_since(period.began) >= PERIOD {
            left_out = period.lines.saturating_sub(LINES);
            *period = Period {
                began: now,
                lines: 0,
            };
        }
        period.lines = period.lines.saturating_add(1);
        (period.lines <= LINES).then_some(left_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_a_few_lines_and_a_number() {
        let quiet = Quiet::default();
        let start = Instant::now();
        let written = (0..1000).filter(|_| quiet.line(start).is_some()).count();
        assert_eq!(written, LINES as usize);
        assert_eq!(quiet.line(start + PERIOD), Some(1000 - LINES));
        assert_eq!(quiet.line(start + PERIOD), Some(0));
        assert_eq!(quiet.line(start + 3 * PERIOD), Some(0));
    }
}
