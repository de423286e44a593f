//! The core on its own: any events, in any order, at any time, and a few orderly ones. How it does on links is tested in
//! `common/tests/congestion`.

use std::time::{Duration, Instant};

use rand::{RngExt, SeedableRng, rngs::SmallRng};

use super::core::Core;

/// Sizes from nothing to the absurd.
fn bytes(random: &mut SmallRng) -> u64 {
    let bits = random.random_range(0..64);
    random.random::<u64>() >> bits
}

/// From a nanosecond to decades.
fn time(random: &mut SmallRng) -> Duration {
    Duration::from_nanos(random.random::<u64>() >> random.random_range(4..64))
}

fn any_event(core: &mut Core, start: Instant, now: &mut Instant, random: &mut SmallRng) {
    let sent = now
        .checked_sub(time(random))
        .filter(|sent| random.random::<bool>() && *sent > start)
        .unwrap_or(*now);
    match random.random_range(0..10) {
        0 => *now = start + time(random),
        1 | 2 => *now += Duration::from_nanos(random.random_range(0..100_000_000)),
        3 => core.on_sent(*now, bytes(random)),
        4 | 5 => core.on_ack(*now, sent, bytes(random)),
        6 | 7 => core.on_end_acks(*now, bytes(random), random.random()),
        8 => core.on_loss(sent, bytes(random)),
        _ if random.random_range(0..20) == 0 => core.on_persistent_congestion(*now),
        _ => core.on_mtu_update(random.random_range(0..=u16::MAX)),
    }
}

#[test]
fn any_events_leave_the_window_within_its_bounds() {
    for seed in 0..200 {
        let mut random = SmallRng::seed_from_u64(seed);
        let start = Instant::now();
        let mut now = start;
        let mut core = Core::new(now, random.random_range(0..=u16::MAX));
        for _ in 0..2000 {
            any_event(&mut core, start, &mut now, &mut random);
            let window = core.window();
            assert!(window >= core.min_window() && window > 0, "seed {seed}");
            assert!(
                window <= u64::from(u32::MAX),
                "the pacer would be off: seed {seed}"
            );
        }
    }
}

/// A path without loss or queue: 100 packets of 1,250 bytes a round trip of 10 ms.
#[test]
fn a_steady_path_gives_a_steady_window() {
    let start = Instant::now();
    let mut core = Core::new(start, 1250);
    assert_eq!(core.window(), 12_500, "ten datagrams");
    let tick = Duration::from_micros(100);
    for packet in 0..30_000 {
        let now = start + tick * packet;
        if let Some(acked) = packet.checked_sub(100) {
            core.on_ack(now, start + tick * acked, 1250);
            core.on_end_acks(now, 125_000, false);
        }
        core.on_sent(now, 1250);
    }
    // 12.5 MB/s × 12 ms = 150 kB; cruising at 1.15 of it, or probing at 1.25, and the slack.
    let window = core.window();
    assert!((130_000..250_000).contains(&window), "{window}");
}

#[test]
fn persistent_congestion_closes_the_window_and_the_next_rounds_open_it_again() {
    let start = Instant::now();
    let mut core = Core::new(start, 1200);
    let ms = Duration::from_millis(1);
    for round in 0..50 {
        let now = start + 10 * ms * round;
        core.on_sent(now, 120_000);
        core.on_ack(now + 10 * ms, now, 120_000);
        core.on_end_acks(now + 10 * ms, 0, false);
    }
    let before = core.window();
    let now = start + 1000 * ms;
    core.on_loss(now, 120_000);
    core.on_persistent_congestion(now);
    assert_eq!(core.window(), 4 * 1200);
    let windows = [1, 2, 3].map(|round| {
        let now = now + 10 * ms * round;
        core.on_sent(now, 4800);
        core.on_ack(now + 10 * ms, now, 4800);
        core.on_end_acks(now + 10 * ms, 0, false);
        core.window()
    });
    assert!(windows[0] > 4 * 1200 && windows[0] < before, "{windows:?}");
    assert!(windows[2] > before / 2, "{windows:?} {before}");
}
