//! Allow and deny lists: who is let in, and whose session ends when they change.

use std::{
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::json;
use system_tests::{
    at_once,
    door::{DENIED, Door},
    download::Download,
    live::Live,
    peer::{ALPN_V1, Peer},
    scep::{Behaviour, Scep},
    site::Site,
    until,
    world::{UID, World},
};

/// How long a change of a list may take to count for live sessions.
const PROMISED: Duration = Duration::from_secs(5);
/// What a connector is told whom the operator has denied.
const DENIED_WORDS: &str = "the listener's operator has denied this certificate: ask them";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[test]
fn each_kind_of_entry_denies_and_no_more() {
    let site = Site::new();
    let [by_digest, by_serial, innocent] =
        ["plant-1", "plant-2", "plant-3"].map(|uid| site.ca.client(uid));
    let list = format!(
        "# stolen\nlab-*\nsha256:{}\nserial:{} # since May\n",
        by_digest.fingerprint(),
        hex(&by_serial.serial())
    );
    site.write("deny", &list);
    let named = [site.ca.client("lab-7"), site.ca.client("plant-9")];
    let settings = [
        ("SWL_DENY", "plant-9,office-?"),
        ("SWL_DENY_LIST_PATH", "deny"),
    ];
    let door = Door::new(site, &settings);
    for issued in [&by_digest, &by_serial, &named[0], &named[1]] {
        let told = door.refuses(issued, DENIED, "denied_by_list");
        assert_eq!(told, DENIED_WORDS);
    }
    let lines = door.listener.log().find(&["session refused"]);
    for (line, place) in lines.iter().zip([
        "deny, line 3",
        "deny, line 4",
        "deny, line 2",
        "setting deny",
    ]) {
        assert!(line.has(&[place]), "{place} in {line}");
    }
    door.admits("plant-3", &innocent);
    // Another certificate of the same name is another certificate.
    let again = door.site.ca.client("plant-1");
    door.admits("plant-1", &again);
}

#[test]
fn an_allow_list_lets_only_those_in_who_are_on_it() {
    let site = Site::new();
    let [mine, other, denied] = ["plant-1", "lab-1", "plant-2"].map(|uid| site.ca.client(uid));
    site.write("allow", "plant-*\n");
    let settings = [("SWL_ALLOW_LIST_PATH", "allow"), ("SWL_DENY", "plant-2")];
    let door = Door::new(site, &settings);
    door.admits("plant-1", &mine);
    let told = door.refuses(&other, DENIED, "not_on_allow_list");
    assert!(told.contains("operator must add its UID"), "{told}");
    // Deny wins.
    door.refuses(&denied, DENIED, "denied_by_list");
}

#[test]
fn an_empty_allow_list_lets_nobody_in_and_says_so() {
    let site = Site::new();
    let mine = site.ca.client(UID);
    site.write("allow", "# nobody yet\n");
    let door = Door::new(site, &[("SWL_ALLOW_LIST_PATH", "allow")]);
    door.listener.wait_log(&["WARN", "allow list is empty"]);
    door.refuses(&mine, DENIED, "not_on_allow_list");
}

#[test]
fn who_is_denied_loses_the_session_and_may_come_back_when_unlisted() {
    let site = Site::new();
    site.write("deny", "");
    let live = Live::start(site, &[("SWL_DENY_LIST_PATH", "deny")]);
    let entry = format!("sha256:{}\n", live.issued.fingerprint());
    let since = Instant::now();
    live.site.write("deny", &entry);
    let ended = live.is_cut(since, PROMISED, "denied_by_list");
    let ended = ended.says(DENIED_WORDS);
    let mark = ended.listener.log().mark();
    // An empty file might be one that is being written.
    ended.site.write("deny", "# nobody\n");
    ended
        .listener
        .wait_log_after(mark, &["lists read again", "\"changed\":true"]);
    ended.comes_back();
}

#[test]
fn who_is_taken_off_the_allow_list_loses_the_session() {
    let site = Site::new();
    site.write("allow", "device*\n");
    let live = Live::start(site, &[("SWL_ALLOW_LIST_PATH", "allow")]);
    let since = Instant::now();
    live.site.write("allow", "device2\n");
    let ended = live.is_cut(since, PROMISED, "not_on_allow_list");
    ended.says("not on the allow list");
}

/// A session that has handed over carries old streams under its old certificate, which counts for it until its end.
#[test]
fn a_session_that_has_handed_over_is_still_judged_by_its_own_certificate() {
    let site = Site::new();
    site.write("deny", "");
    let mut world = World::of(site, &[("SWL_DENY_LIST_PATH", "deny")], &json!({}));
    let old = world.listener.api.connector(UID).unwrap();
    let download = Download::start(&world.listener, UID);
    world.site.issue(UID, &world.site.ca.client(UID));
    world.connector.signal(Signal::HUP);
    let new = until("the hand-over", || {
        let session = world.listener.api.connector(UID)?;
        (session["session"] != old["session"]).then_some(session)
    });
    assert!(download.runs());
    let fingerprint = old["certificate_sha256"].as_str().unwrap();
    let since = Instant::now();
    world.site.write("deny", &format!("sha256:{fingerprint}\n"));
    download.is_reset(since, PROMISED);
    world
        .listener
        .wait_log(&["the session is closed", "denied_by_list"]);
    let stays = world.listener.api.connector(UID).unwrap();
    assert_eq!(stays["session"], new["session"]);
}

/// Connectors of 1.x have no control stream, and are judged like all others.
#[test]
fn a_session_of_protocol_1_is_closed_too() {
    let site = Site::new();
    site.write("deny", "");
    let door = Door::new(site, &[("SWL_DENY_LIST_PATH", "deny")]);
    let issued = door.site.ca.client(UID);
    let peer = Peer::speaking(ALPN_V1, &door.site, Some(issued), door.listener.quic).unwrap();
    door.listener.api.wait_connected(UID);
    let since = Instant::now();
    door.site.write("deny", UID);
    assert_eq!(peer.close_code(), DENIED);
    assert!(since.elapsed() <= PROMISED);
}

#[test]
fn a_bad_list_is_reported_with_its_line_and_changes_nothing() {
    let site = Site::new();
    let [denied, other] = ["plant-1", "plant-2"].map(|uid| site.ca.client(uid));
    site.write("deny", "plant-1\n");
    let mut door = Door::new(site, &[("SWL_DENY_LIST_PATH", "deny")]);
    door.listener.allow("a file was not read again");
    door.site.write("deny", "plant-2\nmd5:0011\n");
    door.listener.signal(Signal::HUP);
    let line = door.listener.wait_log(&["a file was not read again"]);
    assert_eq!(line.level(), Some("ERROR"), "{line}");
    let error = line.field("error").unwrap();
    assert!(error.contains("deny, line 2: "), "{error}");
    door.refuses(&denied, DENIED, "denied_by_list");
    door.admits("plant-2", &other);
    // SIGHUP asks for an answer at once; the watch would take as long as a change takes to settle.
    door.site.write("deny", "plant-2\n");
    door.listener.signal(Signal::HUP);
    door.listener.wait_log(&["lists read again"]);
    door.refuses(&other, DENIED, "denied_by_list");
    door.admits("plant-1", &denied);
}

/// The checks of live sessions once waited for each other and for servers, so that with a hanging one a list was late.
#[test]
fn a_server_that_hangs_does_not_hold_up_a_list() {
    const SESSIONS: usize = 70;
    let site = Site::new();
    site.write("deny", "");
    let scep = Scep::new(Scep::vouches(UID));
    let url = scep.url();
    let settings = [
        ("SWL_DENY_LIST_PATH", "deny"),
        ("SWL_SCEP_URL", url.as_str()),
        ("SWL_RECHECK_SECONDS", "5"),
    ];
    let door = Door::new(site, &settings);
    let peers: Vec<_> = (0..SESSIONS)
        .map(|number| {
            let uid = format!("device{number}");
            scep.behave(Scep::vouches(&uid));
            door.knock(&door.site.ca.client(&uid)).expect("a session")
        })
        .collect();
    scep.behave(Behaviour::Hang);
    let before = scep.questions().len();
    // More than may be asked at the same time, and none has had an answer.
    until("every turn is taken", || {
        (scep.questions().len() >= before + 32).then_some(())
    });
    let since = Instant::now();
    door.site.write("deny", "device*\n");
    let codes = peers.iter().map(Peer::close_code);
    assert!(codes.into_iter().all(|code| code == DENIED));
    let took = since.elapsed();
    assert!(took <= PROMISED, "the last one after {took:?}");
}

/// A list that is read in the middle of handshakes is either the old one or the new one for each of them.
#[test]
fn sessions_that_begin_while_a_list_changes_do_not_slip_through() {
    let site = Site::new();
    site.write("deny", "");
    let door = Door::new(site, &[("SWL_DENY_LIST_PATH", "deny")]);
    let written = AtomicBool::new(false);
    let issued: Vec<_> = (0..24)
        .map(|number| door.site.ca.client(&format!("device{number}")))
        .collect();
    at_once(issued.iter().enumerate().map(|(number, issued)| {
        let (door, written) = (&door, &written);
        move || {
            if number == 12 {
                door.site.write("deny", "device*\n");
                written.store(true, Relaxed);
            }
            if let Ok(peer) = door.knock(issued) {
                assert_eq!(peer.close_code(), DENIED);
            }
        }
    }));
    assert!(written.load(Relaxed));
    assert!(door.listener.api.connectors().is_empty());
}
