//! socket-warp 1.x on the other side.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpListener,
};

use serde_json::json;
use system_tests::{
    at_once,
    client::{self, End, RESET},
    connector::Connector,
    legacy::{LegacyConnector, LegacyListener},
    listener::Listener,
    noise::{Digest, digest_of},
    peer::{ALPN_V1, Peer},
    site::Site,
    target::{self, Target},
    until,
    world::World,
};

const OLD: &str = "old-device";
const SIZE: u64 = 4 * 1024 * 1024;

/// A target that needs no half-close, which 1.x cannot carry: it answers with the SHA-256 of exactly `SIZE` bytes.
fn counted_sink() -> Target {
    Target::new(|mut tcp| {
        let mut digest = Digest::default();
        let mut left = usize::try_from(SIZE).unwrap();
        let mut buffer = vec![0; 64 * 1024];
        while left > 0 {
            let room = left.min(buffer.len());
            let Ok(count @ 1..) = tcp.read(&mut buffer[..room]) else {
                return;
            };
            digest.update(&buffer[..count]);
            left -= count;
        }
        let _ = tcp.write_all(digest.finish().as_bytes());
    })
}

fn upload(address: std::net::SocketAddr, seed: u64) -> String {
    let mut tcp = client::connect(address);
    client::send_noise(&tcp, seed, SIZE).unwrap();
    let mut answer = String::new();
    tcp.read_to_string(&mut answer).unwrap();
    answer
}

fn transfer_both_ways(downloads: std::net::SocketAddr, uploads: std::net::SocketAddr) {
    let jobs = (0..6).map(|n| {
        move || match n % 2 {
            0 => {
                let received = client::download(downloads);
                let whole = (SIZE, End::Eof, digest_of(9, SIZE));
                assert_eq!((received.bytes, received.end, received.sha256), whole);
            }
            _ => assert_eq!(upload(uploads, n), digest_of(n, SIZE)),
        }
    });
    at_once(jobs);
}

#[test]
fn a_1x_connector_works_with_our_listener() {
    let world = World::new();
    let old = world.site.ca.client(OLD);
    let connector = LegacyConnector::start(&world.site, old, world.listener.quic);
    let view = world.listener.api.wait_connected(OLD);
    assert_eq!(view["protocol"], 1, "{view}");
    let line = world.listener.wait_log(&["protocol 1", OLD]);
    assert_eq!(line.level(), Some("WARN"), "{line}");
    let (sender, sink) = (Target::sender(9, SIZE), counted_sink());
    let downloads = world.open_for(OLD, sender.address);
    let uploads = world.open_for(OLD, sink.address);
    transfer_both_ways(downloads, uploads);
    for header in connector.headers() {
        let end = header.iter().position(|byte| *byte == 0).expect("padding");
        assert!(header[end..].iter().all(|byte| *byte == 0));
        let text = std::str::from_utf8(&header[..end]).unwrap();
        let (id, target) = text.split_once('|').expect(text);
        let (connection, stream) = id.split_once('-').expect(text);
        assert!(
            connection.parse::<u64>().is_ok() && stream.parse::<u64>().is_ok(),
            "{text}"
        );
        assert!(target.parse::<std::net::SocketAddr>().is_ok(), "{text}");
    }
    world.listener.api.wait_streams(OLD, 0);
}

/// Fault 3: the 101st stream of one UID stalled every UID.
#[test]
fn the_101st_stream_of_a_1x_connector_waits_alone() {
    let world = World::new();
    let old = world.site.ca.client(OLD);
    let _connector = LegacyConnector::start(&world.site, old, world.listener.quic);
    world.listener.api.wait_connected(OLD);
    let target = Target::echo();
    let opening = world.open_for(OLD, target.address);
    let full: Vec<_> = (0..100)
        .map(|_| {
            let mut tcp = client::connect(opening);
            client::echo(&mut tcp, b"one of a hundred");
            tcp
        })
        .collect();
    let extra = client::connect(opening);
    // Meanwhile nobody else waits: not another UID, not the API, not the streams that run.
    let other = world.open(target.address);
    for _ in 0..20 {
        client::echo(&mut client::connect(other), b"not held up");
    }
    assert_eq!(client::read_all(&extra).end, RESET);
    world
        .listener
        .wait_log(&["target not reached", OLD, "limit of streams"]);
    for mut tcp in full {
        client::echo(&mut tcp, b"still there");
    }
    world.listener.api.wait_streams(OLD, 0);
    client::echo(&mut client::connect(opening), b"room again");
}

#[test]
fn a_1x_connector_that_cannot_dial_is_a_reset_for_the_client() {
    let world = World::new();
    let old = world.site.ca.client(OLD);
    let _connector = LegacyConnector::start(&world.site, old, world.listener.quic);
    world.listener.api.wait_connected(OLD);
    let opening = world.open_for(OLD, target::nobody());
    for _ in 0..5 {
        assert_eq!(client::download(opening).end, RESET);
    }
}

