//! The largest and smallest values of the current and the previous period.
//!
//! Two periods instead of a sliding window: a value lives for one to two periods, and costs 16 bytes.

/// The largest value of this period and the one before.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Max {
    current: u64,
    previous: u64,
}

impl Max {
    pub(super) fn update(&mut self, value: u64) {
        self.current = self.current.max(value);
    }

    pub(super) fn get(&self) -> u64 {
        self.current.max(self.previous)
    }

    /// A new period begins. A period without values leaves the older ones in force.
    pub(super) fn rotate(&mut self) {
        if self.current > 0 {
            self.previous = self.current;
            self.current = 0;
        }
    }

    /// Forgets everything but `value`.
    pub(super) fn reset(&mut self, value: u64) {
        *self = Self {
            current: value,
            previous: 0,
        };
    }
}

/// The smallest value of this period and the one before.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Min {
    current: Option<u64>,
    previous: Option<u64>,
}

impl Min {
    pub(super) fn update(&mut self, value: u64) {
        self.current = Some(self.current.map_or(value, |current| current.min(value)));
    }

    pub(super) fn get(&self) -> Option<u64> {
        self.current.into_iter().chain(self.previous).min()
    }

    /// A new period begins. A period without values leaves the older ones in force.
    pub(super) fn rotate(&mut self) {
        if let Some(current) = self.current.take() {
            self.previous = Some(current);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_maximum_lives_for_one_to_two_periods() {
        let mut max = Max::default();
        max.update(9);
        max.update(5);
        max.rotate();
        max.update(3);
        assert_eq!(max.get(), 9);
        max.rotate();
        assert_eq!(max.get(), 3);
        max.rotate();
        assert_eq!(max.get(), 3, "nothing came since");
        max.reset(1);
        assert_eq!(max.get(), 1);
    }

    #[test]
    fn a_minimum_lives_for_one_to_two_periods() {
        let mut min = Min::default();
        assert_eq!(min.get(), None);
        min.update(3);
        min.rotate();
        min.update(5);
        assert_eq!(min.get(), Some(3));
        min.rotate();
        assert_eq!(min.get(), Some(5));
    }
}
