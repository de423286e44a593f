//! Live sessions: what the SCEP server, the CA bundle and the calendar say of their certificates later on.

use std::time::{Duration, Instant};

use system_tests::{
    at_once,
    live::Live,
    pki::Ca,
    scep::{Behaviour, Scep},
    site::Site,
    until_within,
    world::UID,
};
use time::Duration as Span;

/// The shortest time between two checks.
const RECHECK: Duration = Duration::from_secs(5);
/// How long after it is known a session may go on.
const PROMISED: Duration = Duration::from_secs(5);
/// The grace of these tests.
const GRACE: Duration = Duration::from_secs(10);

/// A live session for which a SCEP server vouches.
fn vouched() -> (Live, Scep) {
    let scep = Scep::new(Scep::vouches(UID));
    let url = scep.url();
    let settings = [
        ("SWL_SCEP_URL", url.as_str()),
        ("SWL_RECHECK_SECONDS", "5"),
        ("SWL_VERIFY_GRACE_SECONDS", "10"),
    ];
    (Live::start(Site::new(), &settings), scep)
}

#[test]
fn a_session_is_closed_when_the_scep_server_says_no() {
    let (live, scep) = vouched();
    // It has been checked and kept before.
    scep.wait_question();
    let since = Instant::now();
    scep.behave(Scep::refuses());
    let ended = live.is_cut(since, RECHECK + PROMISED, "scep_refused");
    assert_eq!(ended.closed.level(), Some("WARN"), "{}", ended.closed);
    let ended = ended.says("not valid (401): ask the operator for a new one");
    scep.behave(Scep::vouches(UID));
    ended.comes_back();
}

#[test]
fn a_scep_server_that_vouches_for_another_ends_the_session_and_alarms() {
    let (mut live, scep) = vouched();
    live.listener.allow("scep_other_uid");
    let since = Instant::now();
    scep.behave(Scep::vouches("device2"));
    let ended = live.is_cut(since, RECHECK + PROMISED, "scep_other_uid");
    assert_eq!(ended.closed.level(), Some("ERROR"), "{}", ended.closed);
    // Whom it vouches for is nobody's business.
    assert!(!ended.said.contains("device2"), "{}", ended.said);
    ended.says("rules refuse this certificate");
}

/// Trouble is borne for the grace, with one warning, and no longer.
fn borne(behaviour: Behaviour) {
    let (live, scep) = vouched();
    let since = Instant::now();
    scep.behave(behaviour);
    let line = live.listener.wait_log(&["cannot be checked for now"]);
    assert_eq!(line.field("code"), Some("scep_unavailable"), "{line}");
    assert!(live.goes_on());
    // The next check after the end of the grace, which takes up to 5 s itself.
    let limit = GRACE + RECHECK + PROMISED + PROMISED;
    let ended = live.is_cut(since, limit, "scep_unavailable");
    let kept = since.elapsed();
    assert!(kept >= GRACE - RECHECK, "only for {kept:?}");
    let warned = ended.listener.log().find(&["cannot be checked for now"]);
    assert_eq!(warned.len(), 1);
    ended.says("could not check the certificate");
}

#[test]
fn every_trouble_of_the_scep_server_is_borne_for_the_grace() {
    at_once(
        [
            Behaviour::Answer(500, "{}".into()),
            Behaviour::Garbage,
            Behaviour::Hang,
        ]
        .map(|behaviour| move || borne(behaviour)),
    );
}

#[test]
fn trouble_that_ends_in_time_ends_no_session() {
    let (live, scep) = vouched();
    scep.behave(Behaviour::Answer(500, "{}".into()));
    live.listener.wait_log(&["cannot be checked for now"]);
    scep.behave(Scep::vouches(UID));
    let line = live.listener.wait_log(&["can be checked again"]);
    assert_eq!(line.level(), Some("INFO"), "{line}");
    // The clock of the grace starts anew.
    let mark = live.listener.log().mark();
    scep.behave(Behaviour::Answer(503, "{}".into()));
    live.listener
        .wait_log_after(mark, &["cannot be checked for now"]);
    scep.behave(Scep::vouches(UID));
    live.listener
        .wait_log_after(mark, &["can be checked again"]);
    assert!(live.goes_on());
    assert_eq!(live.warnings(), 2);
}

/// A verdict does not wait for the end of a grace that has begun.
#[test]
fn a_verdict_after_trouble_counts_at_once() {
    let scep = Scep::new(Scep::vouches(UID));
    let url = scep.url();
    let settings = [("SWL_SCEP_URL", url.as_str()), ("SWL_RECHECK_SECONDS", "5")];
    let live = Live::start(Site::new(), &settings);
    scep.behave(Behaviour::Answer(500, "{}".into()));
    live.listener.wait_log(&["cannot be checked for now"]);
    let since = Instant::now();
    scep.behave(Scep::refuses());
    live.is_cut(since, RECHECK + PROMISED, "scep_refused");
}

#[test]
fn a_ca_that_leaves_the_bundle_takes_its_sessions_along() {
    let live = Live::start(Site::new(), &[]);
    let since = Instant::now();
    live.site.write("ca.crt", &Ca::root("another CA").pem());
    let ended = live.is_cut(since, PROMISED, "unknown_ca");
    ended.says("no CA of the bundle has issued the certificate");
}

#[test]
fn a_ca_that_joins_the_bundle_disturbs_nobody() {
    let live = Live::start(Site::new(), &[]);
    let bundle = live.site.ca.pem() + &Ca::root("another CA").pem();
    let mark = live.listener.log().mark();
    live.site.write("ca.crt", &bundle);
    live.listener.wait_log_after(
        mark,
        &["certificates reloaded", "\"other_authorities\":true"],
    );
    // A round trip through the session, after every check that this has caused.
    live.listener.api.wait_streams(UID, 1);
    assert!(live.goes_on());
}

#[test]
fn a_session_does_not_outlive_its_certificate() {
    let site = Site::new();
    let left = Duration::from_secs(8);
    let issued = site.ca.client_until(UID, Span::try_from(left).unwrap());
    let since = Instant::now();
    let live = Live::with(site, issued, &[("SWL_RECHECK_SECONDS", "5")]);
    // Times in certificates are whole seconds.
    let limit = left + RECHECK + PROMISED;
    let ended = live.is_cut(since, limit, "certificate_expired");
    assert!(since.elapsed() >= left - Duration::from_secs(1));
    let mut ended = ended.says("the certificate has expired");
    ended.connector.allow("expired");
    let again = ["no session", "expired"];
    until_within(Duration::from_secs(60), "the connector says so", || {
        (!ended.connector.log().find(&again).is_empty()).then_some(())
    });
}