#[test]
fn losing_a_1x_connector_resets_its_clients() {
    let world = World::new();
    let old = world.site.ca.client(OLD);
    let connector = LegacyConnector::start(&world.site, old, world.listener.quic);
    world.listener.api.wait_connected(OLD);
    let target = Target::echo();
    let mut tcp = client::connect(world.open_for(OLD, target.address));
    client::echo(&mut tcp, b"hello");
    connector.connection().close(0u8.into(), b"");
    assert_eq!(client::read_all(&tcp).end, RESET);
    world.listener.api.wait_gone(OLD);
}

#[test]
fn our_connector_works_with_a_1x_listener() {
    let site = Site::new();
    let listener = LegacyListener::start(&site);
    let connector = Connector::start(&site, OLD, listener.address);
    listener.wait_connector();
    connector.wait_log(&["session established with protocol 1"]);
    let (sender, sink) = (Target::sender(9, SIZE), counted_sink());
    let open =
        |target: &Target| listener.open(format!("94000000000000-7|{}", target.address).as_bytes());
    transfer_both_ways(open(&sender), open(&sink));
}

/// Fault 5: IPv6 addresses stood without brackets.
#[test]
fn ipv6_targets_of_a_1x_listener_stand_in_brackets() {
    let Ok(tcp) = TcpListener::bind("[::1]:0") else {
        eprintln!("this machine has no IPv6: not tested");
        return;
    };
    let site = Site::new();
    let listener = LegacyListener::start(&site);
    let _connector = Connector::start(&site, OLD, listener.address);
    let target = Target::on(tcp, |mut tcp| drop(tcp.write_all(b"six")));
    let opening = listener.open(format!("1-1|{}", target.address).as_bytes());
    client::expect(&mut client::connect(opening), b"six");
}

/// Fault 5: whatever stood in the header was taken somehow.
#[test]
fn malformed_headers_are_refused_with_a_line_in_the_log() {
    let site = Site::new();
    let listener = LegacyListener::start(&site);
    let connector = Connector::start(&site, OLD, listener.address);
    let (target, accepted) = Target::manual();
    let address = target.address;
    let port = address.port();
    for header in [
        b"".to_vec(),
        format!("1-1{address}").into(),
        format!("1-1|{address}|x").into(),
        format!("|{address}").into(),
        b"1-1|127.0.0.1".to_vec(),
        format!("1-1|::1:{port}").into(),
        format!("1-1|127.0.0.1:{port}\0\0x").into(),
        format!("1-1|127\0.0.0.1:{port}").into(),
        format!("1-1|127.0.0.1 :{port}").into(),
        format!("1-1|127.0.0.1:{port}00000").into(),
        [&b"\xff\xfe|"[..], address.to_string().as_bytes()].concat(),
        vec![b'7'; 1024],
    ] {
        let mark = connector.log().mark();
        let received = client::download(listener.open(&header));
        assert_eq!(received.bytes, 0);
        let line = connector.wait_log_after(mark, &["stream refused"]);
        assert_eq!(line.level(), Some("WARN"), "{line}");
    }
    assert!(accepted.is_empty(), "a malformed header reached the target");
}

#[test]
fn a_header_that_never_ends_is_given_up() {
    let site = Site::new();
    let listener = LegacyListener::start(&site);
    let connector = Connector::start(&site, OLD, listener.address);
    let connection = listener.wait_connector();
    connector.wait_log(&["protocol 1"]);
    let reset = system_tests::peer::wait(async {
        let (mut send, mut recv) = connection.open_bi().await.unwrap();
        send.write_all(b"1-1|127.0").await.unwrap();
        recv.read_to_end(10).await
    });
    assert!(reset.is_err(), "{reset:?}");
    connector.wait_log(&["stream refused", "in time"]);
}

#[test]
fn protocol_1_can_be_switched_off_on_both_sides() {
    let site = Site::new();
    let listener = Listener::with(&site, &[("SWL_LEGACY_PROTOCOL", "false")]);
    let old = Peer::speaking(ALPN_V1, &site, Some(site.ca.client(OLD)), listener.quic);
    assert!(old.is_err(), "a 1.x connector was let in");
    let old = LegacyListener::start(&site);
    let settings = json!({"legacy_protocol": false});
    let connector = Connector::with(&site, OLD, old.address, &settings);
    let line = connector.wait_log(&["no session"]);
    assert!(line.has(&["protocol"]), "{line}");
}

/// A client that resets is an end like any other for 1.x, and must free its stream.
#[test]
fn resets_of_clients_free_the_streams_of_a_1x_connector() {
    let world = World::new();
    let old = world.site.ca.client(OLD);
    let _connector = LegacyConnector::start(&world.site, old, world.listener.quic);
    world.listener.api.wait_connected(OLD);
    let (target, accepted) = Target::manual();
    let opening = world.open_for(OLD, target.address);
    for _ in 0..150 {
        let mut tcp = client::connect(opening);
        tcp.write_all(b"x").unwrap();
        let mut server = accepted.next();
        client::expect(&mut server, b"x");
        client::reset(tcp);
        let end = client::read_all(&server).end;
        assert!(
            matches!(end, End::Eof | End::Error(ErrorKind::ConnectionReset)),
            "{end:?}"
        );
    }
    until("all streams are free", || {
        (world.listener.api.connector(OLD)?["streams"] == 0).then_some(())
    });
}
