//! How long answers are kept.

use std::time::{Duration, SystemTime};

use crate::policy::ocsp::{
    cache::{Cache, Key, Known, RolledBack},
    response::Status,
    verify::Statement,
};

const KEY: Key = [7; 32];
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

fn at(minutes: u32) -> SystemTime {
    SystemTime::UNIX_EPOCH + 365 * 24 * HOUR + minutes * MINUTE
}

fn revoked() -> Status {
    Status::Revoked {
        when: at(0),
        reason: None,
    }
}

/// Made at a minute, good for two hours.
fn said(status: Status, minute: u32) -> Statement {
    Statement {
        status,
        this_update: at(minute),
        until: at(minute) + 2 * HOUR,
        promised: true,
    }
}

fn store(cache: &mut Cache, statement: &Statement, minute: u32) -> Result<(), RolledBack> {
    cache.store(KEY, statement, "http://r", at(minute), HOUR)
}

/// `f`resh, `s`tale or nothing, and what.
fn look(cache: &Cache, minute: u32) -> Option<(char, Status)> {
    match cache.look(&KEY, at(minute), MINUTE) {
        Known::Nothing => None,
        Known::Fresh(kept) => Some(('f', kept.status)),
        Known::Stale(kept) => Some(('s', kept.status)),
    }
}

#[test]
fn good_is_fresh_then_stale_then_forgotten() {
    let mut cache = Cache::default();
    assert_eq!(look(&cache, 0), None);
    store(&mut cache, &said(Status::Good, 0), 0).unwrap();
    assert_eq!(look(&cache, 0), Some(('f', Status::Good)));
    assert_eq!(look(&cache, 1), Some(('f', Status::Good)));
    assert_eq!(look(&cache, 2), Some(('s', Status::Good)));
    assert_eq!(look(&cache, 60), Some(('s', Status::Good)));
    assert_eq!(look(&cache, 61), None, "longer than the setting");
    store(&mut cache, &said(Status::Good, 0), 100).unwrap();
    assert_eq!(look(&cache, 120), Some(('s', Status::Good)));
    assert_eq!(look(&cache, 121), None, "longer than the responder said");
    // The clock is set back.
    assert_eq!(look(&cache, 99), Some(('s', Status::Good)));
}

#[test]
fn without_a_promise_good_is_never_stale() {
    let mut cache = Cache::default();
    let mut statement = said(Status::Good, 0);
    statement.promised = false;
    store(&mut cache, &statement, 0).unwrap();
    assert_eq!(look(&cache, 1), Some(('f', Status::Good)));
    assert_eq!(look(&cache, 2), None);
}

#[test]
fn revoked_stays_until_a_newer_answer() {
    let mut cache = Cache::default();
    store(&mut cache, &said(revoked(), 10), 10).unwrap();
    assert_eq!(look(&cache, 10_000), Some(('s', revoked())));
    for minute in [9, 10] {
        let good = said(Status::Good, minute);
        assert_eq!(store(&mut cache, &good, 11), Err(RolledBack));
    }
    store(&mut cache, &said(Status::Unknown, 11), 11).unwrap();
    assert_eq!(look(&cache, 11), Some(('f', revoked())));
    store(&mut cache, &said(Status::Good, 12), 12).unwrap();
    assert_eq!(look(&cache, 12), Some(('f', Status::Good)));
}

#[test]
fn an_older_answer_is_refused_unless_it_revokes() {
    let mut cache = Cache::default();
    store(&mut cache, &said(Status::Good, 10), 10).unwrap();
    for status in [Status::Good, Status::Unknown] {
        assert_eq!(store(&mut cache, &said(status, 9), 11), Err(RolledBack));
    }
    store(&mut cache, &said(revoked(), 9), 11).unwrap();
    let between = said(Status::Good, 10);
    assert_eq!(store(&mut cache, &between, 11), Err(RolledBack));
}

#[test]
fn unknown_takes_good_back_and_is_not_kept() {
    let mut cache = Cache::default();
    store(&mut cache, &said(Status::Good, 10), 10).unwrap();
    store(&mut cache, &said(Status::Unknown, 11), 11).unwrap();
    assert_eq!(look(&cache, 11), None);
    assert_eq!(
        store(&mut cache, &said(Status::Good, 10), 11),
        Err(RolledBack)
    );
}

#[test]
fn a_full_cache_forgets_the_oldest_good_ones() {
    let mut cache = Cache::default();
    let key = |n: u32| {
        let mut key = Key::default();
        key[..4].copy_from_slice(&n.to_be_bytes());
        key
    };
    for n in 0..=100_000 {
        let status = if n == 0 { revoked() } else { Status::Good };
        let statement = said(status, n);
        cache.store(key(n), &statement, "r", at(n), HOUR).unwrap();
    }
    let known = |n| cache.look(&key(n), at(n), HOUR) != Known::Nothing;
    assert!(known(0), "a revocation was forgotten");
    assert!(!known(1) && !known(10_000), "nothing was forgotten");
    assert!(known(10_002) && known(100_000));
}
