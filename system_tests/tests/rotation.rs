//! New certificates without downtime: files that change under running daemons, and sessions that are handed over.

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    os::unix::fs::symlink,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::{Value, json};
use system_tests::{
    PATIENCE,
    client::{self, End, RESET},
    connector::Connector,
    daemon::Daemon,
    legacy::LegacyListener,
    listener::{Listener, command},
    noise::{Digest, Noise, digest_of},
    peer::{Peer, frame},
    pki::{Ca, Issued},
    ports,
    site::Site,
    target::Target,
    until, until_within,
    world::{UID, World},
};

/// Close codes.
const DUPLICATE_UID: u64 = 0x5702;
const LIMIT: u64 = 0x5709;

const ROTATIONS: usize = 100;
/// What the long streams carry in each rotation, bytes.
const STEP: usize = 64 * 1024;

/// Short requests without end, from a few clients; every failure ends the test.
fn load(opening: SocketAddr, stop: &AtomicBool, done: &AtomicUsize) {
    while !stop.load(Relaxed) {
        let mut tcp = client::connect(opening);
        client::echo(&mut tcp, &[7; 1024]);
        client::finish(&tcp);
        let rest = client::read_all(&tcp);
        assert_eq!((rest.bytes, rest.end), (0, End::Eof));
        done.fetch_add(1, Relaxed);
    }
}

/// Runs `body` beside the load, and says how many requests there were.
fn under_load(opening: SocketAddr, body: impl FnOnce()) -> usize {
    struct Stop<'a>(&'a AtomicBool);
    impl Drop for Stop<'_> {
        fn drop(&mut self) {
            self.0.store(true, Relaxed);
        }
    }
    let (stop, done) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| load(opening, &stop, &done));
        }
        let _stop = Stop(&stop);
        until("the load runs", || (done.load(Relaxed) > 8).then_some(()));
        body();
    });
    done.load(Relaxed)
}

fn session(listener: &Listener) -> Value {
    listener.api.connector(UID).expect("a session")
}

/// Waits until the session of the UID shows this certificate.
fn wait_shown(listener: &Listener, issued: &Issued) -> Value {
    let fingerprint = issued.fingerprint();
    until("the session with the new certificate", || {
        let session = listener.api.connector(UID)?;
        (session["certificate_sha256"] == fingerprint).then_some(session)
    })
}

fn wait_retired(listener: &Listener, count: usize) {
    until(&format!("{count} retired sessions"), || {
        (session(listener)["retired"] == count).then_some(())
    });
}

fn errors(daemon: &Daemon) -> usize {
    let lines = daemon.log().lines();
    lines.iter().filter(|line| line.is_error()).count()
}

/// Gives the connector a certificate, by its files.
fn renew(world: &World) -> Issued {
    let issued = world.site.ca.client(UID);
    world.site.issue(UID, &issued);
    issued
}

/// Makes the connector move, and waits for it.
fn rotate(world: &mut World, at_once: bool) {
    let issued = renew(world);
    if at_once {
        world.connector.signal(Signal::HUP);
    }
    wait_shown(&world.listener, &issued);
}

#[test]
fn a_hundred_rotations_break_no_stream() {
    let mut world = World::new();
    let echo = Target::echo();
    let total = (ROTATIONS * STEP) as u64;
    let (sender, sink) = (Target::sender(5, 2 * total), Target::sink());
    let opening = world.open(echo.address);
    let mut down = client::connect(world.open(sender.address));
    let mut up = client::connect(world.open(sink.address));
    let mut idle = client::connect(opening);
    client::echo(&mut idle, b"at the beginning");
    let (mut noise, mut digest) = (Noise::new(6, total), Digest::default());
    let mut step = vec![0; STEP];
    let began = Instant::now();
    let requests = under_load(opening, || {
        for number in 0..ROTATIONS {
            // Now and then only the files say so.
            rotate(&mut world, number % 5 != 0);
            down.read_exact(&mut step).unwrap();
            digest.update(&step);
            noise.read_exact(&mut step).unwrap();
            up.write_all(&step).unwrap();
            if number % 33 == 0 {
                client::echo(&mut idle, b"now and then");
            }
        }
    });
    println!("{requests} requests in {:?}", began.elapsed());
    // The three long ones have been on the first session all the time.
    wait_retired(&world.listener, 1);
    client::echo(&mut idle, b"at the end");
    client::finish(&idle);
    assert_eq!(client::read_all(&idle).end, End::Eof);
    client::finish(&up);
    let mut answer = String::new();
    up.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, digest_of(6, total));
    loop {
        match down.read(&mut step).unwrap() {
            0 => break,
            count => digest.update(&step[..count]),
        }
    }
    assert_eq!(digest.finish(), digest_of(5, 2 * total));
    client::finish(&down);
    wait_retired(&world.listener, 0);
    let log = world.listener.log();
    assert!(log.find(&["target not reached"]).is_empty());
    assert!(log.find(&["opening waits"]).is_empty());
    assert_eq!(log.find(&["hands over"]).len(), ROTATIONS);
    assert!(
        world
            .connector
            .log()
            .find(&["\"WARN\"", "session"])
            .is_empty()
    );
}

