//! Certificates that end: the command that renews them, and the warnings.

use std::{collections::BTreeMap, fs};

use rustix::process::{Pid, Signal, test_kill_process};
use serde_json::{Value, json};
use system_tests::{
    PATIENCE,
    connector::{self, Connector},
    listener::Listener,
    pki::Ca,
    site::Site,
    until,
    world::UID,
};
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};

/// Takes over what lies ready in `new.crt` and `new.key`, and notes its environment.
const TAKE_OVER: &str = "env >seen.new; mv seen.new seen; cp new.key \"$SOCKET_WARP_KEY_PATH\"; \
                         cp new.crt \"$SOCKET_WARP_CERT_PATH\"";

/// A connector whose certificate of a day ends in this time, with a new one lying ready.
fn connector(site: &Site, left: Duration, listener: &Listener, renew: &Value) -> Connector {
    site.issue(UID, &site.ca.client_of_a_day(UID, left));
    site.issue("new", &site.ca.client(UID));
    start(site, listener, renew)
}

fn start(site: &Site, listener: &Listener, renew: &Value) -> Connector {
    let settings = json!({"renew": renew});
    let mut command = connector::command(site, UID, listener.quic, &settings);
    command
        .env("SWC_DRAIN_TIMEOUT_SECONDS", "5")
        .env("A_SECRET", "1")
        .env("PASSED", "2")
        .env("TZ", "UTC");
    Connector::run(UID, command)
}

