//! `cargo test -p common --release --test congestion -- --ignored --nocapture table`: all controllers side by side.

use std::time::Duration;

use common::session::quic::congestion::CongestionControl;
use lab::link::{Conditions, Loss, QueueLimit, Reorder};

use crate::sim::{Control, Flow, World};

const OURS: Control = Control::Ours(CongestionControl::Model);
const CUBIC: Control = Control::Ours(CongestionControl::Cubic);

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn link(mbit: u64, rtt: Duration, queue: QueueLimit) -> (Conditions, Conditions) {
    let forward = Conditions {
        delay: rtt / 2,
        rate: Some(mbit * 1_000_000),
        queue,
        ..Conditions::default()
    };
    let backward = Conditions {
        delay: rtt / 2,
        ..Conditions::default()
    };
    (forward, backward)
}

fn flow(control: Control) -> Flow {
    Flow {
        control,
        start: Duration::ZERO,
        bytes: u64::MAX,
    }
}

#[test]
#[ignore = "prints a table"]
fn table() {
    let seconds = |s| Duration::from_secs(s);
    let (good, back) = link(200, ms(50), QueueLimit::Time(ms(50)));
    let with = |loss| Conditions { loss, ..good };
    let scenarios = [
        ("clean", good),
        ("loss 0.1 %", with(Loss::Random(0.001))),
        ("loss 1 %", with(Loss::Random(0.01))),
        ("loss 2 %", with(Loss::Random(0.02))),
        ("bursts 5 % of 10", with(Loss::bursts(0.05, 10.0))),
        (
            "reorder 25 % 10 ms",
            Conditions {
                reorder: Reorder {
                    probability: 0.25,
                    late: ms(10),
                },
                ..good
            },
        ),
        (
            "jitter 20 ms",
            Conditions {
                jitter: ms(20),
                ..good
            },
        ),
        (
            "queue 5 ms",
            Conditions {
                queue: QueueLimit::Time(ms(5)),
                ..good
            },
        ),
        (
            "queue 1 ms",
            Conditions {
                queue: QueueLimit::Time(ms(1)),
                ..good
            },
        ),
        (
            "queue 200 ms",
            Conditions {
                queue: QueueLimit::Time(ms(200)),
                ..good
            },
        ),
    ];
    println!(
        "{:20} {:>28} {:>28} {:>28}",
        "goodput/p50/p99/lost %", "cubic", "quinn bbr", "ours"
    );
    for (name, forward) in scenarios {
        print!("{name:20}");
        for control in [CUBIC, Control::QuinnBbr, OURS] {
            let mut world = World::new(forward, back, &[flow(control)], 1);
            world.run(seconds(10));
            let m = &world.measured;
            let stats = world.sender(0).stats().unwrap();
            let lost =
                100.0 * stats.path.lost_packets as f64 / stats.path.sent_packets.max(1) as f64;
            print!(
                " {:>9.1} {:>5.1} {:>5.1} {:>5.1}{}",
                m.total(seconds(2), seconds(10)),
                m.wait(0.5, seconds(2), seconds(10)),
                m.wait(0.99, seconds(2), seconds(10)),
                lost,
                if world.lost().is_some() { "X" } else { " " }
            );
        }
        println!();
    }
}
