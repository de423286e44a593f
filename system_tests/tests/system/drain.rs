//! Stopping: what runs may finish, nothing new begins, and a second signal ends it at once. Fault 8: SIGTERM was not
//! handled.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::json;
use system_tests::{
    PATIENCE,
    client::{self, End, RESET},
    listener::Listener,
    noise::digest_of,
    target::Target,
    until,
    world::{UID, World},
};

const SIZE: u64 = 8 * 1024 * 1024;

/// A download that has begun and waits for its reader.
fn begun(opening: SocketAddr) -> TcpStream {
    let mut tcp = client::connect(opening);
    tcp.read_exact(&mut [0; 8]).unwrap();
    tcp
}

fn expect_rest(tcp: &TcpStream) {
    let received = client::read_all(tcp);
    assert_eq!((received.bytes, received.end), (SIZE - 8, End::Eof));
    client::finish(tcp);
}

#[test]
fn a_draining_listener_lets_transfers_finish_and_takes_no_more() {
    let mut world = World::new();
    let target = Target::sender(1, SIZE);
    let opening = world.open(target.address);
    let tcp = begun(opening);
    world.listener.signal(Signal::TERM);
    world.listener.wait_log(&["draining"]);
    client::wait_refused(opening);
    let ready = world.listener.api.call("GET", "/readyz");
    assert_eq!(ready.status, 503, "{}", ready.body);
    world.listener.api.call("GET", "/healthz").ok();
    let refused = world.listener.api.open(UID, 0, target.address);
    assert_eq!(refused.status, 503, "{}", refused.body);
    world.connector.wait_log(&["the listener drains"]);
    expect_rest(&tcp);
    let status = world.listener.wait_exit(PATIENCE);
    assert!(status.success(), "{status}");
}

#[test]
fn a_draining_connector_lets_transfers_finish_and_takes_no_more() {
    let mut world = World::new();
    let target = Target::sender(1, SIZE);
    let opening = world.open(target.address);
    let tcp = begun(opening);
    world.connector.signal(Signal::TERM);
    world.listener.api.wait_state(opening.port(), "waiting");
    client::wait_refused(opening);
    assert!(world.connector.is_running());
    expect_rest(&tcp);
    let status = world.connector.wait_exit(PATIENCE);
    assert!(status.success(), "{status}");
}

/// What a session has delivered outlives it: a reader that is slow gets the rest although both connector and target have
/// gone.
#[test]
fn slow_readers_get_what_was_delivered_before_the_connector_left() {
    /// What fits into the window of a stream that starts.
    const DELIVERED: u64 = 250 * 1024;
    const LOOKS: Duration = Duration::from_millis(2500);
    let mut world = World::new();
    let target = Target::sender(3, DELIVERED);
    let slow = client::connect_small(world.open(target.address));
    client::finish(&slow);
    (&slow).read_exact(&mut [0; 8]).unwrap();
    world.connector.signal(Signal::TERM);
    let status = world.connector.wait_exit(PATIENCE);
    assert!(status.success(), "{status}");
    world.listener.wait_log(&["session ended"]);
    // Slower than the listener's looks for a broken stream, which come once a second.
    let ended = Instant::now();
    until("the reader goes on", || {
        (ended.elapsed() > LOOKS).then_some(())
    });
    let received = client::read_all(&slow);
    assert_eq!((received.bytes, received.end), (DELIVERED - 8, End::Eof));
}

#[test]
fn a_reload_while_draining_is_ignored() {
    let mut world = World::new();
    let target = Target::sender(1, SIZE);
    let tcp = begun(world.open(target.address));
    world.listener.signal(Signal::TERM);
    world.connector.wait_log(&["the listener drains"]);
    world.listener.signal(Signal::HUP);
    expect_rest(&tcp);
    let status = world.listener.wait_exit(PATIENCE);
    assert!(status.success(), "{status}");
    assert!(
        world
            .listener
            .log()
            .find(&["certificates reloaded"])
            .is_empty()
    );
}

#[test]
fn an_upload_survives_the_drain_of_both() {
    let mut world = World::new();
    let target = Target::sink();
    let tcp = client::connect(world.open(target.address));
    client::send_noise(&tcp, 2, SIZE / 2).unwrap();
    world.listener.api.wait_streams(UID, 1);
    world.listener.signal(Signal::TERM);
    world.connector.signal(Signal::TERM);
    world.connector.wait_log(&["draining"]);
    let mut all = vec![0; usize::try_from(SIZE).unwrap()];
    system_tests::noise::Noise::new(2, SIZE)
        .read_exact(&mut all)
        .unwrap();
    std::io::Write::write_all(&mut &tcp, &all[all.len() / 2..]).unwrap();
    client::finish(&tcp);
    let mut answer = String::new();
    (&tcp).read_to_string(&mut answer).unwrap();
    assert_eq!(answer, digest_of(2, SIZE));
    assert!(world.listener.wait_exit(PATIENCE).success());
    assert!(world.connector.wait_exit(PATIENCE).success());
}