/// The leaf that the listener shows.
fn shown_by(site: &Site, listener: &Listener) -> Vec<u8> {
    let peer = Peer::connect(site, Some(site.ca.client("somebody")), listener.quic);
    peer.listener_leaf()
}

fn wait_listener_shows(site: &Site, listener: &Listener, issued: &Issued) {
    until("the listener shows its new certificate", || {
        (shown_by(site, listener) == issued.chain[0].to_vec()).then_some(())
    });
}

#[test]
fn the_listeners_certificate_is_replaced_in_every_way() {
    let site = Site::new();
    // As Kubernetes lays out a secret.
    let secret = |version: &str, issued: &Issued| {
        std::fs::create_dir(site.path(version)).unwrap();
        site.write(&format!("{version}/tls.crt"), &issued.chain_pem());
        site.write(&format!("{version}/tls.key"), &issued.key_pem());
    };
    secret("..v1", &site.ca.server());
    symlink("..v1", site.path("..data")).unwrap();
    let (certificate, key) = (site.text("tls.crt"), site.text("tls.key"));
    symlink("..data/tls.crt", &certificate).unwrap();
    symlink("..data/tls.key", &key).unwrap();
    let settings = [
        ("SWL_CERT_PATH", certificate.as_str()),
        ("SWL_KEY_PATH", key.as_str()),
    ];
    let listener = Listener::with(&site, &settings);
    let connector = Connector::start(&site, UID, listener.quic);
    listener.api.wait_connected(UID);
    let world = World {
        connector,
        listener,
        site,
    };
    let (site, listener) = (&world.site, &world.listener);
    let echo = Target::echo();
    let before = session(listener);
    under_load(world.open(echo.address), || {
        let issued = site.ca.server();
        secret_v2(site, &issued);
        symlink("..v2", site.path("..next")).unwrap();
        std::fs::rename(site.path("..next"), site.path("..data")).unwrap();
        wait_listener_shows(site, listener, &issued);

        // In place, one file after the other.
        let issued = site.ca.server();
        site.issue("..v2/tls", &issued);
        wait_listener_shows(site, listener, &issued);

        // By renames over the links.
        let issued = site.ca.server();
        site.issue("new", &issued);
        std::fs::rename(site.path("new.crt"), site.path("tls.crt")).unwrap();
        std::fs::rename(site.path("new.key"), site.path("tls.key")).unwrap();
        wait_listener_shows(site, listener, &issued);
    });
    assert_eq!(before["session"], session(listener)["session"]);
}

fn secret_v2(site: &Site, issued: &Issued) {
    std::fs::create_dir(site.path("..v2")).unwrap();
    site.issue("..v2/tls", issued);
}

#[test]
fn a_pair_that_is_written_slowly_alarms_nobody() {
    let world = World::new();
    let (site, listener) = (&world.site, &world.listener);
    let issued = site.ca.server();
    site.write("server.crt", &issued.chain_pem());
    // Long enough for the listener to have tried the half of it.
    let began = Instant::now();
    until("time passes", || {
        shown_by(site, listener);
        (began.elapsed() > Duration::from_secs(2)).then_some(())
    });
    site.write("server.key", &issued.key_pem());
    wait_listener_shows(site, listener, &issued);
    listener.wait_log(&["certificates reloaded"]);
    assert_eq!(errors(listener), 0);
}

#[test]
fn bad_files_keep_the_old_in_force_and_are_named_once() {
    let mut world = World::new();
    world.listener.allow("certificates not reloaded");
    world.connector.allow("certificate files cannot be used");
    let before = session(&world.listener);
    world.site.write("server.crt", "nonsense");
    world.site.write(&format!("{UID}.crt"), "nonsense");
    let line = world.listener.wait_log(&["certificates not reloaded"]);
    assert!(
        line.is_error() && line.has(&["server.crt", "PEM"]),
        "{line}"
    );
    let line = world.connector.wait_log(&["cannot be used"]);
    assert!(
        line.is_error() && line.has(&["device1.crt", "PEM"]),
        "{line}"
    );
    // The old ones serve a new session.
    let site = &world.site;
    let mut peer = Peer::connect(site, Some(site.ca.client("device2")), world.listener.quic);
    assert_eq!(peer.hello().expect("a welcome")["uid"], "device2");
    let good = site.ca.server();
    site.issue("server", &good);
    wait_listener_shows(site, &world.listener, &good);
    let issued = renew(&world);
    let after = wait_shown(&world.listener, &issued);
    assert_ne!(before["session"], after["session"]);
    assert_eq!((errors(&world.listener), errors(&world.connector)), (1, 1));
}

