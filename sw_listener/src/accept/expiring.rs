//! Warns of connectors whose certificate ends soon: when they come, and daily while they stay, but once a day for each.

use std::{
    collections::HashMap,
    sync::Mutex,
    time::{Duration, Instant},
};

use common::{ids::Uid, tls::expiry::days_left};
use time::OffsetDateTime;
use tracing::warn;

use crate::identity::Identity;

/// Time between two lines about one UID. Less than a day, so that an hourly look makes it a daily line.
const PAUSE: Duration = Duration::from_secs(23 * 3600 + 1800);
/// Time between two clearings of what need not be remembered any more.
const CLEARING: Duration = Duration::from_secs(3600);

/// Who was warned of, and when.
#[derive(Debug)]
pub struct Expiring {
    warn_days: u32,
    told: Mutex<Told>,
}

/// One entry for each UID whose certificate ends soon and that was here within the last day.
#[derive(Debug, Default)]
struct Told {
    at: HashMap<Uid, Instant>,
    cleared: Option<Instant>,
}

impl Expiring {
    /// Nobody yet. `warn_days`: how many days before its end a certificate is warned of.
    pub fn new(warn_days: u32) -> Self {
        Self {
            warn_days,
            told: Mutex::default(),
        }
    }

    /// Writes a line if the certificate ends soon and there was none today.
    pub fn warn(&self, identity: &Identity) {
        let Ok(not_after) = OffsetDateTime::from_unix_timestamp(identity.not_after) else {
            return;
        };
        let days_left = days_left(OffsetDateTime::now_utc(), not_after);
        if days_left >= i64::from(self.warn_days) {
            return;
        }
        let mut told = self
            .told
            .lock()
            .expect("nothing panics while it holds this lock");
        let first = told.first_today(&identity.uid, Instant::now());
        drop(told);
        if first {
            warn!(
                uid = %identity.uid, serial = identity.serial, %not_after, days_left,
                "the certificate of this connector expires soon: renew it, or the connector is locked out then"
            );
        }
    }
}

impl Told {
    fn first_today(&mut self, uid: &Uid, now: Instant) -> bool {
        let recent = |at: Instant| now.saturating_duration_since(at) < PAUSE;
        let clear = |at: Instant| now.saturating_duration_since(at) >= CLEARING;
        if self.cleared.is_none_or(clear) {
            self.at.retain(|_, at| recent(*at));
            self.cleared = Some(now);
        }
        if self.at.get(uid).is_some_and(|at| recent(*at)) {
            return false;
        }
        self.at.insert(uid.clone(), now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_told_once_a_day_and_then_forgotten() {
        let mut told = Told::default();
        let start = Instant::now();
        let at = |hours: u64| start + Duration::from_secs(hours * 3600);
        let uid = |name: &str| name.parse::<Uid>().unwrap();
        assert!(told.first_today(&uid("a"), at(0)));
        assert!(!told.first_today(&uid("a"), at(0)));
        assert!(told.first_today(&uid("b"), at(10)));
        assert!(!told.first_today(&uid("a"), at(23)));
        assert!(told.first_today(&uid("a"), at(24)));
        for n in 0..1000 {
            assert!(told.first_today(&uid(&format!("u{n}")), at(25)));
        }
        assert!(told.first_today(&uid("z"), at(50)));
        assert_eq!(told.at.len(), 1, "yesterday's are forgotten");
    }
}