fn seen(site: &Site) -> BTreeMap<String, String> {
    let text = until("the command has run", || {
        fs::read_to_string(site.path("seen")).ok()
    });
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[test]
fn a_certificate_is_renewed_by_a_command_that_is_told_all_about_it() {
    let site = Site::new();
    let listener = Listener::start(&site);
    site.write("renew.sh", TAKE_OVER);
    let renew = json!({"command": ["/bin/sh", "renew.sh"], "pass_environment": ["PASSED"]});
    let connector = connector(&site, Duration::hours(5), &listener, &renew);
    let line = connector.wait_log(&["certificate renewed"]);
    assert_eq!(line.level(), Some("INFO"), "{line}");
    let told = seen(&site);
    assert_eq!(told["SOCKET_WARP_UID"], UID);
    assert_eq!(told["SOCKET_WARP_REASON"], "due");
    assert_eq!(told["SOCKET_WARP_DAYS_LEFT"], "0");
    assert_eq!(told["SOCKET_WARP_CERT_PATH"], site.text("device1.crt"));
    assert_eq!(told["SOCKET_WARP_KEY_PATH"], site.text("device1.key"));
    assert_eq!(told["SOCKET_WARP_CA_PATH"], site.text("ca.crt"));
    let end = OffsetDateTime::parse(&told["SOCKET_WARP_NOT_AFTER"], &Rfc3339).unwrap();
    let left = end - OffsetDateTime::now_utc();
    assert!(left > Duration::hours(4) && left < Duration::hours(5));
    assert!(told["SOCKET_WARP_SERIAL"].contains(':'));
    assert_eq!((told["PASSED"].as_str(), told["TZ"].as_str()), ("2", "UTC"));
    let secret = |name: &&String| name.starts_with("SWC_") || *name == "A_SECRET";
    assert_eq!(told.keys().find(secret), None);
}

#[test]
fn one_that_has_expired_is_renewed_too() {
    let site = Site::new();
    let listener = Listener::start(&site);
    let renew = json!({"command": TAKE_OVER});
    let mut connector = connector(&site, Duration::hours(-1), &listener, &renew);
    connector.allow("has expired");
    connector.wait_log(&["certificate renewed"]);
    let told = seen(&site);
    assert_eq!(told["SOCKET_WARP_REASON"], "expired");
    assert_eq!(told["SOCKET_WARP_DAYS_LEFT"], "-1");
    connector.wait_session();
}

#[test]
fn the_first_certificate_can_come_by_the_command() {
    let site = Site::new();
    let listener = Listener::start(&site);
    site.issue("new", &site.ca.client(UID));
    let connector = start(&site, &listener, &json!({"command": TAKE_OVER}));
    connector.wait_log(&["certificate renewed"]);
    assert_eq!(seen(&site)["SOCKET_WARP_REASON"], "unusable");
    connector.wait_session();
}

#[test]
fn a_failure_is_loud_and_the_command_runs_again() {
    let site = Site::new();
    let listener = Listener::start(&site);
    let command = format!(
        "echo \"out of\norder\" >&2; test -e again || {{ touch again; exit 3; }}; {TAKE_OVER}"
    );
    let renew = json!({"command": command, "retry_seconds": 8});
    let mut connector = connector(&site, Duration::hours(5), &listener, &renew);
    connector.allow("was not renewed");
    let line = connector.wait_log(&["was not renewed"]);
    assert_eq!(line.level(), Some("ERROR"), "{line}");
    assert!(line.has(&["exit status: 3", "out of\\\\norder"]), "{line}");
    connector.wait_log(&["certificate renewed"]);
}

#[test]
fn a_command_that_brings_nothing_new_has_failed() {
    let site = Site::new();
    let listener = Listener::start(&site);
    let mut connector = connector(
        &site,
        Duration::hours(5),
        &listener,
        &json!({"command": ["true"]}),
    );
    connector.allow("was not renewed");
    connector.wait_log(&["was not renewed", "the same certificate as before"]);
    connector.wait_session();
}

#[test]
fn a_command_that_brings_an_older_one_or_half_a_pair_has_failed() {
    let site = Site::new();
    let listener = Listener::start(&site);
    let failed = |command: &str, expected: &str| {
        site.issue(UID, &site.ca.client_of_a_day(UID, Duration::hours(5)));
        site.issue("new", &site.ca.client_of_a_day(UID, Duration::hours(4)));
        let mut connector = start(&site, &listener, &json!({"command": command}));
        connector.allow("was not renewed");
        connector.wait_log(&["was not renewed", expected]);
    };
    failed(TAKE_OVER, "not later than before");
    failed("cp new.crt \"$SOCKET_WARP_CERT_PATH\"", "cannot be used");
}

/// The CA's clock may be ahead: the old certificate stays until the new one is valid, and nobody need do anything.
#[test]
fn a_certificate_that_is_valid_in_a_moment_is_waited_for() {
    let site = Site::new();
    let listener = Listener::start(&site);
    site.issue(UID, &site.ca.client_of_a_day(UID, Duration::hours(5)));
    let issued = site.ca.client_since(UID, -8);
    site.issue("new", &issued);
    let mut connector = start(&site, &listener, &json!({"command": TAKE_OVER}));
    connector.allow("the old ones stay in force");
    connector.wait_log(&["certificate renewed"]);
    connector.wait_log(&["not valid yet"]);
    connector.wait_log(&["the sessions move to it"]);
    until("the new certificate", || {
        let shown = listener.api.connector(UID)?["certificate_sha256"].clone();
        (shown == issued.fingerprint()).then_some(())
    });
    assert_eq!(connector.log().find(&["certificate renewed"]).len(), 1);
}

#[test]
fn a_command_that_brings_one_for_tomorrow_has_failed() {
    let site = Site::new();
    let listener = Listener::start(&site);
    site.issue(UID, &site.ca.client_of_a_day(UID, Duration::hours(5)));
    site.issue("new", &site.ca.client_since(UID, -86_400));
    let mut connector = start(&site, &listener, &json!({"command": TAKE_OVER}));
    connector.allow("was not renewed");
    connector.allow("the old ones stay in force");
    connector.wait_log(&["was not renewed", "not valid before"]);
}

/// The files may hold a certificate for later: what counts is what sessions use.
#[test]
fn the_report_is_about_what_is_in_force() {
    let site = Site::new();
    let listener = Listener::start(&site);
    let old = site.ca.client_of_a_day(UID, Duration::hours(5));
    let mut connector = Connector::certified(&site, UID, &old, listener.quic, &json!({}));
    connector.allow("the old ones stay in force");
    connector.wait_log(&["this certificate expires soon"]);
    site.issue(UID, &site.ca.client_since(UID, -86_400));
    let mark = connector.log().mark();
    connector.signal(Signal::HUP);
    connector.wait_log_after(mark, &["the old ones stay in force", "not valid before"]);
    connector.wait_log_after(mark, &["this certificate expires soon", "device1.crt"]);
}

#[test]
fn a_stop_ends_the_command() {
    let site = Site::new();
    let listener = Listener::start(&site);
    let command = "echo $$ >pid.new; mv pid.new pid; sleep 1000";
    let mut connector = connector(
        &site,
        Duration::hours(5),
        &listener,
        &json!({"command": command}),
    );
    connector.wait_session();
    let pid = until("the command runs", || {
        fs::read_to_string(site.path("pid")).ok()
    });
    let pid = Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
    connector.signal(Signal::TERM);
    assert!(connector.wait_exit(PATIENCE).success());
    until("the command has ended", || {
        test_kill_process(pid).is_err().then_some(())
    });
}

#[test]
fn both_sides_warn_of_what_ends_soon() {
    let site = Site::new();
    site.issue("server", &site.ca.server_until(Duration::days(6)));
    let over = Ca::root_until("old CA", Duration::days(-2));
    site.write("ca.crt", &format!("{}{}", site.ca.pem(), over.pem()));
    let mut listener = Listener::start(&site);
    listener.allow("this CA certificate has expired");
    let line = listener.wait_log(&["this certificate expires soon", "server.crt"]);
    assert_eq!(line.level(), Some("WARN"), "{line}");
    assert_eq!(line.field("subject"), Some("CN=listener"));
    let line = listener.wait_log(&["this CA certificate has expired", "ca.crt"]);
    assert_eq!(line.level(), Some("ERROR"), "{line}");
    assert_eq!(line.field("subject"), Some("CN=old CA"));

    let soon = site.ca.client_of_a_day(UID, Duration::hours(5));
    let mut connector = Connector::certified(&site, UID, &soon, listener.quic, &json!({}));
    connector.allow("this CA certificate has expired");
    connector.wait_log(&["this certificate expires soon", "device1.crt"]);
    let parts = ["certificate of this connector expires soon", UID];
    let line = listener.wait_log(&parts);
    assert_eq!(line.level(), Some("WARN"), "{line}");
    let mark = connector.log().mark();
    connector.signal(Signal::HUP);
    connector.wait_log_after(mark, &["this certificate expires soon"]);
    // A second session on the same day is no second line.
    connector.signal(Signal::TERM);
    connector.wait_exit(PATIENCE);
    listener.api.wait_gone(UID);
    let mark = listener.log().mark();
    let mut again = Connector::certified(&site, UID, &soon, listener.quic, &json!({}));
    again.allow("this CA certificate has expired");
    listener.wait_log_after(mark, &["session registered", UID]);
    listener.api.wait_connected(UID);
    assert_eq!(listener.log().find(&parts).len(), 1);
}

#[test]
fn nothing_is_said_of_what_lasts() {
    let site = Site::new();
    let listener = Listener::start(&site);
    let connector = Connector::start(&site, UID, listener.quic);
    connector.wait_session();
    listener.api.wait_connected(UID);
    for log in [listener.log(), connector.log()] {
        assert!(log.find(&["expires soon"]).is_empty());
    }
}
