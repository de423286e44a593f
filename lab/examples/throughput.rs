//! What a lab carries on this machine: `cargo run --release -p lab --example throughput 100000`.
//!
//! So many packets of 1,500 bytes a second are sent from A to B, for five seconds, over a link with 25 ms of delay.

use std::{
    net::UdpSocket,
    time::{Duration, Instant},
};

use anyhow::Context;
use lab::{Direction, Lab, Side, link::Conditions};
use socket2::SockRef;

/// 1,500 without the headers of IPv4 and UDP.
const DATAGRAM: [u8; 1472] = [7; 1472];
const TIME: Duration = Duration::from_secs(5);

fn main() -> anyhow::Result<()> {
    let wanted = std::env::args()
        .nth(1)
        .context("how many packets a second?")?;
    let wanted = wanted.parse()?;
    let delay = Duration::from_millis(25);
    let conditions = Conditions {
        delay,
        ..Conditions::default()
    };
    let lab = Lab::new(conditions, 1)?;
    let bind = |side: Side| lab.inside(side, || UdpSocket::bind((side.ipv4(), 9)));
    let (from, to) = (bind(Side::A)?, bind(Side::B)?);
    // Or the measurement is of the default buffer, 200 kB, and a receiver on a busy machine.
    SockRef::from(&to).set_recv_buffer_size(16 << 20)?;
    to.set_read_timeout(Some(Duration::from_millis(500)))?;
    from.connect(to.local_addr()?)?;
    let start = Instant::now();
    let (sent, received) = std::thread::scope(|scope| {
        let sender = scope.spawn(|| flood(&from, start, wanted));
        let received = receive(&to);
        (sender.join().expect("no panic"), received)
    });
    let (count, last) = received;
    let seconds = (last - start - delay).as_secs_f64();
    println!(
        "sent {sent}, received {count}: {:.0} packets/s",
        count as f64 / seconds
    );
    println!("{}", lab.counts(Direction::AToB));
    Ok(())
}

/// In bursts, one a millisecond.
fn flood(socket: &UdpSocket, start: Instant, wanted: f64) -> u64 {
    let mut sent = 0;
    while start.elapsed() < TIME {
        let due = (start.elapsed().as_secs_f64() * wanted) as u64;
        while sent < due && socket.send(&DATAGRAM).is_ok() {
            sent += 1;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    sent
}

/// Until nothing comes for a while: how many, and when the last.
fn receive(socket: &UdpSocket) -> (u64, Instant) {
    let (mut count, mut last) = (0, Instant::now());
    let mut room = [0; 2000];
    while socket.recv(&mut room).is_ok() {
        (count, last) = (count + 1, Instant::now());
    }
    (count, last)
}
