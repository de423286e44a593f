//! FIN stays FIN and RST stays RST, in each direction, at any moment.

use std::io::{ErrorKind, Write};

use socket2::SockRef;
use system_tests::{
    client::{self, End, RESET},
    noise::digest_of,
    target::{Accepted, Target},
    until,
    world::{UID, World},
};

const LARGE: u64 = 10 * 1024 * 1024;

/// A client and the target's end of its connection, after a word each way.
fn pair(world: &World) -> (std::net::TcpStream, std::net::TcpStream, (Target, Accepted)) {
    let (target, accepted) = Target::manual();
    let mut client = client::connect(world.open(target.address));
    client.write_all(b"hello").unwrap();
    let mut server = accepted.next();
    client::expect(&mut server, b"hello");
    server.write_all(b"welcome").unwrap();
    client::expect(&mut client, b"welcome");
    (client, server, (target, accepted))
}

/// Fault 2: the first EOF ended both directions.
#[test]
fn a_large_answer_follows_the_clients_fin() {
    let world = World::new();
    let (client, server, _target) = pair(&world);
    client::finish(&client);
    let asked = client::read_all(&server);
    assert_eq!((asked.bytes, asked.end), (0, End::Eof));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            client::send_noise(&server, 3, LARGE).unwrap();
            client::finish(&server);
        });
        let received = client::read_all(&client);
        assert_eq!((received.bytes, received.end), (LARGE, End::Eof));
        assert_eq!(received.sha256, digest_of(3, LARGE));
    });
}

/// Fault 2, the other way round.
#[test]
fn a_large_upload_follows_the_targets_fin() {
    let world = World::new();
    let (client, server, _target) = pair(&world);
    client::finish(&server);
    let received = client::read_all(&client);
    assert_eq!((received.bytes, received.end), (0, End::Eof));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            client::send_noise(&client, 4, LARGE).unwrap();
            client::finish(&client);
        });
        let received = client::read_all(&server);
        assert_eq!((received.bytes, received.end), (LARGE, End::Eof));
        assert_eq!(received.sha256, digest_of(4, LARGE));
    });
}

#[test]
fn a_half_closed_stream_frees_everything_at_its_end() {
    let world = World::new();
    let (client, server, _target) = pair(&world);
    client::finish(&client);
    drop(server);
    assert_eq!(client::read_all(&client).end, End::Eof);
    world.listener.api.wait_streams(UID, 0);
}

#[test]
fn a_clients_reset_reaches_an_idle_target() {
    let world = World::new();
    let (client, server, _target) = pair(&world);
    client::reset(client);
    assert_eq!(client::read_all(&server).end, RESET);
    world.listener.api.wait_streams(UID, 0);
}

#[test]
fn a_targets_reset_reaches_an_idle_client() {
    let world = World::new();
    let (client, server, _target) = pair(&world);
    client::reset(server);
    assert_eq!(client::read_all(&client).end, RESET);
    world.listener.api.wait_streams(UID, 0);
}

/// Whoever has read the FIN cannot read the reset any more, but finds it in the socket's error. The kernel turns it
/// into a broken pipe there, because that side could only write.
fn expect_broken(tcp: &std::net::TcpStream) {
    let broken = until("the reset", || SockRef::from(tcp).take_error().unwrap());
    let kind = broken.kind();
    let reset = matches!(kind, ErrorKind::BrokenPipe | ErrorKind::ConnectionReset);
    assert!(reset, "{broken}");
}

#[test]
fn a_clients_reset_after_its_fin_is_still_a_reset() {
    let world = World::new();
    let (client, server, _target) = pair(&world);
    client::finish(&client);
    assert_eq!(client::read_all(&server).end, End::Eof);
    client::reset(client);
    expect_broken(&server);
    world.listener.api.wait_streams(UID, 0);
}

#[test]
fn a_targets_reset_after_its_fin_is_still_a_reset() {
    let world = World::new();
    let (client, server, _target) = pair(&world);
    client::finish(&server);
    assert_eq!(client::read_all(&client).end, End::Eof);
    client::reset(server);
    expect_broken(&client);
    world.listener.api.wait_streams(UID, 0);
}

/// The target reads nothing, so every buffer on the way is full when the client resets.
#[test]
fn a_clients_reset_reaches_a_target_that_flow_control_has_stopped() {
    let world = World::new();
    let (client, server, _target) = pair(&world);
    let sent = client::stuff(&client);
    client::reset(client);
    world.listener.api.wait_streams(UID, 0);
    let received = client::read_all(&server);
    assert_eq!(received.end, RESET);
    assert!(received.bytes <= sent);
}

#[test]
fn a_targets_reset_reaches_a_client_that_flow_control_has_stopped() {
    let world = World::new();
    let (client, server, _target) = pair(&world);
    let sent = client::stuff(&server);
    client::reset(server);
    world.listener.api.wait_streams(UID, 0);
    let received = client::read_all(&client);
    assert_eq!(received.end, RESET);
    assert!(received.bytes <= sent);
}

/// With the client's half ended, nothing but the stalled half itself can tell of the reset.
#[test]
fn a_targets_reset_reaches_a_half_closed_client_that_flow_control_has_stopped() {
    let world = World::new();
    let (client, server, _target) = pair(&world);
    client::finish(&client);
    assert_eq!(client::read_all(&server).end, End::Eof);
    client::stuff(&server);
    client::reset(server);
    world.listener.api.wait_streams(UID, 0);
    assert_eq!(client::read_all(&client).end, RESET);
}

/// Everything, and the target's FIN, waits in the listener while these clients take it in sips.
#[test]
fn the_end_of_a_transfer_waits_for_slow_readers() {
    const SIZE: u64 = 512 * 1024;
    let world = World::new();
    let target = Target::sender(5, SIZE);
    let opening = world.open(target.address);
    let slow: Vec<_> = (0..20).map(|_| client::connect_small(opening)).collect();
    world.listener.api.wait_streams(UID, slow.len());
    for client in slow {
        let received = client::read_all(&client);
        assert_eq!((received.bytes, received.end), (SIZE, End::Eof));
        assert_eq!(received.sha256, digest_of(5, SIZE));
    }
    world.listener.api.wait_streams(UID, 0);
}

#[test]
fn a_target_that_resets_at_once_is_no_clean_end() {
    let world = World::new();
    let target = Target::resetter();
    for _ in 0..20 {
        let received = client::download(world.open(target.address));
        assert_eq!((received.bytes, received.end), (0, RESET));
    }
}

#[test]
fn a_target_that_closes_at_once_is_a_clean_end() {
    let world = World::new();
    let target = Target::new(drop);
    let opening = world.open(target.address);
    for _ in 0..20 {
        let tcp = client::connect(opening);
        client::finish(&tcp);
        let received = client::read_all(&tcp);
        assert_eq!((received.bytes, received.end), (0, End::Eof));
    }
}