#[test]
fn a_new_ca_alone_moves_no_session() {
    let mut world = World::new();
    let before = session(&world.listener);
    let both = format!("{}{}", world.site.ca.pem(), Ca::root("another CA").pem());
    world.site.write("ca.crt", &both);
    let line = world.connector.wait_log(&["CA bundle has changed"]);
    assert_eq!(line.level(), Some("INFO"), "{line}");
    let line = world.listener.wait_log(&["certificates reloaded"]);
    assert!(line.has(&["\"other_authorities\":true"]), "{line}");
    world.connector.signal(Signal::HUP);
    world.connector.wait_log(&["the same as before"]);
    assert_eq!(before["session"], session(&world.listener)["session"]);
    assert!(world.listener.log().find(&["hands over"]).is_empty());
}

fn asking(site: &Site, issued: Issued, listener: &Listener, replaces: Option<&Value>) -> Peer {
    let mut hello = json!({"type": "hello", "version": 2});
    if let Some(id) = replaces {
        hello["replaces"] = id.clone();
    }
    let mut peer = Peer::connect(site, Some(issued), listener.quic);
    peer.say(&frame(&hello));
    peer
}

/// Who has a certificate of the UID cannot push its session aside, unless it is that session's connector with a newer
/// one.
#[test]
fn nobody_else_takes_over() {
    for mode in ["refuse", "replace"] {
        let site = Site::new();
        let listener = Listener::with(&site, &[("SWL_DUPLICATE_UID", mode)]);
        let own = site.ca.client_since(UID, 600);
        let connector = Connector::certified(&site, UID, &own, listener.quic, &json!({}));
        let before = listener.api.wait_connected(UID);
        let id = &before["session"];
        let mut refused = vec![
            (site.ca.client_since(UID, 6000), Some(id), "older"),
            (own, Some(id), "the same"),
        ];
        let other = json!("0123456789abcdef");
        if mode == "refuse" {
            refused.push((site.ca.client_since(UID, 10), None, "live session"));
            refused.push((site.ca.client_since(UID, 10), Some(&other), "live session"));
        }
        for (issued, replaces, why) in refused {
            let mark = listener.log().mark();
            let mut peer = asking(&site, issued, &listener, replaces);
            assert_eq!(peer.hear(), None);
            assert_eq!(peer.close_code(), DUPLICATE_UID);
            listener.wait_log_after(mark, &["session refused", why]);
            assert_eq!(&session(&listener)["session"], id);
        }
        // Another UID's session is out of reach, too.
        let mut peer = asking(&site, site.ca.client("device2"), &listener, Some(id));
        assert_eq!(peer.hear().expect("a welcome")["uid"], "device2");
        assert_eq!(&session(&listener)["session"], id);
        // The control: this one may.
        let mut peer = asking(&site, site.ca.client_since(UID, 10), &listener, Some(id));
        assert_eq!(peer.hear().expect("a welcome")["uid"], UID);
        assert_ne!(&session(&listener)["session"], id);
        drop(connector);
    }
}

#[test]
fn retired_sessions_are_bounded_and_closed_with_the_uid() {
    let site = Site::new();
    let listener = Listener::start(&site);
    let mut peers: Vec<Peer> = Vec::new();
    let mut last = None;
    // They never say that they have their successor, so they stay.
    for age in (100..109).rev() {
        let mut peer = asking(
            &site,
            site.ca.client_since(UID, age),
            &listener,
            last.as_ref(),
        );
        last = Some(peer.hear().expect("a welcome")["session"].clone());
        peers.push(peer);
    }
    wait_retired(&listener, 8);
    let mut peer = asking(
        &site,
        site.ca.client_since(UID, 1),
        &listener,
        last.as_ref(),
    );
    assert_eq!(peer.hear(), None);
    assert_eq!(peer.close_code(), LIMIT);
    listener.api.call("DELETE", "/connectors/device1").ok();
    for peer in &peers {
        assert_eq!(peer.close_code(), 0x5708);
    }
    listener.api.wait_gone(UID);
}

