//! Several flows through one queue.

use lab::link::{Conditions, Loss};

use crate::{
    scenario::{CUBIC, MODEL, flow, link, ms, world, world_of},
    sim::{Control, World},
};

/// Runs of one scenario: who gets what in 20 s is chance, too.
const SEEDS: u64 = 3;

fn ran(forward: Conditions, controls: &[Control], seconds: u64) -> World {
    ran_with(forward, controls, seconds, 1)
}

fn ran_with(forward: Conditions, controls: &[Control], seconds: u64, seed: u64) -> World {
    let flows: Vec<_> = controls
        .iter()
        .zip(0..)
        .map(|(control, number)| flow(*control, number * 300))
        .collect();
    let mut world = world_of(forward, &flows, seed);
    world.run(ms(seconds * 1000));
    assert_eq!(world.lost(), None);
    world
}

#[test]
fn flows_of_the_same_kind_get_the_same() {
    for (flows, least) in [(2, 0.95), (4, 0.8)] {
        let mut fairness = 0.0;
        for seed in 1..=SEEDS {
            let world = ran_with(link(40, 50, 50), &vec![MODEL; flows], 25, seed);
            let m = &world.measured;
            let (from, to) = (ms(5000), ms(25_000));
            let total = m.total(from, to);
            assert!(total > 36.0, "{flows}: {total:.1} Mbit/s of 40");
            for flow in 0..flows {
                let share = m.goodput(flow, from, to) / total * flows as f64;
                assert!(share > 0.2, "{flows}, seed {seed}: {share:.2} of a share");
            }
            fairness += m.fairness(from, to) / SEEDS as f64;
        }
        assert!(fairness > least, "{flows}: {fairness:.2}");
    }
}

#[test]
fn several_flows_fill_a_shallow_queue_without_overrunning_it() {
    let counts = |world: &World| {
        let paths = (0..4).map(|flow| world.sender(flow).stats().expect("connected").path);
        paths.fold((0, 0), |(lost, sent), path| {
            (lost + path.lost_packets, sent + path.sent_packets)
        })
    };
    let mut world = ran(link(200, 50, 5), &[MODEL; 4], 2);
    let (lost, sent) = counts(&world);
    world.run(ms(6000));
    let total = world.measured.total(ms(2000), ms(6000));
    assert!(total > 175.0, "{total:.1} Mbit/s of 200");
    let after = counts(&world);
    let lost = (after.0 - lost) as f64 / (after.1 - sent) as f64;
    assert!(lost < 0.03, "{lost:.3} of the packets are lost");
}

#[test]
fn a_late_flow_and_a_lossy_path_change_nothing_about_it() {
    let loss = Loss::Random(0.01);
    let lossy = Conditions {
        loss,
        ..link(30, 50, 50)
    };
    let mut world = world(lossy, &[flow(MODEL, 0), flow(MODEL, 5000)]);
    world.run(ms(20_000));
    let fairness = world.measured.fairness(ms(8000), ms(20_000));
    assert!(fairness > 0.9, "{fairness:.2}");
}

/// Neither starves, with a queue of one and of two bandwidth-delay products.
#[test]
fn cubic_and_the_model_share() {
    for queue in [50, 100] {
        let world = ran(link(20, 50, queue), &[CUBIC, MODEL], 40);
        let share = |flow| {
            let rate = world.measured.goodput(flow, ms(5000), ms(40_000));
            rate * 100.0 / world.measured.total(ms(5000), ms(40_000))
        };
        for flow in [0, 1] {
            assert!(
                share(flow) > 25.0,
                "{queue} ms, flow {flow}: {:.0} %",
                share(flow)
            );
        }
    }
}
