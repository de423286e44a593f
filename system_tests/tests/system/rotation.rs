//! A hundred new certificates without downtime.

use std::{
    io::{Read, Write},
    time::Instant,
};

use system_tests::{
    client::{self, End},
    noise::{Digest, Noise, digest_of},
    target::Target,
    world::World,
};

use system_tests::rotation::{rotate, under_load, wait_retired};

const ROTATIONS: usize = 100;
/// What the long streams carry in each rotation, bytes.
const STEP: usize = 64 * 1024;

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
