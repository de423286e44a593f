//! A connector with a valid certificate and bad manners: its session is closed, and nothing leaks.

use serde_json::json;
use system_tests::{
    client,
    listener::Listener,
    peer::{Peer, frame},
    site::Site,
    target::Target,
    until,
    world::{UID, World},
};

/// The number of the close code "protocol error".
const PROTOCOL_ERROR: u64 = 0x5701;
/// Close code: the listener is at a limit; dial again with the usual backoff.
const LIMIT: u64 = 0x5709;

fn peer(site: &Site, listener: &Listener) -> Peer {
    Peer::connect(site, Some(site.ca.client("rude")), listener.quic)
}

#[test]
fn what_is_not_hello_closes_the_session() {
    let site = Site::new();
    let listener = Listener::start(&site);
    let huge = [&[0xff, 0xff][..], &[b'x'; 65_535]].concat();
    for bytes in [
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        vec![0, 0],
        b"\0\x04null".to_vec(),
        b"\0\x02{}".to_vec(),
        b"\0\x05{\xff\xfe\xfd}".to_vec(),
        huge,
        frame(&json!({"type": "ping", "nonce": 1})),
        frame(&json!({"type": "hello", "version": 3})),
        frame(&json!({"type": "hello", "version": "two"})),
        frame(&json!({"type": "dance"})),
    ] {
        let mut peer = peer(&site, &listener);
        peer.say(&bytes);
        assert_eq!(
            peer.close_code(),
            PROTOCOL_ERROR,
            "{:?}",
            &bytes[..bytes.len().min(40)]
        );
    }
    assert!(listener.api.connectors().is_empty());
}

#[test]
fn silence_closes_the_session_at_the_handshake_deadline() {
    let site = Site::new();
    let listener = Listener::with(&site, &[("SWL_HANDSHAKE_DEADLINE_SECONDS", "1")]);
    let silent = peer(&site, &listener);
    let mut half = peer(&site, &listener);
    half.say(&[0, 50, b'{']);
    assert_eq!(silent.close_code(), LIMIT);
    assert_eq!(half.close_code(), LIMIT);
    listener.wait_log(&["session refused", "too long"]);
}

#[test]
fn nonsense_after_the_welcome_closes_the_session() {
    let site = Site::new();
    let listener = Listener::start(&site);
    for bytes in [
        frame(&json!({"type": "hello", "version": 2})),
        frame(&json!({"type": "dance"})),
        b"\0\x01x".to_vec(),
        vec![0xff, 0xff, b'x'],
    ] {
        let mut peer = peer(&site, &listener);
        peer.hello().expect("a welcome");
        listener.api.wait_connected("rude");
        peer.say_more(&bytes);
        assert_eq!(peer.close_code(), PROTOCOL_ERROR, "{bytes:?}");
        listener.api.wait_gone("rude");
    }
}

#[test]
fn a_control_stream_that_ends_is_the_end_of_the_session() {
    let site = Site::new();
    let listener = Listener::start(&site);
    let mut peer = peer(&site, &listener);
    peer.hello().expect("a welcome");
    listener.api.wait_connected("rude");
    peer.connection.close(7u8.into(), b"bye");
    listener.api.wait_gone("rude");
    let line = listener.wait_log(&["session ended", "rude"]);
    assert_eq!(line.level(), Some("INFO"), "{line}");
}

#[test]
fn unknown_fields_of_later_versions_pass() {
    let site = Site::new();
    let listener = Listener::start(&site);
    let mut peer = peer(&site, &listener);
    let hello = json!({
        "type": "hello", "version": 2, "software": "9.9", "hostname": "h", "capabilities": ["x"], "colour": "red",
    });
    peer.say(&frame(&hello));
    assert_eq!(peer.hear().expect("a welcome")["type"], "welcome");
}

/// A connector opens no streams of its own but the control stream.
#[test]
fn a_second_stream_of_the_connector_is_not_taken() {
    let site = Site::new();
    let listener = Listener::start(&site);
    let mut peer = peer(&site, &listener);
    peer.hello().expect("a welcome");
    let limit = std::time::Duration::from_secs(1);
    let second = system_tests::peer::wait(async {
        tokio::time::timeout(limit, peer.connection.open_bi()).await
    });
    assert!(second.is_err(), "a second stream was allowed");
    let one_way = system_tests::peer::wait(async {
        tokio::time::timeout(limit, peer.connection.open_uni()).await
    });
    assert!(one_way.is_err(), "a one-way stream was allowed");
}

/// Strings from peers cannot forge lines or colours in a log.
#[test]
fn a_hostile_host_name_stays_on_its_line() {
    let site = Site::new();
    let listener = Listener::start(&site);
    let mut peer = peer(&site, &listener);
    let hostname = "h\nERROR forged\u{1b}[31m\u{202e}";
    let hello = json!({"type": "hello", "version": 2, "hostname": hostname});
    peer.say(&frame(&hello));
    peer.hear().expect("a welcome");
    let line = listener.wait_log(&["session registered"]).to_string();
    assert!(line.contains("forged"), "{line}");
    assert!(
        !line.contains('\u{1b}') && !line.contains('\u{202e}'),
        "{line}"
    );
}

/// Many sessions that break the protocol leave the good one alone, and nothing behind.
#[test]
fn bad_sessions_leave_nothing_behind() {
    let world = World::new();
    let target = Target::echo();
    let mut tcp = client::connect(world.open(target.address));
    let bad = || {
        let mut peer = peer(&world.site, &world.listener);
        peer.say(b"\0\x01x");
        assert_eq!(peer.close_code(), PROTOCOL_ERROR);
    };
    bad();
    let before = world.listener.descriptors();
    (0..20).for_each(|_| bad());
    client::echo(&mut tcp, b"not disturbed");
    assert_eq!(world.listener.api.connectors().len(), 1);
    assert_eq!(world.listener.api.connectors()[0]["uid"], UID);
    until("descriptors are freed", || {
        (world.listener.descriptors() <= before).then_some(())
    });
}
