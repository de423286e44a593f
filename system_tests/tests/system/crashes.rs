//! A daemon that dies in the middle of a transfer never makes it look complete.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use serde_json::json;
use system_tests::{
    at_once,
    client::{self, End, RESET},
    target::{Accepted, Target},
    world::World,
};

/// Longer than any session of [`world`] lives without its peer.
const DEAD: Duration = Duration::from_secs(30);
/// What has gone through before the crash.
const BEGUN: usize = 256 * 1024;

/// A dead peer is noticed after 5 s instead of 30 s.
fn world() -> World {
    let listener = [
        ("SWL_KEEP_ALIVE_SECONDS", "1"),
        ("SWL_IDLE_TIMEOUT_SECONDS", "4"),
    ];
    World::with(
        &listener,
        &json!({"keep_alive_seconds": 1, "idle_timeout_seconds": 4}),
    )
}

/// A client and the target's end of its connection, with more bytes on their way than have arrived.
struct Transfer {
    sender: TcpStream,
    receiver: TcpStream,
    _target: (Target, Accepted),
}

impl Transfer {
    /// The ends of a new connection: client, then target.
    fn ends(world: &World) -> (TcpStream, TcpStream, (Target, Accepted)) {
        let (target, accepted) = Target::manual();
        let mut client = client::connect(world.open(target.address));
        client.write_all(b"x").unwrap();
        let mut server = accepted.next();
        client::expect(&mut server, b"x");
        client::prepare(&client, DEAD);
        client::prepare(&server, DEAD);
        (client, server, (target, accepted))
    }

    fn begin(sender: TcpStream, mut receiver: TcpStream, target: (Target, Accepted)) -> Self {
        client::stuff(&sender);
        sender.set_write_timeout(Some(DEAD)).unwrap();
        receiver.read_exact(&mut vec![0; BEGUN]).unwrap();
        Self {
            sender,
            receiver,
            _target: target,
        }
    }

    fn download(world: &World) -> Self {
        let (client, server, target) = Self::ends(world);
        Self::begin(server, client, target)
    }

    fn upload(world: &World) -> Self {
        let (client, server, target) = Self::ends(world);
        Self::begin(client, server, target)
    }
}

/// What the receiving end of a transfer sees.
fn expect_reset_reading(tcp: &TcpStream) -> Duration {
    let started = Instant::now();
    assert_eq!(client::read_all(tcp).end, RESET);
    started.elapsed()
}

/// What the sending end sees; the first write after the reset may find a broken pipe.
fn expect_reset_writing(mut tcp: &TcpStream) -> Duration {
    let started = Instant::now();
    let chunk = vec![0; 64 * 1024];
    loop {
        if let Err(error) = tcp.write_all(&chunk) {
            let kind = error.kind();
            let reset = matches!(kind, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe);
            assert!(reset, "the sender saw {kind:?}");
            return started.elapsed();
        }
    }
}

fn expect_four_resets(down: &Transfer, up: &Transfer) -> Vec<Duration> {
    let jobs: [Box<dyn FnOnce() -> Duration + Send>; 4] = [
        Box::new(|| expect_reset_reading(&down.receiver)),
        Box::new(|| expect_reset_writing(&up.sender)),
        Box::new(|| expect_reset_writing(&down.sender)),
        Box::new(|| expect_reset_reading(&up.receiver)),
    ];
    at_once(jobs)
}

#[test]
fn killing_the_connector_resets_both_ends() {
    let mut world = world();
    let (down, up) = (Transfer::download(&world), Transfer::upload(&world));
    world.connector.kill();
    let took = expect_four_resets(&down, &up);
    // The target's sockets were the dead process's own.
    for at_once in &took[2..] {
        assert!(*at_once < Duration::from_secs(5), "{took:?}");
    }
}

#[test]
fn killing_the_listener_resets_both_ends() {
    let mut world = world();
    let (down, up) = (Transfer::download(&world), Transfer::upload(&world));
    world.listener.kill();
    let took = expect_four_resets(&down, &up);
    for at_once in &took[..2] {
        assert!(*at_once < Duration::from_secs(5), "{took:?}");
    }
}

/// Sessions that end are noticed while nothing moves, too, and after half of the stream has ended.
#[test]
fn killing_the_connector_resets_idle_and_half_closed_clients() {
    let mut world = world();
    let (idle, _idle_server, _one) = Transfer::ends(&world);
    let (half, half_server, _two) = Transfer::ends(&world);
    client::finish(&half);
    assert_eq!(client::read_all(&half_server).end, End::Eof);
    world.connector.kill();
    let jobs = [&idle, &half].map(|tcp| move || expect_reset_reading(tcp));
    at_once(jobs);
}
