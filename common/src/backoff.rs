//! Backoff with full jitter: the n-th wait is random between 0 and `min(cap, base · 2ⁿ)`.
//!
//! Full jitter spreads the return of many connectors after an outage best. Randomness is an argument: the caller draws.

use std::time::Duration;

/// The waits between the tries of one connector.
#[derive(Debug, Clone)]
pub struct Backoff {
    base: Duration,
    cap: Duration,
    tries: u32,
}

impl Backoff {
    /// Waits that grow from `base` to `cap`.
    pub fn new(base: Duration, cap: Duration) -> Self {
        Self {
            base,
            cap,
            tries: 0,
        }
    }

    /// The next wait. `draw` is uniform in 0..1.
    pub fn next(&mut self, draw: f64) -> Duration {
        let doubled = 1u32.checked_shl(self.tries).unwrap_or(u32::MAX);
        let ceiling = self.base.saturating_mul(doubled).min(self.cap);
        self.tries = self.tries.saturating_add(1).min(31);
        ceiling.mul_f64(draw.clamp(0.0, 1.0))
    }

    /// Starts over, after a success.
    pub fn reset(&mut self) {
        self.tries = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_to_the_cap_and_stays_there() {
        let mut backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(30));
        let waits: Vec<_> = (0..8).map(|_| backoff.next(1.0).as_millis()).collect();
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
        for _ in 0..1000 {
            assert_eq!(backoff.next(1.0), Duration::from_secs(30));
        }
        backoff.reset();
        assert_eq!(backoff.next(0.5), Duration::from_millis(250));
    }
}
