//! What holds under any conditions: they are drawn, and change while the link runs.

use rand::{RngExt, SeedableRng, rngs::SmallRng};

use super::*;
use crate::link::{Counts, Loss, QueueLimit, Reorder};

fn any_conditions(random: &mut SmallRng, may_reorder: bool) -> Conditions {
    let mut sometimes = |most: f64| {
        let draw = random.random::<f64>() * most;
        if random.random() { draw } else { 0.0 }
    };
    let reorder = Reorder {
        probability: if may_reorder { sometimes(0.5) } else { 0.0 },
        late: MS.mul_f64(sometimes(30.0)),
    };
    Conditions {
        up: sometimes(1.0) < 0.9,
        delay: MS.mul_f64(sometimes(100.0)),
        jitter: MS.mul_f64(sometimes(20.0)),
        loss: match sometimes(4.0) {
            0.0..1.0 => Loss::None,
            1.0..2.0 => Loss::Random(sometimes(0.5)),
            2.0..3.0 => Loss::fades(0.1, MS.mul_f64(sometimes(20.0))),
            _ => Loss::bursts(sometimes(0.5), 1.0 + sometimes(20.0)),
        },
        reorder,
        duplicate: sometimes(0.3),
        corrupt: sometimes(0.3),
        tamper: sometimes(0.3),
        rate: Some(sometimes(100_000_000.0) as u64).filter(|rate| *rate > 0),
        queue: match sometimes(2.0) {
            0.0..1.0 => QueueLimit::Time(MS.mul_f64(sometimes(100.0))),
            _ => QueueLimit::Bytes(sometimes(100_000.0) as usize),
        },
        mtu: Some(sometimes(1500.0) as usize).filter(|mtu| *mtu > 0),
    }
}

/// One life of a link: 2,000 packets in bursts, with five changes, and looks in between.
fn live(seed: u64, may_reorder: bool) -> (Vec<(Duration, Vec<u8>)>, Counts) {
    let mut random = SmallRng::seed_from_u64(seed);
    let mut link = Link::new(any_conditions(&mut random, may_reorder), seed);
    let (mut now, mut arrived) = (Duration::ZERO, Vec::new());
    for number in 0..2_000 {
        if number % 400 == 399 {
            link.change(any_conditions(&mut random, may_reorder));
        }
        if random.random_bool(0.3) {
            now += MS.mul_f64(random.random::<f64>() * 3.0);
        }
        arrived.extend(until(&mut link, now));
        link.send(now, packet(number, random.random_range(4..1600)));
        assert_conserved(&link);
    }
    arrived.extend(until(&mut link, Duration::MAX));
    assert_conserved(&link);
    assert_eq!(link.in_flight(), 0);
    (arrived, link.counts())
}

#[test]
fn every_packet_meets_one_end() {
    for seed in 0..300 {
        let (arrived, counts) = live(seed, true);
        assert_eq!(counts.sent, 2_000);
        assert_eq!(counts.delivered, arrived.len() as u64);
        let bytes: usize = arrived.iter().map(|(_, packet)| packet.len()).sum();
        assert_eq!(counts.delivered_bytes, bytes as u64);
    }
}

#[test]
fn time_never_goes_back_and_nothing_is_reordered_unasked() {
    for seed in 0..300 {
        let (arrived, counts) = live(seed, false);
        assert!(arrived.is_sorted_by_key(|(at, _)| *at));
        assert_eq!(counts.reordered, 0, "seed {seed}");
    }
}

#[test]
fn the_same_seed_gives_the_same_result() {
    for seed in 0..20 {
        assert_eq!(live(seed, true), live(seed, true));
    }
    assert_ne!(live(1, true), live(2, true));
}
