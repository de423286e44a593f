//! In virtual time, so that every number is exact or has bounds that follow from the seed.

mod any;
mod chances;
mod timing;

use std::time::Duration;

use super::{Conditions, Link};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// A packet of that many bytes that begins with its number.
fn packet(number: u32, bytes: usize) -> Vec<u8> {
    let mut packet = number.to_be_bytes().to_vec();
    packet.resize(bytes, 0);
    packet
}

/// The number of a packet that was not damaged.
fn number(packet: &[u8]) -> u32 {
    u32::from_be_bytes(packet[..4].try_into().unwrap())
}

/// Sends `count` packets of `bytes`, one each `gap`, and takes what arrives until the link is empty: when, and what.
fn run(link: &mut Link, count: u32, bytes: usize, gap: Duration) -> Vec<(Duration, Vec<u8>)> {
    let mut arrived = Vec::new();
    for number in 0..count {
        let now = gap * number;
        arrived.extend(until(link, now));
        link.send(now, packet(number, bytes));
    }
    arrived.extend(until(link, Duration::MAX));
    arrived
}

/// Takes what arrives until then, each at its very moment.
fn until(link: &mut Link, then: Duration) -> Vec<(Duration, Vec<u8>)> {
    let mut arrived = Vec::new();
    while let Some(at) = link.next_arrival().filter(|&at| at <= then) {
        let packet = link.receive(at).expect("it arrives when it was said to");
        arrived.push((at, packet));
    }
    arrived
}

fn numbers(arrived: &[(Duration, Vec<u8>)]) -> Vec<u32> {
    arrived.iter().map(|(_, packet)| number(packet)).collect()
}

/// Every packet has met one end, and only one.
#[track_caller]
fn assert_conserved(link: &Link) {
    let counts = link.counts();
    let ends = counts.lost + counts.queue_dropped + counts.too_big + counts.delivered;
    let in_flight = link.in_flight() as u64;
    assert_eq!(
        counts.sent + counts.duplicated,
        ends + in_flight,
        "{counts}"
    );
}

#[test]
fn a_perfect_link_delivers_at_once_and_in_order() {
    let mut link = Link::new(Conditions::default(), 1);
    let arrived = run(&mut link, 100, 1500, Duration::ZERO);
    assert_eq!(numbers(&arrived), (0..100).collect::<Vec<_>>());
    assert!(arrived.iter().all(|(at, _)| at.is_zero()));
    assert_eq!(link.counts().delivered, 100);
    assert_eq!(link.counts().delivered_bytes, 150_000);
}

#[test]
fn packets_above_the_mtu_vanish() {
    let mtu = Some(1280);
    let mut link = Link::new(
        Conditions {
            mtu,
            ..Conditions::default()
        },
        1,
    );
    link.send(MS, packet(0, 1281));
    link.send(MS, packet(1, 1280));
    assert_eq!(numbers(&until(&mut link, MS)), [1]);
    assert_eq!(link.counts().too_big, 1);
    assert_conserved(&link);
}

#[test]
fn a_link_that_is_not_up_keeps_what_is_on_it() {
    let up = Conditions {
        delay: 10 * MS,
        ..Conditions::default()
    };
    let mut link = Link::new(up, 1);
    link.send(Duration::ZERO, packet(0, 100));
    link.change(Conditions { up: false, ..up });
    link.send(MS, packet(1, 100));
    link.change(up);
    link.send(2 * MS, packet(2, 100));
    assert_eq!(link.next_arrival(), Some(10 * MS));
    assert_eq!(numbers(&until(&mut link, SECOND)), [0, 2]);
    assert_eq!(link.counts().lost, 1);
    assert_conserved(&link);
}