/// The listener lets a session end when it has no streams, and not before: the connector would end it under them.
#[test]
fn the_old_session_is_let_go_after_its_last_stream() {
    let site = Site::new();
    let listener = Listener::start(&site);
    let mut old = asking(&site, site.ca.client_since(UID, 20), &listener, None);
    let id = old.hear().expect("a welcome")["session"].clone();
    let view = listener.api.open(UID, 0, ([127, 0, 0, 1], 1).into()).ok();
    let port = u16::try_from(view["port"].as_u64().unwrap()).unwrap();
    let tcp = client::connect(([127, 0, 0, 1], port).into());
    listener.api.wait_streams(UID, 1);
    let mut new = asking(&site, site.ca.client_since(UID, 10), &listener, Some(&id));
    new.hear().expect("a welcome");
    old.say_more(&frame(&json!({
        "type": "goaway", "reason": "handed over", "reconnect_after_ms": 0,
    })));
    listener.wait_log(&["the session finishes its streams"]);
    old.say_more(&frame(&json!({"type": "ping", "nonce": 1})));
    assert_eq!(old.hear().expect("an answer")["type"], "pong");
    wait_retired(&listener, 1);
    client::reset(tcp);
    assert_eq!(old.hear().expect("the end")["type"], "goaway");
    drop(old);
    wait_retired(&listener, 0);
}

/// A connector that never says goodbye does not keep its old session for ever.
#[test]
fn the_old_session_is_let_go_without_a_goodbye() {
    let site = Site::new();
    let listener = Listener::start(&site);
    let mut old = asking(&site, site.ca.client_since(UID, 20), &listener, None);
    let id = old.hear().expect("a welcome")["session"].clone();
    let mut new = asking(&site, site.ca.client_since(UID, 10), &listener, Some(&id));
    new.hear().expect("a welcome");
    assert_eq!(old.hear().expect("the end")["type"], "goaway");
}

/// A session that drains is not in the registry any more, and yet its streams count.
#[test]
fn a_goodbye_gives_no_more_streams() {
    let site = Site::new();
    let listener = Listener::with(&site, &[("SWL_MAX_STREAMS_PER_UID", "1")]);
    let mut old = asking(&site, site.ca.client(UID), &listener, None);
    old.hear().expect("a welcome");
    let view = listener.api.open(UID, 0, ([127, 0, 0, 1], 1).into()).ok();
    let port = u16::try_from(view["port"].as_u64().unwrap()).unwrap();
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let _first = client::connect(address);
    listener.api.wait_streams(UID, 1);
    old.say_more(&frame(&json!({
        "type": "goaway", "reason": "restart", "reconnect_after_ms": 0,
    })));
    listener.wait_log(&["the connector drains"]);
    let mut new = asking(&site, site.ca.client(UID), &listener, None);
    new.hear().expect("a welcome");
    let second = client::try_connect(address).and_then(|mut tcp| tcp.read_exact(&mut [0; 1]));
    assert_eq!(second.unwrap_err().kind(), ErrorKind::ConnectionReset);
}

/// A hand-over that the listener never answers is given up with the session, and the next one shows the new certificate.
#[test]
fn a_listener_that_is_killed_meanwhile_gets_the_new_certificate() {
    let site = Site::new();
    let port = ports::free().to_string();
    let settings = [("SWL_PORT", port.as_str())];
    let mut listener = Listener::with(&site, &settings);
    let mut connector = Connector::start(&site, UID, listener.quic);
    listener.api.wait_connected(UID);
    listener.signal(Signal::STOP);
    let issued = site.ca.client(UID);
    site.issue(UID, &issued);
    connector.signal(Signal::HUP);
    connector.wait_log(&["the sessions move to it"]);
    listener.kill();
    let listener = Listener::run(command(&site, &settings));
    wait_shown(&listener, &issued);
    assert!(connector.is_running());
}

/// What the new certificate is refused for does not hurt the session with the old one.
#[test]
fn a_certificate_that_is_refused_leaves_the_session_alone() {
    let world = World::new();
    let target = Target::echo();
    let mut tcp = client::connect(world.open(target.address));
    client::echo(&mut tcp, b"before");
    let before = session(&world.listener);
    let stranger = Ca::root("another CA").client(UID);
    world.site.issue(UID, &stranger);
    let line = world
        .connector
        .wait_log(&["no session with the new certificate"]);
    assert_eq!(line.level(), Some("WARN"), "{line}");
    assert!(line.has(&["not from a CA that it trusts"]), "{line}");
    client::echo(&mut tcp, b"after");
    assert_eq!(before["session"], session(&world.listener)["session"]);
    let issued = renew(&world);
    wait_shown(&world.listener, &issued);
    client::echo(&mut tcp, b"and after that");
}

