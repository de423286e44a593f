//! How much may be in flight: the choice of the congestion controller.

mod fixed;
mod gate;
mod model;

use std::{fmt, str::FromStr, sync::Arc};

use quinn::congestion::{ControllerFactory, CubicConfig};
use thiserror::Error;

pub(super) use self::gate::open;
use self::{fixed::FixedFactory, gate::GateFactory, model::ModelFactory};

/// The slowest fixed rate, bits per second: below it not even keep-alives get through in time.
const MIN_RATE: u64 = 10_000;

/// The fastest fixed rate, bits per second: beyond what a UDP flow reaches.
const MAX_RATE: u64 = 1_000_000_000_000;

/// Which congestion controller a session uses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CongestionControl {
    /// CUBIC (RFC 9438): what most of the Internet uses. Takes every loss for a full queue, so that 1 % of random loss on
    /// a long path leaves next to nothing.
    Cubic,
    /// Follows a model of the path, bandwidth and round-trip time, in the manner of BBR (draft-ietf-ccwg-bbr). Tolerates
    /// random loss and reordering, keeps queues short, and shares with others.
    #[default]
    Model,
    /// Sends at a rate that the operator knows, whatever is lost. For links of one's own.
    Fixed {
        /// UDP payload, bits per second.
        bits_per_second: u64,
    },
}

/// A text names no congestion controller.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{0:?} is no congestion control: must be cubic, model, or a rate of 10 kbit/s to 1 Tbit/s such as 50Mbit/s"
)]
pub struct UnknownCongestionControl(String);

impl CongestionControl {
    /// What [`quinn::TransportConfig::congestion_controller_factory`] takes.
    pub fn factory(self) -> Arc<dyn ControllerFactory + Send + Sync> {
        let factory: Arc<dyn ControllerFactory + Send + Sync> = match self {
            Self::Cubic => Arc::new(CubicConfig::default()),
            Self::Model => Arc::new(ModelFactory),
            Self::Fixed { bits_per_second } => Arc::new(FixedFactory { bits_per_second }),
        };
        Arc::new(GateFactory(factory))
    }
}

/// `cubic`, `model`, or a rate: digits, then `bit/s`, `kbit/s`, `Mbit/s` or `Gbit/s` (powers of 1,000; any case).
impl FromStr for CongestionControl {
    type Err = UnknownCongestionControl;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "cubic" => Ok(Self::Cubic),
            "model" => Ok(Self::Model),
            _ => rate(text)
                .map(|bits_per_second| Self::Fixed { bits_per_second })
                .ok_or_else(|| UnknownCongestionControl(text.to_owned())),
        }
    }
}

impl fmt::Display for CongestionControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cubic => f.write_str("cubic"),
            Self::Model => f.write_str("model"),
            Self::Fixed { bits_per_second } => write!(f, "{bits_per_second}bit/s"),
        }
    }
}

fn rate(text: &str) -> Option<u64> {
    let unit = text.find(|c: char| !c.is_ascii_digit())?;
    let (digits, unit) = text.split_at(unit);
    let factor = match unit.trim_start().to_ascii_lowercase().as_str() {
        "bit/s" => 1,
        "kbit/s" => 1_000,
        "mbit/s" => 1_000_000,
        "gbit/s" => 1_000_000_000,
        _ => return None,
    };
    let rate = digits.parse::<u64>().ok()?.checked_mul(factor)?;
    (MIN_RATE..=MAX_RATE).contains(&rate).then_some(rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_rates_are_parsed() {
        let fixed = |bits_per_second| Ok(CongestionControl::Fixed { bits_per_second });
        assert_eq!("cubic".parse(), Ok(CongestionControl::Cubic));
        assert_eq!("model".parse(), Ok(CongestionControl::Model));
        assert_eq!("50Mbit/s".parse(), fixed(50_000_000));
        assert_eq!("10000 bit/s".parse(), fixed(10_000));
        assert_eq!("1 gbit/s".parse(), fixed(1_000_000_000));
    }

    #[test]
    fn what_is_displayed_parses_again() {
        for text in ["cubic", "model", "64kbit/s", "3Gbit/s"] {
            let control: CongestionControl = text.parse().unwrap();
            assert_eq!(control.to_string().parse(), Ok(control));
        }
    }

    #[test]
    fn anything_else_is_refused_with_what_would_do() {
        for text in [
            "",
            "bbr",
            "50",
            "Mbit/s",
            "1bit/s",
            "-5Mbit/s",
            "5 MB/s",
            "99999999999999999999bit/s",
        ] {
            let error = text.parse::<CongestionControl>().unwrap_err();
            assert!(error.to_string().contains("50Mbit/s"), "{text}");
        }
    }
}
