//! What a bulk transfer has cost.

use std::time::Duration;

use crate::{report::metric::Metric, scenario::Samples};

/// Bytes that were received within some time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moved {
    /// How many.
    pub bytes: u64,
    /// Within which time.
    pub elapsed: Duration,
    /// Processor time of the contender's processes, in seconds; nothing when it has none.
    pub cpu_seconds: Option<f64>,
}

impl Moved {
    /// Adds Gbit/s, and processor time for a gigabyte.
    pub fn tell(&self, case: &str, samples: &mut Samples) {
        samples.add(case, Metric::Gigabits, self.bits_per_second() / 1e9);
        if let Some(seconds) = self.cpu_seconds.filter(|_| self.bytes > 0) {
            let per_gigabyte = seconds / (self.bytes as f64 / 1e9);
            samples.add(case, Metric::CpuPerGigabyte, per_gigabyte);
        }
    }

    /// Bits a second.
    pub fn bits_per_second(&self) -> f64 {
        self.bytes as f64 * 8.0 / self.elapsed.as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gigabyte_in_a_second_is_eight_gigabits() {
        let moved = Moved {
            bytes: 2_000_000_000,
            elapsed: Duration::from_secs(2),
            cpu_seconds: Some(3.0),
        };
        let mut samples = Samples::default();
        moved.tell("a", &mut samples);
        let figures: Vec<_> = samples
            .0
            .iter()
            .map(|sample| (sample.metric, sample.value))
            .collect();
        let expected = [(Metric::Gigabits, 8.0), (Metric::CpuPerGigabyte, 1.5)];
        assert_eq!(figures, expected);
    }
}
