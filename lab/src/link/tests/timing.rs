//! Delay, jitter, rate, queue and reordering.

use super::*;
use crate::link::{QueueLimit, Reorder};

#[test]
fn delay_is_exact() {
    let mut link = Link::new(
        Conditions {
            delay: 25 * MS,
            ..Conditions::default()
        },
        1,
    );
    link.send(7 * MS, packet(0, 1500));
    assert_eq!(link.next_arrival(), Some(32 * MS));
    assert_eq!(link.receive(32 * MS - Duration::from_nanos(1)), None);
    assert_eq!(link.receive(32 * MS), Some(packet(0, 1500)));
    assert_eq!(link.next_arrival(), None);
}

#[test]
fn jitter_stays_within_its_bounds_and_never_reorders() {
    let conditions = Conditions {
        delay: 20 * MS,
        jitter: 5 * MS,
        ..Conditions::default()
    };
    let mut link = Link::new(conditions, 2);
    // Closer together than the jitter, then further apart, where each packet is for itself.
    let close = run(&mut link, 5_000, 100, MS / 10);
    assert_eq!(numbers(&close), (0..5_000).collect::<Vec<_>>());
    let apart = run(&mut Link::new(conditions, 2), 5_000, 100, 10 * MS);
    let delays = apart
        .iter()
        .map(|(at, packet)| *at - 10 * MS * number(packet));
    let (least, most) = delays.fold((SECOND, Duration::ZERO), |(least, most), delay| {
        (least.min(delay), most.max(delay))
    });
    assert!(20 * MS <= least && least < 21 * MS, "{least:?}");
    assert!(24 * MS < most && most <= 25 * MS, "{most:?}");
    assert_eq!(link.counts().reordered, 0);
}

#[test]
fn a_rate_is_kept_to_the_nanosecond() {
    // 12 Mbit/s: 1,500 bytes in 1 ms. Ten at once wait for each other, the next finds the line free.
    let mut link = Link::new(
        Conditions {
            rate: Some(12_000_000),
            delay: 30 * MS,
            ..Conditions::default()
        },
        1,
    );
    for number in 0..10 {
        link.send(Duration::ZERO, packet(number, 1500));
    }
    link.send(50 * MS, packet(10, 750));
    let arrived = until(&mut link, SECOND);
    let times: Vec<_> = arrived.iter().map(|(at, _)| *at).collect();
    let mut expected: Vec<_> = (1..=10).map(|number| 30 * MS + MS * number).collect();
    expected.push(80 * MS + MS / 2);
    assert_eq!(times, expected);
}

#[test]
fn a_queue_limited_by_time_drops_what_would_wait_for_longer() {
    let mut link = Link::new(
        Conditions {
            rate: Some(12_000_000),
            queue: QueueLimit::Time(20 * MS),
            ..Conditions::default()
        },
        1,
    );
    for number in 0..100 {
        link.send(Duration::ZERO, packet(number, 1500));
    }
    // Waits of 0, 1, 2 … 20 ms.
    assert_eq!(link.in_flight(), 21);
    assert_eq!(link.counts().queue_dropped, 79);
    // Another finds room as soon as one has left.
    link.send(MS, packet(100, 1500));
    link.send(MS, packet(101, 1500));
    let arrived = until(&mut link, SECOND);
    assert_eq!(
        arrived.last().unwrap(),
        &(MS + 20 * MS + MS, packet(100, 1500))
    );
    assert_conserved(&link);
}

#[test]
fn a_queue_limited_by_bytes_holds_so_many() {
    let mut link = Link::new(
        Conditions {
            rate: Some(12_000_000),
            queue: QueueLimit::Bytes(4_000),
            ..Conditions::default()
        },
        1,
    );
    for number in 0..4 {
        link.send(Duration::ZERO, packet(number, 1500));
    }
    assert_eq!(link.in_flight(), 2);
    link.send(Duration::ZERO, packet(4, 1000));
    assert_eq!(link.in_flight(), 3);
    // The first has left at 1 ms and makes room for one; an empty queue takes a packet above its limit.
    link.send(MS, packet(5, 1500));
    link.send(MS, packet(6, 1));
    link.send(SECOND, packet(7, 9000));
    assert_eq!(numbers(&until(&mut link, 2 * SECOND)), [0, 1, 4, 5, 7]);
    assert_eq!(link.counts().queue_dropped, 3);
}