/// A listener of 1.x knows nothing of it: its session goes on with the old certificate.
#[test]
fn a_1x_listener_keeps_its_session() {
    let site = Site::new();
    let listener = LegacyListener::start(&site);
    let connector = Connector::start(&site, UID, listener.address);
    let connection = listener.wait_connector();
    site.issue(UID, &site.ca.client(UID));
    let line = connector.wait_log(&["cannot hand over"]);
    assert_eq!(line.level(), Some("INFO"), "{line}");
    assert!(connection.close_reason().is_none());
    assert_eq!(connector.log().find(&["session established"]).len(), 1);
}

/// A session that an operator has closed does not come back the sooner for an earlier hand-over.
#[test]
fn a_hand_over_of_long_ago_does_not_hurry_the_next_dial() {
    let mut world = World::new();
    rotate(&mut world, true);
    let mark = world.connector.log().mark();
    world
        .listener
        .api
        .call("DELETE", "/connectors/device1")
        .ok();
    let line = world
        .connector
        .wait_log_after(mark, &["an operator closed this session"]);
    assert!(line.has(&["retry_in"]), "{line}");
    // It says when it comes back, and with a new certificate it comes at once.
    let issued = renew(&world);
    let session = until_within(Duration::from_secs(12), "the session", || {
        let session = world.listener.api.connector(UID)?;
        (session["certificate_sha256"] == issued.fingerprint()).then_some(session)
    });
    // The listener knows of it before the connector does.
    let id = session["session"].as_str().unwrap();
    world.connector.wait_log(&["session established", id]);
    let dialled = world.connector.log().find(&["session established"]);
    assert_eq!(dialled.len(), 3);
}

/// A connector that waits long because it was refused tries at once with another certificate.
#[test]
fn a_new_certificate_ends_a_long_wait() {
    let site = Site::new();
    let listener = Listener::start(&site);
    let expired = site.ca.expired_client(UID);
    let mut connector = Connector::certified(&site, UID, &expired, listener.quic, &json!({}));
    connector.allow("has expired");
    connector.wait_log(&["no session", "expired"]);
    let issued = site.ca.client(UID);
    site.issue(UID, &issued);
    // Slow retries come after 15 s at the earliest.
    until_within(Duration::from_secs(12), "the session", || {
        listener.api.connector(UID)
    });
}

fn begun(opening: SocketAddr) -> TcpStream {
    let mut tcp = client::connect(opening);
    tcp.read_exact(&mut [0; 8]).unwrap();
    tcp
}

#[test]
fn limits_drains_and_operators_reach_the_old_session() {
    let mut world = World::with(&[("SWL_MAX_STREAMS_PER_UID", "2")], &json!({}));
    let flood = Target::flood();
    let opening = world.open(flood.address);
    let tcp = begun(opening);
    rotate(&mut world, true);
    wait_retired(&world.listener, 1);
    let second = begun(opening);
    // A reset can come so soon that connecting already fails with it.
    let third = client::try_connect(opening).and_then(|mut tcp| tcp.read_exact(&mut [0; 8]));
    assert_eq!(third.unwrap_err().kind(), ErrorKind::ConnectionReset);
    drop(second);
    world
        .listener
        .api
        .call("DELETE", "/connectors/device1")
        .ok();
    assert_eq!(client::read_all(&tcp).end, RESET);

    let mut world = World::new();
    const SIZE: u64 = 8 << 20;
    let sender = Target::sender(1, SIZE);
    let tcp = begun(world.open(sender.address));
    rotate(&mut world, true);
    wait_retired(&world.listener, 1);
    world.listener.signal(Signal::TERM);
    world.connector.wait_log(&["the listener drains"]);
    let received = client::read_all(&tcp);
    assert_eq!((received.bytes, received.end), (SIZE - 8, End::Eof));
    client::finish(&tcp);
    assert!(world.listener.wait_exit(PATIENCE).success());
}

/// The old session waits for its streams without a time limit, but not for a connector that is stopped.
#[test]
fn a_stopped_connector_ends_its_old_session_too() {
    let mut world = World::with(&[], &json!({"drain_timeout_seconds": 1}));
    let flood = Target::flood();
    let tcp = begun(world.open(flood.address));
    rotate(&mut world, true);
    wait_retired(&world.listener, 1);
    world.connector.signal(Signal::TERM);
    assert_eq!(client::read_all(&tcp).end, RESET);
    assert!(world.connector.wait_exit(PATIENCE).success());
    world.listener.api.wait_gone(UID);
}
