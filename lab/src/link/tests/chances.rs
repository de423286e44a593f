//! Loss, duplication and damage. The bounds are four standard deviations and more.

use super::*;
use crate::link::Loss;

const COUNT: u32 = 100_000;

/// For each packet, in order, whether it was lost; one is sent each `gap`.
fn losses_each(gap: Duration, loss: Loss, seed: u64) -> Vec<bool> {
    let mut link = Link::new(
        Conditions {
            loss,
            ..Conditions::default()
        },
        seed,
    );
    let arrived = run(&mut link, COUNT, 4, gap);
    let mut lost = vec![true; COUNT as usize];
    for number in numbers(&arrived) {
        lost[number as usize] = false;
    }
    assert_conserved(&link);
    lost
}

fn losses(loss: Loss, seed: u64) -> Vec<bool> {
    losses_each(Duration::ZERO, loss, seed)
}

fn share(lost: &[bool]) -> f64 {
    lost.iter().filter(|lost| **lost).count() as f64 / lost.len() as f64
}

fn mean_burst(lost: &[bool]) -> f64 {
    let bursts = lost.split(|lost| !lost).filter(|burst| !burst.is_empty());
    let (count, sum) = bursts.fold((0, 0), |(count, sum), burst| (count + 1, sum + burst.len()));
    sum as f64 / f64::from(count)
}

#[test]
fn random_loss_is_as_asked_for() {
    for (probability, bound) in [(0.01, 0.002), (0.25, 0.008)] {
        let lost = losses(Loss::Random(probability), 4);
        assert!((share(&lost) - probability).abs() < bound);
        // Each for itself: bursts are as long as chance makes them.
        let burst = 1.0 / (1.0 - probability);
        assert!((mean_burst(&lost) - burst).abs() < 0.05);
    }
    assert_eq!(share(&losses(Loss::None, 4)), 0.0);
    assert_eq!(share(&losses(Loss::Random(0.0), 4)), 0.0);
    assert_eq!(share(&losses(Loss::Random(1.0), 4)), 1.0);
}

#[test]
fn bursts_are_as_long_and_as_many_as_asked_for() {
    for (loss, length) in [(0.05, 8.0), (0.01, 3.0), (0.3, 1.5)] {
        let lost = losses(Loss::bursts(loss, length), 5);
        let (share, burst) = (share(&lost), mean_burst(&lost));
        assert!((share - loss).abs() < 0.15 * loss, "{share} of {loss}");
        assert!(
            (burst - length).abs() < 0.15 * length,
            "{burst} of {length}"
        );
    }
}

#[test]
fn both_states_of_a_burst_have_their_own_loss() {
    // Half of the time each: (10 % + 60 %) / 2.
    let lost = losses(
        Loss::Burst {
            enter: 0.1,
            leave: 0.1,
            good: 0.1,
            bad: 0.6,
        },
        6,
    );
    assert!((share(&lost) - 0.35).abs() < 0.02);
}

#[test]
fn fades_are_as_long_and_as_many_as_asked_for() {
    let loss = Loss::fades(0.2, 10 * MS);
    // Ten packets each millisecond: a bad time has a hundred.
    let lost = losses_each(MS / 10, loss, 11);
    let (share_lost, burst) = (share(&lost), mean_burst(&lost));
    assert!((share_lost - 0.2).abs() < 0.06, "{share_lost}");
    assert!((burst - 100.0).abs() < 30.0, "{burst}");
    // One each second: it has long been forgotten how the last one fared.
    let lost = losses_each(SECOND, loss, 11);
    let (share_lost, burst) = (share(&lost), mean_burst(&lost));
    assert!((share_lost - 0.2).abs() < 0.01, "{share_lost}");
    assert!((burst - 1.25).abs() < 0.05, "{burst}");
}

#[test]
fn a_fade_begins_well_and_may_be_nothing_at_all() {
    for (good, bad) in [(MS, Duration::ZERO), (Duration::ZERO, Duration::ZERO)] {
        let fade = Loss::Fade { good, bad };
        assert_eq!(share(&losses_each(MS, fade, 12)), 0.0);
        assert_eq!(share(&losses(fade, 12)), 0.0);
    }
    assert_eq!(
        share(&losses(Loss::fades(0.5, MS), 12)),
        0.0,
        "no time passes"
    );
}

#[test]
fn a_copy_comes_right_behind_its_packet() {
    let mut link = Link::new(
        Conditions {
            duplicate: 0.1,
            delay: MS,
            ..Conditions::default()
        },
        7,
    );
    let arrived = numbers(&run(&mut link, COUNT, 4, MS));
    assert!(arrived.is_sorted());
    let counts = link.counts();
    assert_eq!(counts.delivered, u64::from(COUNT) + counts.duplicated);
    assert!(
        (9_600..=10_400).contains(&counts.duplicated),
        "{}",
        counts.duplicated
    );
    assert_eq!(counts.reordered, 0);
}

#[test]
fn a_corrupted_packet_has_one_bit_flipped() {
    let mut link = Link::new(
        Conditions {
            corrupt: 0.1,
            ..Conditions::default()
        },
        8,
    );
    let mut flipped = 0;
    for number in 0..COUNT {
        link.send(Duration::ZERO, packet(number, 64));
        let arrived = link.receive(Duration::ZERO).unwrap();
        flipped += ones(&arrived, &packet(number, 64));
    }
    assert_eq!(flipped, link.counts().corrupted);
    assert!((9_600..=10_400).contains(&flipped), "{flipped}");
}

#[test]
fn a_tampered_packet_keeps_its_headers_and_its_checksum() {
    let mut link = Link::new(
        Conditions {
            tamper: 1.0,
            ..Conditions::default()
        },
        9,
    );
    // An odd length, so that the last byte is half a word.
    let sent: Vec<u8> = (0..201).collect();
    for _ in 0..1_000 {
        link.send(Duration::ZERO, sent.clone());
        let arrived = link.receive(Duration::ZERO).unwrap();
        assert_ne!(arrived, sent);
        assert_eq!(arrived[..48], sent[..48]);
        assert_eq!(sum(&arrived), sum(&sent));
    }
    assert_eq!(link.counts().tampered, 1_000);
}

#[test]
fn a_packet_that_is_too_short_or_too_even_cannot_be_damaged() {
    let all = Conditions {
        corrupt: 1.0,
        tamper: 1.0,
        ..Conditions::default()
    };
    let mut link = Link::new(all, 10);
    link.send(Duration::ZERO, Vec::new());
    assert_eq!(link.receive(Duration::ZERO), Some(Vec::new()));
    assert_eq!((link.counts().corrupted, link.counts().tampered), (0, 0));
    link.change(Conditions {
        corrupt: 0.0,
        ..all
    });
    for bytes in [47, 49, 50, 51, 100] {
        link.send(Duration::ZERO, vec![1; bytes]);
        assert_eq!(link.receive(Duration::ZERO), Some(vec![1; bytes]));
    }
    assert_eq!(link.counts().tampered, 0);
}

fn ones(one: &[u8], other: &[u8]) -> u64 {
    let differences = one.iter().zip(other).map(|(one, other)| one ^ other);
    differences.map(|byte| u64::from(byte.count_ones())).sum()
}

/// The sum of 16-bit words of the Internet checksum, carries not folded.
fn sum(packet: &[u8]) -> u64 {
    let words = packet.chunks(2);
    words
        .map(|word| u64::from(word[0]) << 8 | word.get(1).map_or(0, |byte| u64::from(*byte)))
        .sum()
}