#[test]
fn the_drain_timeout_cuts_what_is_left() {
    let quick = ("SWL_DRAIN_TIMEOUT_SECONDS", "1");
    let mut world = World::with(&[quick], &json!({}));
    let target = Target::flood();
    let tcp = begun(world.open(target.address));
    world.listener.signal(Signal::TERM);
    let status = world.listener.wait_exit(PATIENCE);
    assert!(status.success(), "{status}");
    assert_eq!(client::read_all(&tcp).end, RESET);
    world.listener.wait_log(&["drain timeout"]);

    let mut world = World::with(&[], &json!({"drain_timeout_seconds": 1}));
    let tcp = begun(world.open(target.address));
    world.connector.signal(Signal::TERM);
    let status = world.connector.wait_exit(PATIENCE);
    assert!(status.success(), "{status}");
    assert_eq!(client::read_all(&tcp).end, RESET);
    world.connector.wait_log(&["drain timeout"]);
}

#[test]
fn a_second_signal_ends_at_once() {
    let mut world = World::new();
    let target = Target::echo();
    let opening = world.open(target.address);
    let mut tcp = client::connect(opening);
    client::echo(&mut tcp, b"hello");
    world.connector.signal(Signal::TERM);
    world.connector.wait_log(&["a second one ends at once"]);
    let second = Instant::now();
    world.connector.signal(Signal::TERM);
    world.connector.wait_exit(Duration::from_secs(15));
    assert!(second.elapsed() < Duration::from_secs(15));
    assert_eq!(client::read_all(&tcp).end, RESET);

    let mut world = World::new();
    let mut tcp = client::connect(world.open(target.address));
    client::echo(&mut tcp, b"hello");
    world.listener.signal(Signal::INT);
    world.listener.wait_log(&["a second one ends at once"]);
    world.listener.signal(Signal::TERM);
    world.listener.wait_exit(Duration::from_secs(15));
    assert_eq!(client::read_all(&tcp).end, RESET);
}

#[test]
fn idle_daemons_stop_promptly() {
    let mut world = World::new();
    world.listener.signal(Signal::TERM);
    assert!(world.listener.wait_exit(Duration::from_secs(15)).success());
    // It has no session any more, and is dialling again.
    world.connector.wait_log(&["no session"]);
    world.connector.signal(Signal::TERM);
    assert!(world.connector.wait_exit(Duration::from_secs(15)).success());
}

/// The goodbye of a listener that restarts brings the connector back in a moment, not after a timeout.
#[test]
fn a_connector_returns_soon_after_a_drain() {
    let site = system_tests::site::Site::new();
    let port = system_tests::ports::free().to_string();
    let settings = [("SWL_PORT", port.as_str())];
    let mut listener = Listener::with(&site, &settings);
    let connector = system_tests::connector::Connector::start(&site, UID, listener.quic);
    listener.api.wait_connected(UID);
    listener.signal(Signal::TERM);
    listener.wait_exit(PATIENCE);
    let mark = connector.log().mark();
    let listener = Listener::with(&site, &settings);
    let back = Instant::now();
    connector.wait_log_after(mark, &["session established"]);
    assert!(back.elapsed() < Duration::from_secs(15));
    until("the session shows", || listener.api.connector(UID));
}

/// A goodbye is no refusal: however often a listener restarts, and however young its sessions are, the connector comes back
/// when it was asked to.
#[test]
fn restarts_in_a_row_are_not_held_against_the_listener() {
    /// What a draining listener asks for is half a second, half of it more or less.
    const ASKED: f64 = 0.8;
    let port = system_tests::ports::free().to_string();
    let settings = [("SWL_PORT", port.as_str())];
    let target = Target::echo();
    let mut world = World::with(&settings, &json!({}));
    for _ in 0..6 {
        world.listener.api.wait_connected(UID);
        // A stream keeps the session for the goodbye.
        let mut tcp = client::connect(world.open(target.address));
        tcp.write_all(b"x").unwrap();
        client::expect(&mut tcp, b"x");
        let mark = world.connector.log().mark();
        world.listener.signal(Signal::TERM);
        let said = ["the listener drains", "retry_in"];
        let line = world.connector.wait_log_after(mark, &said);
        assert!(seconds(line.field("retry_in").unwrap()) < ASKED, "{line}");
        drop(tcp);
        world.listener.wait_exit(PATIENCE);
        world.listener = Listener::with(&world.site, &settings);
    }
}

/// A duration as Rust prints it.
fn seconds(duration: &str) -> f64 {
    let units = [("ms", 1e-3), ("µs", 1e-6), ("ns", 1e-9), ("s", 1.0)];
    let parsed = units.iter().find_map(|(unit, length)| {
        let number: f64 = duration.strip_suffix(unit)?.parse().ok()?;
        Some(number * length)
    });
    parsed.expect("a duration")
}
