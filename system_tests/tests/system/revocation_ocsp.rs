//! OCSP with openssl's responder: new sessions and live ones.

use std::time::{Duration, Instant};

use serde_json::json;
use system_tests::{
    connector::Connector,
    crl::REVOKED_ON,
    door::{Door, REVOKED, UNAVAILABLE},
    live::Live,
    ocsp::{Responder, Status},
    pki::{Ca, Issued},
    site::Site,
    until,
    web::{Behaviour, Web},
    world::UID,
};

/// An answer about a live session serves for 10 s, the next check comes within 5 s, and the answer may take 5 s.
const PROMISED: Duration = Duration::from_secs(20);

fn words() -> String {
    format!("certificate revoked on {REVOKED_ON} (OCSP): ask the operator for a new one")
}

fn door(site: Site, responder: &Responder) -> Door {
    let url = responder.url();
    Door::new(site, &[("SWL_OCSP", "leaf"), ("SWL_OCSP_URL", &url)])
}

/// A live session about which a responder says "good", with these variables more.
fn live(more: &[(&str, &str)]) -> (Live, Responder) {
    let site = Site::new();
    let issued = site.ca.client(UID);
    let mut responder = Responder::away();
    responder.say(&site, &site.ca, &[(&issued, Status::Good)]);
    let url = responder.url();
    let mut settings = vec![
        ("SWL_OCSP", "leaf"),
        ("SWL_OCSP_URL", url.as_str()),
        ("SWL_RECHECK_SECONDS", "5"),
    ];
    settings.extend_from_slice(more);
    (Live::with(site, issued, &settings), responder)
}

/// What the responder says from now on.
fn say(live: &Live, responder: &mut Responder, status: Status) {
    responder.say(&live.site, &live.site.ca, &[(&live.issued, status)]);
}

#[test]
fn every_answer_of_a_responder() {
    let site = Site::new();
    let [good, bad, stranger, unlucky, late]: [Issued; 5] =
        ["good", "bad", "stranger", "unlucky", "late"].map(|uid| site.ca.client(uid));
    let known = [(&good, Status::Good), (&bad, Status::Revoked)];
    let mut responder = Responder::away();
    responder.say(&site, &site.ca, &known);
    let door = door(site, &responder);
    door.admits("good", &good);
    assert_eq!(door.refuses(&bad, REVOKED, "ocsp_revoked"), words());
    door.cannot_check(&stranger, "ocsp_unknown");
    // Signed by nobody who may.
    let namesake = Ca::root("socket-warp test CA");
    responder.say(&door.site, &namesake, &[(&unlucky, Status::Good)]);
    door.cannot_check(&unlucky, "ocsp_bad_answer");
    responder.stop();
    door.cannot_check(&late, "ocsp_unavailable");
    // What was said stays said for a minute.
    door.admits("good", &good);
    door.refuses(&bad, REVOKED, "ocsp_revoked");
    // It takes a moment until somebody asks a responder again that was away.
    responder.say(&door.site, &door.site.ca, &[(&late, Status::Good)]);
    until("the responder is asked again", || door.knock(&late).ok());
}

#[test]
fn the_connector_says_what_to_do_and_nothing_of_the_responder() {
    let site = Site::new();
    let bad = site.ca.client(UID);
    let mut responder = Responder::away();
    responder.say(&site, &site.ca, &[(&bad, Status::Revoked)]);
    let url = responder.url();
    let door = door(site, &responder);
    let connector = Connector::certified(&door.site, UID, &bad, door.listener.quic, &json!({}));
    let line = connector.wait_log(&["no session", &words()]);
    assert!(!line.has(&[&url]), "{line}");
    responder.stop();
    let other = Connector::start(&door.site, "other", door.listener.quic);
    let line = other.wait_log(&["no session", "could not check the certificate"]);
    assert!(!line.has(&[&url]) && !line.has(&["OCSP"]), "{line}");
}

#[test]
fn what_is_no_answer_lets_nobody_in() {
    let site = Site::new();
    let web = Web::new(Behaviour::Garbage);
    let url = web.at("/");
    let door = Door::new(site, &[("SWL_OCSP", "leaf"), ("SWL_OCSP_URL", &url)]);
    let elsewhere = Web::new(Behaviour::Answer(200, "x".into()));
    for (number, behaviour) in [
        Behaviour::Answer(200, "what?".into()),
        Behaviour::Answer(200, String::new()),
        Behaviour::Endless,
        Behaviour::Redirect(elsewhere.at("/")),
        Behaviour::Answer(500, String::new()),
    ]
    .into_iter()
    .enumerate()
    {
        web.behave(behaviour);
        let issued = door.site.ca.client(&format!("device{number}"));
        let Err((code, told)) = door.knock(&issued) else {
            panic!("a session without an answer");
        };
        assert_eq!(code, UNAVAILABLE, "{told}");
    }
    assert!(elsewhere.questions().is_empty(), "a redirect was followed");
}

#[test]
fn a_revocation_cuts_the_session() {
    let (live, mut responder) = live(&[]);
    let since = Instant::now();
    say(&live, &mut responder, Status::Revoked);
    let ended = live.is_cut(since, PROMISED, "ocsp_revoked");
    ended.says(&words());
}

#[test]
fn a_responder_that_is_away_is_borne_for_the_grace() {
    // The grace counts from the last check that went well, perhaps the one of the handshake.
    let before = Instant::now();
    let (live, mut responder) = live(&[("SWL_VERIFY_GRACE_SECONDS", "10")]);
    responder.stop();
    let line = live.listener.wait_log(&["cannot be checked for now"]);
    assert_eq!(line.field("code"), Some("ocsp_unavailable"), "{line}");
    assert!(live.goes_on());
    let began = live.began();
    let ended = live.is_cut(began, Duration::from_secs(60), "ocsp_unavailable");
    assert!(before.elapsed() >= Duration::from_secs(10));
    let warned = ended.listener.log().find(&["cannot be checked for now"]);
    assert_eq!(warned.len(), 1);
    ended.says("could not check the certificate");
}

#[test]
fn a_responder_that_comes_back_in_time_ends_the_trouble() {
    let (live, mut responder) = live(&[]);
    responder.stop();
    live.listener.wait_log(&["cannot be checked for now"]);
    say(&live, &mut responder, Status::Good);
    let line = live.listener.wait_log(&["can be checked again"]);
    assert_eq!(line.level(), Some("INFO"), "{line}");
    assert!(live.goes_on());
    assert_eq!(live.warnings(), 1);
}
