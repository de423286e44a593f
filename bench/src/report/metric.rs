//! Units of figures.

use serde::{Deserialize, Serialize};

/// A unit, and what it is a unit of. In JSON it is the text that tables show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Metric {
    /// 10⁹ bits of payload a second, as received.
    #[serde(rename = "Gbit/s")]
    Gigabits,
    /// 10⁶ bits of payload a second, as received.
    #[serde(rename = "Mbit/s")]
    Megabits,
    /// Seconds of processor time, user and system, for 10⁹ bytes of payload.
    #[serde(rename = "CPU s/GB")]
    CpuPerGigabyte,
    /// Thousandths of a second of processor time a second.
    #[serde(rename = "CPU ms/s")]
    CpuPerSecond,
    /// Half of all round trips took no longer, in microseconds.
    #[serde(rename = "p50 µs")]
    P50Micros,
    /// 99 % of all round trips took no longer, in microseconds.
    #[serde(rename = "p99 µs")]
    P99Micros,
    /// Half of all round trips took no longer, in milliseconds.
    #[serde(rename = "p50 ms")]
    P50Millis,
    /// 99 % of all round trips took no longer, in milliseconds.
    #[serde(rename = "p99 ms")]
    P99Millis,
    /// How many a second.
    #[serde(rename = "/s")]
    PerSecond,
    /// How many did not work.
    #[serde(rename = "failed")]
    Failures,
    /// Resident memory, in 2²⁰ bytes.
    #[serde(rename = "RSS MiB")]
    Memory,
    /// Resident memory for each, in 2¹⁰ bytes.
    #[serde(rename = "KiB each")]
    MemoryEach,
    /// Seconds.
    #[serde(rename = "s")]
    Seconds,
}

impl Metric {
    /// As tables show it.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Gigabits => "Gbit/s",
            Self::Megabits => "Mbit/s",
            Self::CpuPerGigabyte => "CPU s/GB",
            Self::CpuPerSecond => "CPU ms/s",
            Self::P50Micros => "p50 µs",
            Self::P99Micros => "p99 µs",
            Self::P50Millis => "p50 ms",
            Self::P99Millis => "p99 ms",
            Self::PerSecond => "/s",
            Self::Failures => "failed",
            Self::Memory => "RSS MiB",
            Self::MemoryEach => "KiB each",
            Self::Seconds => "s",
        }
    }

    /// Whether more of it is better.
    pub fn more_is_better(self) -> bool {
        matches!(self, Self::Gigabits | Self::Megabits | Self::PerSecond)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_and_tables_say_the_same() {
        let all = [
            Metric::Gigabits,
            Metric::Megabits,
            Metric::CpuPerGigabyte,
            Metric::CpuPerSecond,
            Metric::P50Micros,
            Metric::P99Micros,
            Metric::P50Millis,
            Metric::P99Millis,
            Metric::PerSecond,
            Metric::Failures,
            Metric::Memory,
            Metric::MemoryEach,
            Metric::Seconds,
        ];
        for metric in all {
            assert_eq!(serde_json::to_value(metric).unwrap(), metric.unit());
        }
    }
}
