//! Bytes come out as they went in, whatever their number, whoever speaks first, however many go at once.

use std::io::{Read, Write};

use system_tests::{
    at_once,
    client::{self, End, Received},
    noise::digest_of,
    target::Target,
    world::World,
};

const SIZES: [u64; 4] = [0, 1, 64 * 1024, 20 * 1024 * 1024];

fn whole(seed: u64, bytes: u64) -> Received {
    Received {
        bytes,
        sha256: digest_of(seed, bytes),
        end: End::Eof,
    }
}

#[test]
fn downloads_of_every_size_are_whole() {
    let world = World::new();
    for size in SIZES {
        let target = Target::sender(size, size);
        let received = client::download(world.open(target.address));
        assert_eq!(received, whole(size, size));
    }
}

#[test]
fn uploads_of_every_size_are_whole() {
    let world = World::new();
    let target = Target::sink();
    let opening = world.open(target.address);
    for size in SIZES {
        assert_eq!(client::upload(opening, size, size), digest_of(size, size));
    }
}

#[test]
fn eight_downloads_and_eight_uploads_at_once() {
    const SIZE: u64 = 4 * 1024 * 1024;
    let world = World::new();
    let (sender, sink) = (Target::sender(7, SIZE), Target::sink());
    let (downloads, uploads) = (world.open(sender.address), world.open(sink.address));
    let jobs = (0..16).map(|n| {
        move || match n % 2 {
            0 => assert_eq!(client::download(downloads), whole(7, SIZE)),
            _ => assert_eq!(client::upload(uploads, n, SIZE), digest_of(n, SIZE)),
        }
    });
    at_once(jobs);
}

#[test]
fn two_hundred_short_connections_thirty_two_at_once() {
    let world = World::new();
    let target = Target::echo();
    let opening = world.open(target.address);
    let jobs = (0..32).map(|n: usize| {
        move || {
            for k in (n..200).step_by(32) {
                let mut tcp = client::connect(opening);
                client::echo(&mut tcp, format!("connection {k}").as_bytes());
                client::finish(&tcp);
                assert_eq!(client::read_all(&tcp).end, End::Eof);
            }
        }
    });
    at_once(jobs);
    let port = opening.port();
    let view = world.listener.api.opening(port).unwrap();
    assert_eq!(view["connections_total"], 200, "{view}");
}

#[test]
fn the_server_may_speak_first() {
    let world = World::new();
    let target = Target::greeter("220 ready\r\n");
    let mut tcp = client::connect(world.open(target.address));
    client::expect(&mut tcp, b"220 ready\r\n");
}

#[test]
fn a_conversation_takes_turns() {
    let world = World::new();
    let target = Target::echo();
    let mut tcp = client::connect(world.open(target.address));
    for turn in 0..100 {
        client::echo(&mut tcp, format!("turn {turn}").as_bytes());
    }
}

/// The client's first bytes travel behind the `open` frame, without waiting for the connector's answer: the target has
/// them even when the client has gone on to half-close.
#[test]
fn the_first_bytes_of_the_client_are_there_when_the_target_accepts() {
    let world = World::new();
    let (target, accepted) = Target::manual();
    let opening = world.open(target.address);
    let mut tcp = client::connect(opening);
    tcp.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    client::finish(&tcp);
    let mut server = accepted.next();
    let mut request = String::new();
    server.read_to_string(&mut request).unwrap();
    assert_eq!(request, "GET / HTTP/1.0\r\n\r\n");
    server.write_all(b"HTTP/1.0 200 OK\r\n\r\n").unwrap();
    drop(server);
    let mut answer = String::new();
    tcp.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "HTTP/1.0 200 OK\r\n\r\n");
}
