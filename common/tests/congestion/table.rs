//! `cargo test -p common --release --test congestion -- --ignored --nocapture table`: all controllers side by side.

use std::time::Duration;

use lab::link::{Conditions, Loss, Reorder};

use crate::{
    scenario::{CUBIC, MODEL, flow, good, link, ms, world},
    sim::{Control, World},
};

const CONTROLS: [Control; 3] = [CUBIC, Control::QuinnBbr, MODEL];

/// One link or pattern of flows, by the name that is printed.
type Scenario = (&'static str, fn(Control) -> String);

const SCENARIOS: &[Scenario] = &[
    ("clean", |c| steady(good(), c)),
    ("loss 0.1 %", |c| steady(lossy(Loss::Random(0.001)), c)),
    ("loss 1 %", |c| steady(lossy(Loss::Random(0.01)), c)),
    ("loss 2 %", |c| steady(lossy(Loss::Random(0.02)), c)),
    ("loss 10 %", |c| steady(lossy(Loss::Random(0.1)), c)),
    ("bursts 5 % of 10", |c| {
        steady(lossy(Loss::bursts(0.05, 10.0)), c)
    }),
    ("bursts 5 % of 100", |c| {
        steady(lossy(Loss::bursts(0.05, 100.0)), c)
    }),
    ("reorder 25 % 10 ms", |c| steady(reordering(200), c)),
    ("reorder, 50 Mbit/s", |c| steady(reordering(50), c)),
    ("jitter 20 ms", |c| {
        steady(
            Conditions {
                jitter: ms(20),
                ..good()
            },
            c,
        )
    }),
    ("queue 200 ms", |c| steady(link(200, 50, 200), c)),
    ("queue 10 ms", |c| steady(link(200, 50, 10), c)),
    ("queue 5 ms", |c| steady(link(200, 50, 5), c)),
    ("queue 1 ms", |c| steady(link(200, 50, 1), c)),
    ("10 Mbit/s", |c| steady(link(10, 50, 100), c)),
    ("1 Mbit/s, 200 ms", |c| steady(link(1, 200, 200), c)),
    ("1 Gbit/s, 1 ms", |c| steady(link(1000, 1, 5), c)),
    ("1 Gbit/s, 100 ms", |c| steady(link(1000, 100, 50), c)),
    ("start, queue 5 ms", |c| {
        let world = ran(link(200, 50, 5), &[c], 1);
        row(&world, ms(0), ms(1000))
    }),
    ("start, 1 G, 100 ms, 10", |c| {
        let world = ran(link(1000, 100, 10), &[c], 3);
        row(&world, ms(0), ms(3000))
    }),
    ("start, 2 % loss", |c| {
        let world = ran(lossy(Loss::Random(0.02)), &[c], 1);
        row(&world, ms(0), ms(1000))
    }),
    ("start, first second", |c| {
        let world = ran(good(), &[c], 1);
        row(&world, ms(0), ms(1000))
    }),
    ("blackout 1 s of 4", |c| blackouts(c)),
    ("200, 20, 200 Mbit/s", |c| rates(c)),
    ("2 of the same", |c| several(good(), &[c, c], 0)),
    ("4 of the same", |c| several(good(), &[c, c, c, c], 0)),
    ("2, one 5 s later", |c| several(good(), &[c, c], 5000)),
    ("4, each 0.3 s later", |c| {
        several(link(50, 50, 50), &[c, c, c, c], 300)
    }),
    ("4, each 3 s later", |c| {
        several(link(50, 50, 100), &[c, c, c, c], 3000)
    }),
    ("2 over 1 % loss", |c| {
        several(lossy(Loss::Random(0.01)), &[c, c], 0)
    }),
    ("4, queue 5 ms", |c| {
        several(link(200, 50, 5), &[c, c, c, c], 0)
    }),
    ("cubic, 0.5 BDP", |c| {
        several(link(50, 50, 25), &[CUBIC, c], 0)
    }),
    ("cubic, 1 BDP", |c| {
        several(link(50, 50, 50), &[CUBIC, c], 0)
    }),
    ("cubic, 2 BDP", |c| {
        several(link(50, 50, 100), &[CUBIC, c], 0)
    }),
    ("long 10 M 1 BDP", |c| {
        several(link(10, 50, 50), &[CUBIC, c], 1)
    }),
    ("long 50 M 0.5 BDP", |c| {
        several(link(50, 50, 25), &[CUBIC, c], 1)
    }),
    ("long 50 M 1 BDP", |c| {
        several(link(50, 50, 50), &[CUBIC, c], 1)
    }),
    ("long 50 M 2 BDP", |c| {
        several(link(50, 50, 100), &[CUBIC, c], 1)
    }),
    ("long 200 M 1 BDP", |c| {
        several(link(200, 50, 50), &[CUBIC, c], 1)
    }),
    ("long 200 M 2 BDP", |c| {
        several(link(200, 50, 100), &[CUBIC, c], 1)
    }),
    ("long 50 M 20 ms 1 BDP", |c| {
        several(link(50, 20, 20), &[CUBIC, c], 1)
    }),
    ("long 50 M 20 ms 2 BDP", |c| {
        several(link(50, 20, 40), &[CUBIC, c], 1)
    }),
    ("long 50 M 100 ms 1 BDP", |c| {
        several(link(50, 100, 100), &[CUBIC, c], 1)
    }),
    ("long 2 c 2 m 1 BDP", |c| {
        several(link(100, 50, 50), &[CUBIC, CUBIC, c, c], 1)
    }),
    ("cubic 5 s before", |c| {
        several(link(50, 50, 50), &[CUBIC, c], 5000)
    }),
    ("cubic 5 s after", |c| {
        several(link(50, 50, 50), &[c, CUBIC], 5000)
    }),
];

fn lossy(loss: Loss) -> Conditions {
    Conditions { loss, ..good() }
}

fn reordering(mbit: u64) -> Conditions {
    let reorder = Reorder {
        probability: 0.25,
        late: ms(10),
    };
    Conditions {
        reorder,
        ..link(mbit, 50, 50)
    }
}

fn ran(forward: Conditions, controls: &[Control], seconds: u64) -> World {
    let flows: Vec<_> = controls.iter().map(|control| flow(*control, 0)).collect();
    let mut world = world(forward, &flows);
    world.run(Duration::from_secs(seconds));
    world
}

fn row(world: &World, from: Duration, to: Duration) -> String {
    let m = &world.measured;
    format!(
        "{:>6.1} {:>5.1} {:>5.1} {:>5.1}{}",
        m.total(from, to),
        m.wait(0.5, from, to),
        m.wait(0.99, from, to),
        lost(world),
        if world.lost().is_some() { "X" } else { " " }
    )
}

/// Percent of the packets of the first flow that quinn takes for lost.
fn lost(world: &World) -> f64 {
    let path = world.sender(0).stats().expect("connected").path;
    100.0 * path.lost_packets as f64 / path.sent_packets.max(1) as f64
}

fn steady(forward: Conditions, control: Control) -> String {
    let world = ran(forward, &[control], 10);
    row(&world, ms(2000), ms(10_000))
}

fn blackouts(control: Control) -> String {
    let mut world = world(good(), &[flow(control, 0)]);
    for cycle in 1..=4 {
        world.run(ms(cycle * 4000 - 1000));
        world.set_up(false);
        world.run(ms(cycle * 4000));
        world.set_up(true);
    }
    world.run(ms(19_000));
    row(&world, ms(3000), ms(19_000))
}

fn rates(control: Control) -> String {
    let mut world = world(good(), &[flow(control, 0)]);
    world.run(ms(5000));
    world.change(link(20, 50, 50));
    world.run(ms(10_000));
    world.change(good());
    world.run(ms(15_000));
    let m = &world.measured;
    let at = |from, to| m.total(ms(from), ms(to));
    format!(
        "{:>5.1} {:>5.1} {:>5.0} {:>5.0}",
        at(6000, 8000),
        m.wait(0.5, ms(7000), ms(10_000)),
        at(10_500, 11_500),
        at(12_000, 15_000)
    )
}

fn several(forward: Conditions, controls: &[Control], later: u64) -> String {
    let flows: Vec<_> = controls
        .iter()
        .zip(0..)
        .map(|(control, number)| flow(*control, number * later))
        .collect();
    let mut world = world(forward, &flows);
    let from = Duration::from_secs(5);
    let to = from + Duration::from_secs(if later == 1 { 60 } else { 25 });
    world.run(to);
    let m = &world.measured;
    let share = |flow| {
        format!(
            "{:.0}",
            100.0 * m.goodput(flow, from, to) / m.total(from, to)
        )
    };
    let shares: Vec<_> = (0..controls.len()).map(share).collect();
    format!(
        "{:>6.1} {:>11} {:>3.0} {:>3.0} {:>4.1}{}",
        m.total(from, to),
        shares.join("/"),
        m.wait(0.5, from, to),
        m.wait(0.99, from, to),
        lost(&world),
        if world.lost().is_some() { "X" } else { " " }
    )
}

#[test]
#[ignore = "prints a table"]
fn table() {
    let only = std::env::var("SCENARIO").unwrap_or_default();
    let ours = std::env::var("ONLY_MODEL").is_ok();
    println!(
        "{:22}{:>28}{:>28}{:>28}",
        "Mbit/s p50 p99 lost%", "cubic", "quinn bbr", "model"
    );
    for (name, scenario) in SCENARIOS.iter().filter(|(name, _)| name.contains(&only)) {
        let results = CONTROLS
            .iter()
            .skip(if ours { 2 } else { 0 })
            .map(|control| scenario(*control));
        let results: Vec<_> = results.map(|text| format!("{text:>28}")).collect();
        println!("{name:22}{}", results.concat());
    }
}
