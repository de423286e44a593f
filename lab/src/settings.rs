//! Conditions as text, for command lines: `delay=25ms`, `loss=1%`, or `ba.rate=20mbit` for one direction only.

use std::{str::FromStr, time::Duration};

use crate::{
    Direction,
    link::{Conditions, Loss, QueueLimit, Reorder},
};

/// The table of all settings, for `--help`.
pub const HELP: &str = "\
Settings, for both directions, or for one of them after `ab.` (from A to B) or `ba.`:
  up=yes|no           whether anything gets through
  delay=25ms          from the last bit sent to the arrival
  jitter=5ms          up to so much more delay, without reordering
  loss=1%             each packet for itself
  loss=5%/20ms        in bursts of 20 ms in the mean
  loss=5%/8           in bursts of 8 packets in the mean
  reorder=25%/10ms    so many packets are held back for so long
  duplicate=1%        packets that come twice
  corrupt=1%          packets with one bit flipped; the kernel drops them
  tamper=1%           packets with words exchanged behind the headers; their checksum stays right
  rate=200mbit        or kbit, gbit; `none` for no limit
  queue=50ms          what may wait for its turn; or in bytes: 64kb
  mtu=1280            larger packets vanish; `none` for no limit";

/// One setting: what changes, and where.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Setting {
    direction: Option<Direction>,
    change: Change,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Change {
    Up(bool),
    Delay(Duration),
    Jitter(Duration),
    Loss(Loss),
    Reorder(Reorder),
    Duplicate(f64),
    Corrupt(f64),
    Tamper(f64),
    Rate(Option<u64>),
    Queue(QueueLimit),
    Mtu(Option<usize>),
}

/// Why a text is no setting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// It has no `=`.
    #[error("{0:?} is not like delay=25ms")]
    Form(String),
    /// There is no such setting.
    #[error("there is no setting {0:?}")]
    Name(String),
    /// It cannot have this value.
    #[error("{name} cannot be {value:?}; {like} would do")]
    Value {
        /// The setting.
        name: String,
        /// What it should be.
        value: String,
        /// What it could be.
        like: &'static str,
    },
}

impl Setting {
    /// Whether it is meant for this direction.
    pub fn is_for(&self, direction: Direction) -> bool {
        self.direction.is_none_or(|only| only == direction)
    }

    /// Puts it into the conditions.
    pub fn apply(&self, conditions: &mut Conditions) {
        match self.change {
            Change::Up(up) => conditions.up = up,
            Change::Delay(delay) => conditions.delay = delay,
            Change::Jitter(jitter) => conditions.jitter = jitter,
            Change::Loss(loss) => conditions.loss = loss,
            Change::Reorder(reorder) => conditions.reorder = reorder,
            Change::Duplicate(share) => conditions.duplicate = share,
            Change::Corrupt(share) => conditions.corrupt = share,
            Change::Tamper(share) => conditions.tamper = share,
            Change::Rate(rate) => conditions.rate = rate,
            Change::Queue(queue) => conditions.queue = queue,
            Change::Mtu(mtu) => conditions.mtu = mtu,
        }
    }
}

impl FromStr for Setting {
    type Err = SettingError;

    fn from_str(text: &str) -> Result<Self, SettingError> {
        let Some((name, value)) = text.split_once('=') else {
            return Err(SettingError::Form(text.to_owned()));
        };
        let (direction, name) = match name.split_once('.') {
            Some(("ab", name)) => (Some(Direction::AToB), name),
            Some(("ba", name)) => (Some(Direction::BToA), name),
            _ => (None, name),
        };
        let change = change(name, value)?;
        Ok(Self { direction, change })
    }
}

fn change(name: &str, value: &str) -> Result<Change, SettingError> {
    let (change, like) = match name {
        "up" => (yes(value).map(Change::Up), "yes"),
        "delay" => (time(value).map(Change::Delay), "25ms"),
        "jitter" => (time(value).map(Change::Jitter), "5ms"),
        "loss" => (loss(value).map(Change::Loss), "1% or 5%/20ms"),
        "reorder" => (reorder(value).map(Change::Reorder), "25%/10ms"),
        "duplicate" => (share(value).map(Change::Duplicate), "1%"),
        "corrupt" => (share(value).map(Change::Corrupt), "1%"),
        "tamper" => (share(value).map(Change::Tamper), "1%"),
        "rate" => (or_none(value, rate).map(Change::Rate), "200mbit"),
        "queue" => (queue(value).map(Change::Queue), "50ms or 64kb"),
        "mtu" => (
            or_none(value, |value| value.parse().ok()).map(Change::Mtu),
            "1280",
        ),
        _ => return Err(SettingError::Name(name.to_owned())),
    };
    change.ok_or_else(|| SettingError::Value {
        name: name.to_owned(),
        value: value.to_owned(),
        like,
    })
}

fn yes(value: &str) -> Option<bool> {
    match value {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

fn or_none<T>(value: &str, parse: impl Fn(&str) -> Option<T>) -> Option<Option<T>> {
    match value {
        "none" => Some(None),
        value => parse(value).map(Some),
    }
}

/// A number that is not negative, before one of these units, times what the unit stands for.
fn scaled(value: &str, units: &[(&str, f64)]) -> Option<f64> {
    // The longest unit that fits is the right one: 5ms is not 5m of s.
    let fitting = units.iter().filter(|(unit, _)| value.ends_with(unit));
    let (unit, factor) = fitting.max_by_key(|(unit, _)| unit.len())?;
    let number: f64 = value.strip_suffix(unit)?.parse().ok()?;
    (number.is_finite() && number >= 0.0).then_some(number * factor)
}

fn time(value: &str) -> Option<Duration> {
    let seconds = scaled(value, &[("us", 1e-6), ("ms", 1e-3), ("s", 1.0)])?;
    Duration::try_from_secs_f64(seconds).ok()
}

fn share(value: &str) -> Option<f64> {
    scaled(value, &[("%", 0.01)]).filter(|share| *share <= 1.0)
}

fn loss(value: &str) -> Option<Loss> {
    let Some((loss, length)) = value.split_once('/') else {
        return share(value).map(Loss::Random);
    };
    let loss = share(loss).filter(|loss| *loss > 0.0 && *loss < 1.0)?;
    if let Some(length) = time(length) {
        return Some(Loss::fades(loss, length));
    }
    let length = scaled(length, &[("", 1.0)]).filter(|length| *length >= 1.0)?;
    Some(Loss::bursts(loss, length))
}

fn reorder(value: &str) -> Option<Reorder> {
    let (probability, late) = value.split_once('/')?;
    Some(Reorder {
        probability: share(probability)?,
        late: time(late)?,
    })
}

fn rate(value: &str) -> Option<u64> {
    let units = [("kbit", 1e3), ("mbit", 1e6), ("gbit", 1e9)];
    scaled(value, &units).map(|rate| rate as u64)
}

fn queue(value: &str) -> Option<QueueLimit> {
    let bytes = scaled(value, &[("kb", 1e3), ("mb", 1e6)]).map(|bytes| bytes as usize);
    let bytes = bytes.map(QueueLimit::Bytes);
    bytes.or_else(|| time(value).map(QueueLimit::Time))
}

#[cfg(test)]
mod tests;
