//! One flow on a link that changes.

use lab::link::Conditions;

use crate::scenario::{MODEL, flow, link, ms, world};

#[test]
fn a_slower_and_a_faster_link_are_learned_within_seconds() {
    let mut world = world(link(50, 50, 50), &[flow(MODEL, 0)]);
    world.run(ms(3000));
    world.change(link(5, 50, 50));
    world.run(ms(9000));
    world.change(link(50, 50, 50));
    world.run(ms(12_000));
    let at = |from, to| world.measured.total(ms(from), ms(to));
    let slow = at(5000, 9000);
    assert!(slow > 4.3, "{slow:.1} Mbit/s of 5");
    let wait = world.measured.wait(0.95, ms(7000), ms(9000));
    assert!(wait < 45.0, "{wait:.1} ms");
    let fast = at(10_000, 12_000);
    assert!(fast > 45.0, "{fast:.1} Mbit/s of 50");
}

#[test]
fn a_longer_path_is_learned_within_seconds() {
    let mut world = world(link(50, 30, 100), &[flow(MODEL, 0)]);
    world.run(ms(3000));
    let longer = link(50, 130, 100);
    world.change(longer);
    world.run(ms(9000));
    let goodput = world.measured.total(ms(6000), ms(9000));
    assert!(goodput > 42.0, "{goodput:.1} Mbit/s of 50");
}

/// quinn itself sends nothing for up to 0.6 s after the path is back: its probes back off (RFC 9002, section 6.2).
#[test]
fn an_outage_of_a_second_costs_little_more_than_a_second() {
    let mut world = world(link(50, 50, 50), &[flow(MODEL, 0)]);
    for outage in [3000, 7000] {
        world.run(ms(outage));
        world.set_up(false);
        world.run(ms(outage + 1000));
        world.set_up(true);
    }
    world.run(ms(11_000));
    let goodput = world.measured.total(ms(3000), ms(11_000));
    assert!(goodput > 28.0, "{goodput:.1} Mbit/s of 37.5");
    for outage in [3000, 7000] {
        let after = world.measured.total(ms(outage + 2000), ms(outage + 4000));
        assert!(after > 44.0, "{after:.1} Mbit/s of 50");
    }
}

#[test]
fn an_idle_flow_resumes_where_it_was_without_a_burst() {
    let mut first = flow(MODEL, 0);
    first.bytes = 10_000_000;
    let mut world = world(link(50, 50, 50), &[first]);
    world.run(ms(15_000));
    assert!(world.measured.total(ms(14_000), ms(15_000)) < 0.1, "idle");
    world.send(0, u64::MAX);
    world.run(ms(17_000));
    let goodput = world.measured.total(ms(15_100), ms(17_000));
    assert!(goodput > 44.0, "{goodput:.1} Mbit/s of 50");
    let wait = world.measured.wait(0.99, ms(15_000), ms(17_000));
    assert!(wait < 30.0, "{wait:.1} ms");
}

/// An outage that begins while the flow starts must not stop it for good.
#[test]
fn an_outage_in_the_start_is_survived() {
    let mut world = world(link(20, 50, 50), &[flow(MODEL, 0)]);
    world.run(ms(250));
    world.set_up(false);
    world.run(ms(2250));
    world.set_up(true);
    world.run(ms(8000));
    let goodput = world.measured.total(ms(6000), ms(8000));
    assert!(goodput > 18.0, "{goodput:.1} Mbit/s of 20");
}

/// Loss that begins together with an outage is no reason to stay small.
#[test]
fn a_path_that_comes_back_lossy_is_used() {
    let good = link(20, 50, 50);
    let mut world = world(good, &[flow(MODEL, 0)]);
    world.run(ms(2000));
    world.set_up(false);
    world.run(ms(3000));
    world.set_up(true);
    world.change(Conditions {
        loss: lab::link::Loss::Random(0.15),
        ..good
    });
    world.run(ms(10_000));
    let goodput = world.measured.total(ms(6000), ms(10_000));
    assert!(goodput > 12.0, "{goodput:.1} Mbit/s of 17");
}
