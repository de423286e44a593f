//! CRLs: files and addresses, new sessions and live ones.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;
use system_tests::{
    at_once,
    connector::Connector,
    crl::REVOKED_ON,
    door::{Door, REVOKED},
    live::Live,
    pki::Ca,
    site::Site,
    web::{Behaviour, Web},
    world::UID,
};
use time::Duration as Span;

/// How long a changed file may take to count for live sessions.
const PROMISED: Duration = Duration::from_secs(5);
/// The shortest interval of fetches.
const REFRESH: Duration = Duration::from_secs(10);
const BY_FILE: [(&str, &str); 1] = [("SWL_CRL_PATHS", "list.crl")];
/// What the listener says of a list that is over when it starts.
const EXPIRED: &str = "this revocation list has expired";

fn words() -> String {
    format!(
        "certificate revoked on {REVOKED_ON} (CRL of \"socket-warp test CA\"): ask the operator for a new one"
    )
}

#[test]
fn a_revoked_certificate_is_refused_and_the_connector_says_what_to_do() {
    let site = Site::new();
    let [bad, good] = ["bad", "good"].map(|uid| site.ca.client(uid));
    site.write("list.crl", &site.ca.crl(&[&bad]));
    let door = Door::new(site, &BY_FILE);
    assert_eq!(door.refuses(&bad, REVOKED, "crl_revoked"), words());
    door.admits("good", &good);
    let connector = Connector::certified(&door.site, "bad", &bad, door.listener.quic, &json!({}));
    let line = connector.wait_log(&["no session"]);
    let cause = line.field("cause").unwrap().replace("\\\"", "\"");
    assert!(cause.contains(&words()), "{cause}");
}

#[test]
fn without_a_list_that_counts_nobody_is_let_in() {
    type List = fn(&Site) -> String;
    let cases: [(List, &str); 5] = [
        (|_| Ca::root("other CA").crl(&[]), "crl_missing"),
        (|s| s.ca.crl_for(&[], Span::seconds(-30)), "crl_expired"),
        (
            |_| Ca::root("socket-warp test CA").crl(&[]),
            "crl_bad_signature",
        ),
        (|_| "what?".to_owned(), "crl_missing"),
        (|_| String::new(), "crl_missing"),
    ];
    at_once(cases.map(|(list, code)| {
        move || {
            let site = Site::new();
            let mine = site.ca.client(UID);
            site.write("list.crl", &list(&site));
            let mut door = Door::new(site, &BY_FILE);
            door.listener.allow(EXPIRED);
            door.cannot_check(&mine, code);
        }
    }));
}

/// What a CA has signed once stays true when its list is over.
#[test]
fn an_expired_list_still_revokes() {
    let site = Site::new();
    let bad = site.ca.client(UID);
    let list = site.ca.crl_for(&[&bad], Span::seconds(-30));
    site.write("list.crl", &list);
    let mut door = Door::new(site, &BY_FILE);
    door.listener.allow(EXPIRED);
    door.refuses(&bad, REVOKED, "crl_revoked");
}

#[test]
fn the_connector_hears_nothing_of_the_listeners_files() {
    let site = Site::new();
    let door = Door::new(site, &BY_FILE);
    let connector = Connector::start(&door.site, UID, door.listener.quic);
    let line = connector.wait_log(&["no session", "could not check the certificate"]);
    assert!(!line.has(&["crl"]) && !line.has(&["CRL"]), "{line}");
}

#[test]
fn a_revoked_intermediate_counts_unless_only_leaves_are_looked_up() {
    for (scope, code) in [("chain", Some("crl_revoked")), ("leaf", None)] {
        let site = Site::new();
        let [revoked, fine] = ["revoked CA", "other CA"].map(|name| site.ca.intermediate(name));
        let lists = [
            site.ca.crl_of(&[revoked.serial()], Span::DAY),
            revoked.crl(&[]),
            fine.crl(&[]),
        ];
        site.write("list.crl", &lists.concat());
        let settings = [BY_FILE[0], ("SWL_CRL_SCOPE", scope)];
        let door = Door::new(site, &settings);
        let below = revoked.client("below").followed_by(revoked.der());
        match code {
            Some(code) => {
                let told = door.refuses(&below, REVOKED, code);
                assert!(told.contains("the CA certificate"), "{told}");
            }
            None => door.admits("below", &below),
        }
        door.admits("beside", &fine.client("beside").followed_by(fine.der()));
    }
}

