//! The network fails, and the connector comes back: fault 8 (1.x never reconnected).

use std::time::{Duration, Instant};

use serde_json::json;
use system_tests::{
    client::{self, End},
    connector::Connector,
    listener::Listener,
    noise::digest_of,
    ports,
    relay::Relay,
    site::Site,
    target::Target,
    until, until_within,
    world::UID,
};

/// Short times, so that a cut is noticed within 5 s.
const QUICK: [(&str, &str); 2] = [
    ("SWL_KEEP_ALIVE_SECONDS", "1"),
    ("SWL_IDLE_TIMEOUT_SECONDS", "4"),
];

#[test]
fn the_connector_comes_back_to_a_listener_that_was_killed() {
    let site = Site::new();
    let (port, opened) = (ports::free().to_string(), ports::free());
    std::fs::create_dir(site.path("state")).unwrap();
    let state = site.text("state");
    let settings = [("SWL_PORT", port.as_str()), ("SWL_STATE_DIR", &state)];
    let mut listener = Listener::with(&site, &settings);
    let connector = Connector::with(&site, UID, listener.quic, &json!({"keep_alive_seconds": 1}));
    listener.api.wait_connected(UID);
    let target = Target::echo();
    listener.api.open(UID, opened, target.address).ok();
    for _ in 0..2 {
        let mark = connector.log().mark();
        listener.kill();
        listener = Listener::with(&site, &settings);
        connector.wait_log_after(mark, &["no session"]);
        connector.wait_log_after(mark, &["session established"]);
        listener.api.wait_state(opened, "listening");
        let mut tcp = client::connect(([127, 0, 0, 1], opened).into());
        client::echo(&mut tcp, b"back");
    }
}

#[test]
fn the_connector_comes_back_after_every_cut() {
    let site = Site::new();
    let listener = Listener::with(&site, &QUICK);
    let relay = Relay::new(listener.quic);
    let quick = json!({"keep_alive_seconds": 1, "idle_timeout_seconds": 4});
    let connector = Connector::with(&site, UID, relay.address, &quick);
    listener.api.wait_connected(UID);
    let (target, opened) = (Target::echo(), ports::free());
    let opening = ([127, 0, 0, 1], opened).into();
    listener.api.open(UID, opened, target.address).ok();
    for _ in 0..2 {
        let mut tcp = client::connect(opening);
        client::echo(&mut tcp, b"before the cut");
        let mark = connector.log().mark();
        relay.cut();
        assert_eq!(client::read_all(&tcp).end, client::RESET);
        listener.api.wait_state(opened, "waiting");
        client::wait_refused(opening);
        connector.wait_log_after(mark, &["session lost", "no answer"]);
        relay.mend();
        listener.api.wait_state(opened, "listening");
        client::echo(&mut client::connect(opening), b"after the cut");
    }
}

#[test]
fn a_short_cut_is_survived_without_loss() {
    const SIZE: u64 = 8 * 1024 * 1024;
    let site = Site::new();
    let listener = Listener::start(&site);
    let relay = Relay::new(listener.quic);
    let _connector = Connector::start(&site, UID, relay.address);
    let session = listener.api.wait_connected(UID);
    let (target, opened) = (Target::sink(), ports::free());
    listener.api.open(UID, opened, target.address).ok();
    let tcp = client::connect(([127, 0, 0, 1], opened).into());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            client::send_noise(&tcp, 5, SIZE).unwrap();
            client::finish(&tcp);
        });
        relay.cut();
        // The cut itself is the event under test, and lasts for a while.
        std::thread::sleep(Duration::from_secs(1));
        relay.mend();
        let mut answer = String::new();
        std::io::Read::read_to_string(&mut &tcp, &mut answer).unwrap();
        assert_eq!(answer, digest_of(5, SIZE));
    });
    let after = listener.api.connector(UID).unwrap();
    assert_eq!(session["session"], after["session"]);
}

#[test]
fn a_session_and_its_transfers_survive_a_new_nat_mapping() {
    const SIZE: u64 = 16 * 1024 * 1024;
    let site = Site::new();
    let listener = Listener::start(&site);
    let relay = Relay::new(listener.quic);
    let _connector = Connector::start(&site, UID, relay.address);
    let before = listener.api.wait_connected(UID);
    let (target, opened) = (Target::sender(6, SIZE), ports::free());
    listener.api.open(UID, opened, target.address).ok();
    let mut tcp = client::connect(([127, 0, 0, 1], opened).into());
    // In the middle of the download:
    std::io::Read::read_exact(&mut tcp, &mut [0; 1]).unwrap();
    relay.rebind();
    let received = client::read_all(&tcp);
    assert_eq!((received.bytes, received.end), (SIZE - 1, End::Eof));
    let after = until("the new mapping shows", || {
        let now = listener.api.connector(UID)?;
        (now["address"] != before["address"]).then_some(now)
    });
    assert_eq!(before["session"], after["session"]);
}

/// Idle UDP mappings are forgotten after 30 s by most NATs (fault 11), and so long a dead connector may look alive. With
/// the built-in times.
#[test]
fn a_dead_connector_is_noticed_within_thirty_seconds() {
    let site = Site::new();
    let listener = Listener::start(&site);
    let mut connector = Connector::start(&site, UID, listener.quic);
    listener.api.wait_connected(UID);
    let (target, opened) = (Target::echo(), ports::free());
    listener.api.open(UID, opened, target.address).ok();
    connector.kill();
    let killed = Instant::now();
    until_within(Duration::from_secs(32), "the opening waits", || {
        let view = listener.api.opening(opened)?;
        (view["state"] == "waiting").then_some(())
    });
    assert!(listener.api.connector(UID).is_none());
    let line = listener.wait_log(&["session ended", "no answer"]);
    assert_eq!(line.level(), Some("INFO"), "{line}");
    assert!(killed.elapsed() < Duration::from_secs(32));
}

#[test]
fn a_listener_that_is_not_there_is_named_in_the_log() {
    let site = Site::new();
    let nobody = ([127, 0, 0, 1], ports::free()).into();
    let mut connector = Connector::start(&site, UID, nobody);
    let line = connector.wait_log(&["no session", "is the listener running"]);
    assert_eq!(line.level(), Some("WARN"), "{line}");
    assert!(line.has(&[&nobody.to_string()]), "{line}");
    assert!(connector.is_running());
}