#[test]
fn an_overloaded_link_carries_its_rate_and_no_more() {
    let mut link = Link::new(
        Conditions {
            rate: Some(50_000_000),
            ..Conditions::default()
        },
        1,
    );
    // 120 Mbit/s for 2 s.
    let arrived = run(&mut link, 20_000, 1500, MS / 10);
    let within = arrived.iter().filter(|(at, _)| *at <= 2 * SECOND).count();
    let expected = 2 * 50_000_000 / 8 / 1500;
    assert!(
        within == expected || within + 1 == expected,
        "{within} of {expected}"
    );
    let late = arrived
        .iter()
        .map(|(at, packet)| *at - MS / 10 * number(packet));
    assert!(late.max().unwrap() <= 50 * MS + MS);
}

#[test]
fn reordered_packets_are_late_and_the_others_in_order() {
    let late = 10 * MS;
    let reorder = Reorder {
        probability: 0.25,
        late,
    };
    let mut link = Link::new(
        Conditions {
            delay: 20 * MS,
            reorder,
            ..Conditions::default()
        },
        3,
    );
    let arrived = run(&mut link, 10_000, 100, MS);
    let delay = |(at, packet): &(Duration, Vec<u8>)| *at - MS * number(packet);
    let (held, direct): (Vec<_>, Vec<_>) = arrived
        .into_iter()
        .partition(|arrived| delay(arrived) > 20 * MS);
    assert!(direct.iter().all(|arrived| delay(arrived) == 20 * MS));
    assert!(held.iter().all(|arrived| delay(arrived) == 30 * MS));
    assert!(numbers(&direct).is_sorted() && numbers(&held).is_sorted());
    assert!(
        (2_350..=2_650).contains(&held.len()),
        "{} of 10,000",
        held.len()
    );
    // All but the last ones are overtaken.
    let reordered = link.counts().reordered as usize;
    assert!(
        reordered <= held.len() && held.len() <= reordered + 10,
        "{reordered}"
    );
}

#[test]
fn a_shorter_delay_while_running_reorders_nothing() {
    let long = Conditions {
        delay: 100 * MS,
        ..Conditions::default()
    };
    let mut link = Link::new(long, 1);
    link.send(Duration::ZERO, packet(0, 100));
    link.change(Conditions {
        delay: 10 * MS,
        ..long
    });
    assert_eq!(link.conditions().delay, 10 * MS);
    link.send(20 * MS, packet(1, 100));
    link.send(150 * MS, packet(2, 100));
    let arrived = until(&mut link, SECOND);
    let times: Vec<_> = arrived.iter().map(|(at, _)| *at).collect();
    assert_eq!(times, [100 * MS, 100 * MS, 160 * MS]);
    assert_eq!(numbers(&arrived), [0, 1, 2]);
}

#[test]
fn a_new_rate_counts_for_what_is_sent_from_then_on() {
    let slow = Conditions {
        rate: Some(12_000_000),
        ..Conditions::default()
    };
    let mut link = Link::new(slow, 1);
    link.send(Duration::ZERO, packet(0, 1500));
    link.send(Duration::ZERO, packet(1, 1500));
    link.change(Conditions {
        rate: Some(120_000_000),
        ..slow
    });
    link.send(Duration::ZERO, packet(2, 1500));
    link.change(Conditions { rate: None, ..slow });
    link.send(Duration::ZERO, packet(3, 1500));
    let times: Vec<_> = until(&mut link, SECOND).iter().map(|(at, _)| *at).collect();
    let last = 2 * MS + MS / 10;
    assert_eq!(times, [MS, 2 * MS, last, last]);
}

#[test]
fn no_rate_at_all_carries_nothing_and_stops_nothing() {
    let mut link = Link::new(
        Conditions {
            rate: Some(0),
            ..Conditions::default()
        },
        1,
    );
    link.send(Duration::ZERO, packet(0, 1500));
    link.send(Duration::ZERO, packet(1, 1500));
    assert_eq!(link.receive(60 * SECOND), None);
    assert_eq!(link.counts().queue_dropped, 1);
}