/// `[A, B]`: what is sent behind the leaf neither accuses nor excuses it.
#[test]
fn a_strangers_certificate_behind_mine_changes_nothing() {
    let site = Site::new();
    let [mine, victim] = ["mine", "victim"].map(|uid| site.ca.client(uid));
    site.write("list.crl", &site.ca.crl(&[&victim]));
    let door = Door::new(site, &BY_FILE);
    door.admits("mine", &mine.clone().followed_by(victim.chain[0].clone()));
    let hidden = victim.followed_by(mine.chain[0].clone());
    assert_eq!(door.refuses(&hidden, REVOKED, "crl_revoked"), words());
    assert!(door.listener.api.connectors().is_empty());
}

#[test]
fn a_list_is_fetched_from_its_address() {
    let site = Site::new();
    let [bad, good] = ["bad", "good"].map(|uid| site.ca.client(uid));
    let web = Web::new(Behaviour::Answer(200, site.ca.crl(&[&bad])));
    let url = web.at("/ca.crl");
    let door = Door::new(site, &[("SWL_CRL_URLS", &url)]);
    door.listener.wait_log(&["CRLs read", &url]);
    assert_eq!(door.refuses(&bad, REVOKED, "crl_revoked"), words());
    door.admits("good", &good);
}

/// No list yet, and a server that gives none: nobody is let in, and nobody waits for it.
#[test]
fn a_bad_server_gives_no_list() {
    type Made = fn(String, String) -> Behaviour;
    let cases: [(Made, &str); 8] = [
        (|list, _| Behaviour::Answer(500, list), "500"),
        (|list, _| Behaviour::Answer(404, list), "404"),
        (|_, _| Behaviour::Answer(200, "what?".into()), "not usable"),
        (|_, _| Behaviour::Answer(200, String::new()), "empty"),
        (|_, _| Behaviour::Garbage, "no answer"),
        (|_, _| Behaviour::Endless, "longer than"),
        (|_, _| Behaviour::Hang, "no answer"),
        (
            |_, to| Behaviour::Redirect(to),
            "redirects are not followed",
        ),
    ];
    at_once(cases.map(|(behaviour, cause)| {
        move || {
            let site = Site::new();
            let (mine, list) = (site.ca.client(UID), site.ca.crl(&[]));
            let elsewhere = Web::new(Behaviour::Answer(200, list.clone()));
            let web = Web::new(behaviour(list, elsewhere.at("/")));
            let url = web.at("/ca.crl");
            let door = Door::new(site, &[("SWL_CRL_URLS", &url)]);
            door.cannot_check(&mine, "crl_missing");
            let line = door.listener.wait_log(&["CRLs not taken", &url, cause]);
            assert_eq!(line.level(), Some("WARN"), "{line}");
            door.cannot_check(&mine, "crl_missing");
            assert!(elsewhere.questions().is_empty(), "a redirect was followed");
        }
    }));
}

/// The newest list stays in force while its server is away, and no older one takes its place.
#[test]
fn a_list_outlives_trouble_and_is_not_rolled_back() {
    let site = Site::new();
    let [bad, good] = ["bad", "good"].map(|uid| site.ca.client(uid));
    let before = site.ca.crl(&[]);
    site.write("list.crl", &site.ca.crl(&[&bad]));
    let door = Door::new(site, &BY_FILE);
    door.refuses(&bad, REVOKED, "crl_revoked");
    for (content, cause) in [(before.as_str(), "roll-back refused"), ("what?", "not")] {
        door.site.write("list.crl", content);
        door.listener.wait_log(&["CRLs not taken", cause]);
        door.refuses(&bad, REVOKED, "crl_revoked");
        door.admits("good", &good);
    }
}

