//! Those who do not read, and those who are too many: they hurt nobody but themselves.

use std::{
    io::{ErrorKind, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use serde_json::json;
use system_tests::{
    at_once,
    client::{self, End},
    connector::Connector,
    listener::{self, Listener},
    noise::digest_of,
    site::Site,
    target::Target,
    until,
    world::{UID, World},
};

const MIB: u64 = 1024 * 1024;
/// How many stall.
const STALLED: usize = 200;
/// What each daemon may hold then: the stream window of 1 MiB for each stalled stream, and as much again for everything
/// else.
const MEMORY: u64 = 2 * STALLED as u64 * MIB;
/// What goes through beside them, and how long it may take on a slow machine.
const BESIDE: u64 = 50 * MIB;
const LIMIT: Duration = Duration::from_secs(60);

/// A download and an upload on this opening's neighbours, in time.
fn expect_free_lane(down: SocketAddr, up: SocketAddr) {
    let started = Instant::now();
    let received = client::download(down);
    assert_eq!((received.bytes, received.end), (BESIDE, End::Eof));
    assert_eq!(
        client::upload(up, 3, BESIDE / 10),
        digest_of(3, BESIDE / 10)
    );
    assert!(started.elapsed() < LIMIT, "{:?}", started.elapsed());
}

/// First byte `d`: the target floods. `s`: it sends [`BESIDE`] bytes. `u`: it is a sink.
fn versatile() -> Target {
    Target::new(|mut tcp| {
        let mut kind = [0];
        if std::io::Read::read_exact(&mut tcp, &mut kind).is_err() {
            return;
        }
        match kind[0] {
            b'd' => drop(client::send_noise(&tcp, 1, u64::MAX)),
            b's' => {
                let _ = client::send_noise(&tcp, 2, BESIDE);
                client::finish(&tcp);
            }
            _ => {
                let received = client::read_all(&tcp);
                let _ = tcp.write_all(received.sha256.as_bytes());
            }
        }
    })
}

fn memory(world: &World) -> (u64, u64) {
    (world.listener.memory(), world.connector.memory())
}

/// Waits until nothing moves on the stalled streams any more.
fn wait_stalled(world: &World) {
    let mut before = (0, 0);
    until("memory has settled", || {
        std::thread::sleep(Duration::from_millis(500));
        let now = memory(world);
        let settled = now.0.abs_diff(before.0) + now.1.abs_diff(before.1) < MIB;
        before = now;
        settled.then_some(())
    });
}

fn expect_bounded(world: &World) {
    let (listener, connector) = memory(world);
    eprintln!(
        "listener {} MiB, connector {} MiB",
        listener / MIB,
        connector / MIB
    );
    assert!(
        listener < MEMORY,
        "the listener holds {} MiB",
        listener / MIB
    );
    assert!(
        connector < MEMORY,
        "the connector holds {} MiB",
        connector / MIB
    );
}

#[test]
fn clients_that_never_read_hold_nobody_up() {
    let world = World::new();
    let other = Connector::start(&world.site, "device2", world.listener.quic);
    other.wait_session();
    let (target, sink) = (versatile(), Target::sink());
    let opening = world.open(target.address);
    let stalled: Vec<TcpStream> = (0..STALLED)
        .map(|_| {
            let mut tcp = client::connect_small(opening);
            tcp.write_all(b"d").unwrap();
            tcp
        })
        .collect();
    world.listener.api.wait_streams(UID, STALLED);
    wait_stalled(&world);
    // The same opening:
    let started = Instant::now();
    let mut tcp = client::connect(opening);
    tcp.write_all(b"s").unwrap();
    let received = client::read_all(&tcp);
    assert_eq!((received.bytes, received.end), (BESIDE, End::Eof));
    assert!(started.elapsed() < LIMIT, "{:?}", started.elapsed());
    drop(tcp);
    // Another UID:
    let sender = Target::sender(2, BESIDE);
    let down = world.open_for("device2", sender.address);
    let up = world.open_for("device2", sink.address);
    expect_free_lane(down, up);
    expect_bounded(&world);
    drop(stalled);
    world.listener.api.wait_streams(UID, 0);
}

#[test]
fn targets_that_never_read_hold_nobody_up() {
    let world = World::new();
    let (deaf, kept) = Target::deaf();
    let opening = world.open(deaf.address);
    let stalled: Vec<TcpStream> = (0..STALLED)
        .map(|_| client::connect_small(opening))
        .collect();
    world.listener.api.wait_streams(UID, STALLED);
    // Each client pours until nothing more is taken for two seconds.
    let jobs = stalled.chunks(STALLED / 20).map(|some| {
        move || {
            let chunk = vec![7; 16 * 1024];
            for mut tcp in some {
                tcp.set_nonblocking(true).unwrap();
                let mut full = None;
                loop {
                    match tcp.write(&chunk) {
                        Ok(count) => full = full.filter(|_| count == 0),
                        Err(error) => {
                            assert_eq!(error.kind(), ErrorKind::WouldBlock);
                            let since = *full.get_or_insert_with(Instant::now);
                            if since.elapsed() > Duration::from_millis(300) {
                                break;
                            }
                            std::thread::sleep(Duration::from_millis(10));
                        }
                    }
                }
            }
        }
    });
    at_once(jobs);
    wait_stalled(&world);
    let (sender, sink) = (Target::sender(2, BESIDE), Target::sink());
    expect_free_lane(world.open(sender.address), world.open(sink.address));
    expect_bounded(&world);
    // What the clients have sent is still to be delivered, so the streams live on until the targets reset them.
    drop(stalled);
    drop(kept);
    world.listener.api.wait_streams(UID, 0);
}

/// A listener that may open few files, its connector, an opening, and more clients than there is room for.
fn crowded(files: &str, target: &Target) -> (World, SocketAddr, Vec<TcpStream>) {
    let site = Site::new();
    let listener = Listener::run(listener::limited(&site, files, &[]));
    let connector = Connector::start(&site, UID, listener.quic);
    let world = World {
        connector,
        listener,
        site,
    };
    world.listener.api.wait_connected(UID);
    let opening = world.open(target.address);
    let many: Vec<_> = (0..100)
        .filter_map(|_| client::try_connect(opening).ok())
        .collect();
    // Those who came first are in, and are served.
    let mut first = &many[0];
    first.write_all(b"x").unwrap();
    client::expect(&mut many[0].try_clone().unwrap(), b"x");
    (world, opening, many)
}

fn expect_served_again(world: &World, opening: SocketAddr) {
    until("clients are served again", || {
        let mut tcp = client::try_connect(opening).ok()?;
        tcp.write_all(b"y").ok()?;
        let mut byte = [0];
        std::io::Read::read_exact(&mut tcp, &mut byte).ok()
    });
    world.listener.api.wait_streams(UID, 0);
    assert_eq!(world.listener.api.connectors().len(), 1);
    // The accept loop went on by itself; nothing had to bind the port anew.
    let rebound = world.listener.log().find(&["opening listens"]);
    assert!(rebound.is_empty(), "{rebound:?}");
}

/// Fault 6: any accept error ended the accept loop.
#[test]
fn running_out_of_descriptors_is_survived() {
    let target = Target::echo();
    let (world, opening, many) = crowded("-n 28", &target);
    let line = world.listener.wait_log(&["cannot accept clients"]);
    assert_eq!(line.level(), Some("WARN"), "{line}");
    drop(many);
    expect_served_again(&world, opening);
}

/// Clients must not take the descriptors that the API and the connectors need.
#[test]
fn clients_beyond_the_limit_of_open_files_are_reset_and_the_api_answers() {
    let target = Target::echo();
    let (world, opening, many) = crowded("-n 64", &target);
    assert_eq!(client::download(opening).end, client::RESET);
    assert_eq!(world.listener.api.connectors().len(), 1);
    drop(many);
    expect_served_again(&world, opening);
}

/// A connector allows few streams at first, and more as they come.
#[test]
fn many_clients_at_once_are_all_served() {
    let world = World::new();
    let target = Target::echo();
    let opening = world.open(target.address);
    let mut clients: Vec<_> = (0..700).map(|_| client::connect(opening)).collect();
    for (number, tcp) in clients.iter_mut().enumerate() {
        client::echo(tcp, number.to_string().as_bytes());
    }
    world.listener.api.wait_streams(UID, clients.len());
    drop(clients);
    world.listener.api.wait_streams(UID, 0);
}

/// The connector's limit of streams is a refusal after a while, not a stall of everything.
#[test]
fn the_limit_of_streams_of_a_connector_hits_only_new_streams() {
    let world = World::with(&[], &json!({"max_streams": 8}));
    let target = Target::echo();
    let opening = world.open(target.address);
    let mut running: Vec<_> = (0..8).map(|_| client::connect(opening)).collect();
    for tcp in &mut running {
        client::echo(tcp, b"hello");
    }
    let extra = client::connect(opening);
    for tcp in &mut running {
        client::echo(tcp, b"not disturbed");
    }
    assert_eq!(client::read_all(&extra).end, client::RESET);
    world
        .listener
        .wait_log(&["target not reached", "limit of streams"]);
    drop(running);
    world.listener.api.wait_streams(UID, 0);
    client::echo(&mut client::connect(opening), b"room again");
}
