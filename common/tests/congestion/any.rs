//! Any link, within reason.

use lab::link::{Conditions, Loss, QueueLimit};
use rand::{RngExt, SeedableRng, rngs::SmallRng};

use crate::scenario::{MODEL, flow, ms, world};

/// From 2 to 40 Mbit/s, 5 to 150 ms, queues of a third to four bandwidth-delay products, up to 2 % loss: two thirds of the
/// rate arrive, and the connection lives.
#[test]
fn most_of_any_link_is_used() {
    for seed in 0..12 {
        let mut random = SmallRng::seed_from_u64(seed);
        let rtt = random.random_range(5..150);
        let rate = 1_000_000 * random.random_range(2..40);
        let queue = rtt * random.random_range(33..400) / 100;
        let forward = Conditions {
            delay: ms(rtt) / 2,
            rate: Some(rate),
            // Ten packets fit into any queue.
            queue: QueueLimit::Time(ms(queue.max(120_000_000 / rate))),
            loss: Loss::Random(random.random_range(0.0..0.02)),
            ..Conditions::default()
        };
        let mut world = world(forward, &[flow(MODEL, 0)]);
        world.run(ms(5000));
        let share = world.measured.total(ms(2000), ms(5000)) * 1e6 / rate as f64;
        assert_eq!(world.lost(), None, "{forward:?}");
        assert!(share > 0.67, "seed {seed}: {share:.2} of {forward:?}");
    }
}
