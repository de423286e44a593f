//! Arithmetic on bytes, rates and percentages that cannot overflow.

use std::time::Duration;

/// Bytes per second; `None` when no time passed.
pub(super) fn rate(bytes: u64, time: Duration) -> Option<u64> {
    let nanos = time.as_nanos();
    (nanos > 0).then(|| saturate(u128::from(bytes) * 1_000_000_000 / nanos))
}

/// The bytes that `rate` (bytes per second) moves in `time`.
pub(super) fn amount(rate: u64, time: Duration) -> u64 {
    saturate(u128::from(rate).saturating_mul(time.as_nanos()) / 1_000_000_000)
}

/// `percent` hundredths of `value`.
pub(super) fn percent(value: u64, percent: u64) -> u64 {
    saturate(u128::from(value) * u128::from(percent) / 100)
}

/// `value × part / whole`; `value` when `whole` is 0.
pub(super) fn share(value: u64, part: u64, whole: u64) -> u64 {
    match whole {
        0 => value,
        _ => saturate(u128::from(value) * u128::from(part) / u128::from(whole)),
    }
}

fn saturate(value: u128) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extremes_saturate() {
        assert_eq!(rate(u64::MAX, Duration::from_nanos(1)), Some(u64::MAX));
        assert_eq!(rate(1, Duration::ZERO), None);
        assert_eq!(amount(u64::MAX, Duration::MAX), u64::MAX);
        assert_eq!(percent(u64::MAX, 200), u64::MAX);
        assert_eq!(share(u64::MAX, u64::MAX, 1), u64::MAX);
        assert_eq!(share(7, 3, 0), 7);
    }

    #[test]
    fn ordinary_values_are_exact() {
        assert_eq!(rate(1_250_000, Duration::from_millis(50)), Some(25_000_000));
        assert_eq!(amount(25_000_000, Duration::from_millis(50)), 1_250_000);
        assert_eq!(percent(1000, 125), 1250);
        assert_eq!(share(1000, 3, 4), 750);
    }
}