#[test]
fn a_revocation_in_a_file_cuts_the_session_and_a_newer_list_lets_it_back() {
    let site = Site::new();
    site.write("list.crl", &site.ca.crl(&[]));
    let live = Live::start(site, &BY_FILE);
    let list = live.site.ca.crl(&[&live.issued]);
    let since = Instant::now();
    live.site.write("list.crl", &list);
    let ended = live.is_cut(since, PROMISED, "crl_revoked").says(&words());
    ended.site.write("list.crl", &ended.site.ca.crl(&[]));
    ended.comes_back();
}

#[test]
fn a_revocation_at_an_address_cuts_the_session() {
    let site = Site::new();
    let web = Web::new(Behaviour::Answer(200, site.ca.crl(&[])));
    let url = web.at("/ca.crl");
    let settings = [
        ("SWL_CRL_URLS", url.as_str()),
        ("SWL_CRL_REFRESH_SECONDS", "10"),
    ];
    let live = Live::start(site, &settings);
    let list = live.site.ca.crl(&[&live.issued]);
    let since = Instant::now();
    web.behave(Behaviour::Answer(200, list));
    let ended = live.is_cut(since, REFRESH + PROMISED, "crl_revoked");
    ended.says(&words());
}

/// SIGHUP has addresses fetched at once, however long the interval is.
#[test]
fn a_signal_fetches_at_once() {
    let site = Site::new();
    let web = Web::new(Behaviour::Answer(200, site.ca.crl(&[])));
    let url = web.at("/ca.crl");
    let settings = [
        ("SWL_CRL_URLS", url.as_str()),
        ("SWL_CRL_REFRESH_SECONDS", "3600"),
    ];
    let mut live = Live::start(site, &settings);
    web.behave(Behaviour::Answer(200, live.site.ca.crl(&[&live.issued])));
    let since = Instant::now();
    live.listener.signal(Signal::HUP);
    live.is_cut(since, PROMISED, "crl_revoked");
}

/// A list that ends under a live session: one warning, and the grace.
#[test]
fn an_expired_list_is_borne_for_the_grace() {
    let site = Site::new();
    site.write("list.crl", &site.ca.crl_for(&[], Span::seconds(6)));
    let settings = [
        BY_FILE[0],
        ("SWL_RECHECK_SECONDS", "5"),
        ("SWL_VERIFY_GRACE_SECONDS", "10"),
    ];
    // The grace counts from the last check that went well, perhaps the one of the handshake.
    let before = Instant::now();
    let live = Live::start(site, &settings);
    let line = live.listener.wait_log(&["cannot be checked for now"]);
    assert_eq!(line.field("code"), Some("crl_expired"), "{line}");
    assert!(live.goes_on());
    let began = live.began();
    let ended = live.is_cut(began, Duration::from_secs(30), "crl_expired");
    assert!(before.elapsed() >= Duration::from_secs(10));
    let warned = ended.listener.log().find(&["cannot be checked for now"]);
    assert_eq!(warned.len(), 1);
    ended.says("could not check the certificate");
}

/// The same with a new list in time.
#[test]
fn a_new_list_in_time_ends_the_trouble() {
    let site = Site::new();
    site.write("list.crl", &site.ca.crl_for(&[], Span::seconds(6)));
    let settings = [BY_FILE[0], ("SWL_RECHECK_SECONDS", "5")];
    let live = Live::start(site, &settings);
    live.listener.wait_log(&["cannot be checked for now"]);
    live.site.write("list.crl", &live.site.ca.crl(&[]));
    let line = live.listener.wait_log(&["can be checked again"]);
    assert_eq!(line.level(), Some("INFO"), "{line}");
    assert!(live.goes_on());
    assert_eq!(live.warnings(), 1);
}
