//! One flow on a link that does not change.

use lab::link::{Conditions, Loss, Reorder};

use crate::{
    scenario::{CUBIC, MODEL, flow, link, ms, world},
    sim::{Control, World},
};

/// 50 Mbit/s, 50 ms there and back, a queue of 50 ms: the shape of the bad path of our measurements.
const MBIT: u64 = 50;

fn path() -> Conditions {
    link(MBIT, 50, 50)
}

/// Six seconds, the first two for the start.
fn ran(forward: Conditions, control: Control) -> World {
    let mut world = world(forward, &[flow(control, 0)]);
    world.run(ms(6000));
    assert_eq!(world.lost(), None);
    world
}

/// Goodput in hundredths of the rate, and the wait in the queue of the slowest hundredth of all packets, ms.
fn result(world: &World) -> (f64, f64) {
    let goodput = world.measured.total(ms(2000), ms(6000));
    let wait = world.measured.wait(0.99, ms(2000), ms(6000));
    (goodput * 100.0 / MBIT as f64, wait)
}

#[test]
fn random_loss_costs_no_more_than_the_packets_that_are_lost() {
    for (loss, least) in [(0.0, 93.0), (0.001, 93.0), (0.01, 91.0), (0.02, 90.0)] {
        let loss = Loss::Random(loss);
        let (goodput, wait) = result(&ran(Conditions { loss, ..path() }, MODEL));
        assert!(goodput > least, "{loss:?}: {goodput:.1} %");
        assert!(wait < 25.0, "{loss:?}: {wait:.1} ms");
    }
}

/// What the model is for.
#[test]
fn cubic_starves_where_the_model_does_not() {
    let loss = Loss::Random(0.01);
    let (cubic, _) = result(&ran(Conditions { loss, ..path() }, CUBIC));
    assert!(cubic < 15.0, "{cubic:.1} %");
}

#[test]
fn bursts_of_loss_cost_little() {
    for length in [10.0, 50.0] {
        let loss = Loss::bursts(0.05, length);
        let (goodput, _) = result(&ran(Conditions { loss, ..path() }, MODEL));
        assert!(goodput > 70.0, "{length}: {goodput:.1} %");
    }
}

/// At 50 Mbit/s 43 packets pass within 10 ms, at 200 Mbit/s 170: what is more than 128 packets late is thrown away by
/// quinn's receiver.
#[test]
fn reordering_costs_nothing_until_quinn_throws_late_packets_away() {
    let reorder = Reorder {
        probability: 0.25,
        late: ms(10),
    };
    let (goodput, _) = result(&ran(Conditions { reorder, ..path() }, MODEL));
    assert!(goodput > 93.0, "{goodput:.1} %");
    let fast = Conditions {
        reorder,
        ..link(200, 50, 50)
    };
    let goodput = ran(fast, MODEL).measured.total(ms(2000), ms(6000));
    assert!(goodput > 100.0, "{goodput:.1} Mbit/s");
}

/// What is lost behind a probe is of few packets, and says little about the rest.
#[test]
fn heavy_loss_costs_no_more_than_the_packets_that_are_lost() {
    let loss = Loss::Random(0.1);
    let lossy = Conditions {
        loss,
        ..link(200, 50, 50)
    };
    let goodput = ran(lossy, MODEL).measured.total(ms(2000), ms(6000));
    assert!(goodput > 175.0, "{goodput:.1} Mbit/s");
}

#[test]
fn jitter_is_no_queue() {
    let jitter = ms(20);
    let (goodput, wait) = result(&ran(Conditions { jitter, ..path() }, MODEL));
    assert!(goodput > 88.0, "{goodput:.1} %");
    assert!(wait < 45.0, "{wait:.1} ms, of which 20 are jitter");
}

#[test]
fn a_deep_queue_stays_nearly_empty() {
    let (goodput, wait) = result(&ran(link(MBIT, 50, 500), MODEL));
    assert!(goodput > 93.0, "{goodput:.1} %");
    assert!(wait < 25.0, "{wait:.1} ms");
}

/// A policer, or a switch with little memory.
#[test]
fn a_shallow_queue_is_not_overrun() {
    let world = ran(link(MBIT, 50, 8), MODEL);
    let (goodput, _) = result(&world);
    let path = world.sender(0).stats().expect("connected").path;
    assert!(goodput > 85.0, "{goodput:.1} %");
    assert!(path.lost_packets * 100 < path.sent_packets * 5, "{path:?}");
}

#[test]
fn a_long_fat_path_is_filled_in_a_second_and_a_half() {
    let mut world = world(link(200, 100, 50), &[flow(MODEL, 0)]);
    world.run(ms(2500));
    let goodput = world.measured.total(ms(1500), ms(2500));
    assert!(goodput > 185.0, "{goodput:.1} Mbit/s");
}

#[test]
fn a_slow_link_has_no_long_queue() {
    let mut world = world(link(1, 100, 1000), &[flow(MODEL, 0)]);
    world.run(ms(20_000));
    let goodput = world.measured.total(ms(5000), ms(20_000));
    let wait = world.measured.wait(0.99, ms(5000), ms(20_000));
    assert!(goodput > 0.85, "{goodput:.2} Mbit/s");
    assert!(wait < 150.0, "{wait:.1} ms, 12 packets");
}

#[test]
fn the_start_loses_little() {
    let mut world = world(path(), &[flow(MODEL, 0)]);
    world.run(ms(1000));
    let path = world.sender(0).stats().expect("connected").path;
    assert!(path.lost_packets * 100 < path.sent_packets * 3, "{path:?}");
    let goodput = world.measured.total(ms(0), ms(1000));
    assert!(goodput > 25.0, "{goodput:.1} Mbit/s");
}

#[test]
fn the_simulation_is_exact() {
    let loss = Loss::Random(0.02);
    let run = || {
        let mut world = world(Conditions { loss, ..path() }, &[flow(MODEL, 0)]);
        world.run(ms(1500));
        world.sender(0).stats().expect("connected").udp_tx.bytes
    };
    assert_eq!(run(), run());
}
