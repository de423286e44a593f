//! What the network does to packets reaches neither the bytes nor the session. Needs root, iproute2 and `/dev/net/tun`.

use std::{
    io::Write,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::Duration,
};

use lab::{
    Direction,
    link::{Conditions, Counts, Loss, Reorder},
};
use system_tests::{
    client::{self, End},
    far::{Far, far},
    noise::digest_of,
    target::Target,
    until,
};

/// Bytes each way.
const SIZE: u64 = 3 * 1024 * 1024;
const MS: Duration = Duration::from_millis(1);

/// A path of 20 ms there and back.
const fn path(mbit: u64) -> Conditions {
    Conditions {
        delay: Duration::from_millis(10),
        rate: Some(mbit * 1_000_000),
        ..Conditions::PERFECT
    }
}

/// Where something has to happen in the midst of a transfer, which takes a second and more here.
const SLOW: Conditions = path(20);

/// Transfers noise both ways at once while `events` happen, which are told when the transfer is over. The same session
/// must carry it all.
fn transfer(far: &Far, events: impl FnOnce(&AtomicBool) + Send) {
    let session = far.session();
    let (sink, sender) = (Target::sink(), Target::sender(2, SIZE));
    let (up, down) = (far.open(&sink), far.open(&sender));
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let events = scope.spawn(|| events(&over));
        let upload = scope.spawn(|| far.there(|| client::upload(up, 1, SIZE)));
        let received = far.there(|| client::download(down));
        let (upload, expected) = (upload.join().unwrap(), digest_of(2, SIZE));
        over.store(true, Relaxed);
        events.join().unwrap();
        assert_eq!(upload, digest_of(1, SIZE));
        assert_eq!((received.sha256, received.end), (expected, End::Eof));
    });
    assert_eq!(far.session(), session);
}

/// A transfer on a link that is always the same, and on which this must have happened in both directions.
fn transfer_over(conditions: Conditions, happened: impl Fn(Counts) -> bool + Sync) {
    far(conditions, |far| {
        transfer(far, |_| {});
        for direction in Direction::BOTH {
            let counts = far.lab.counts(direction);
            assert!(happened(counts), "{direction:?}: {counts}");
        }
    });
}

/// Waits until this many more bytes have come to the connector; false when the transfer is over before.
fn carried(far: &Far, bytes: u64, over: &AtomicBool) -> bool {
    let delivered = || far.lab.counts(Direction::BToA).delivered_bytes;
    let goal = delivered() + bytes;
    until("bytes get through", || {
        let there = delivered() >= goal;
        (there || over.load(Relaxed)).then_some(there)
    })
}

#[test]
fn a_path_that_reorders() {
    let reorder = Reorder {
        probability: 0.25,
        late: 10 * MS,
    };
    let reordering = Conditions {
        reorder,
        ..path(100)
    };
    transfer_over(reordering, |counts| counts.reordered > 0);
}

#[test]
fn a_path_that_loses_in_bursts() {
    let losing = Conditions {
        // About 25 of them within the transfer, so that each direction has some.
        loss: Loss::fades(0.1, 5 * MS),
        ..SLOW
    };
    transfer_over(losing, |counts| counts.lost > 0);
}

/// What small messages are made of is sent twice there, in two ways.
#[test]
fn small_messages_on_a_path_that_loses() {
    const LOSING: Conditions = Conditions {
        loss: Loss::Random(0.05),
        ..path(20)
    };
    far(LOSING, |far| {
        let session = far.session();
        let echo = Target::echo();
        let opening = far.open(&echo);
        far.there(|| {
            let mut tcp = client::connect(opening);
            for number in 0..200 {
                client::echo(&mut tcp, format!("message {number}\n").as_bytes());
            }
            // Some under way at a time, of any length.
            for round in 0..20 {
                let parts: Vec<_> = (1..8).map(|part| noise(round * 8 + part)).collect();
                parts.iter().for_each(|part| tcp.write_all(part).unwrap());
                client::expect(&mut tcp, &parts.concat());
            }
        });
        assert_eq!(far.session(), session);
        for direction in Direction::BOTH {
            let counts = far.lab.counts(direction);
            assert!(counts.lost > 0, "{direction:?}: {counts}");
        }
    });
}

/// Up to 1,100 bytes, each time others.
fn noise(seed: usize) -> Vec<u8> {
    let bytes = (0..seed * 97 % 1100 + 1).map(|at| (at * 31 + seed * 7) % 251);
    bytes.map(|byte| byte as u8).collect()
}

#[test]
fn a_path_that_doubles_and_damages() {
    let damaging = Conditions {
        duplicate: 0.01,
        corrupt: 0.01,
        tamper: 0.01,
        ..path(100)
    };
    transfer_over(damaging, |counts| {
        counts.duplicated > 0 && counts.corrupted > 0 && counts.tampered > 0
    });
}

#[test]
fn blackouts_of_a_second() {
    const COUNT: usize = 3;
    far(SLOW, |far| {
        transfer(far, |over| {
            for _ in 0..COUNT {
                assert!(carried(far, SIZE / 8, over), "over before the blackout");
                far.lab.change_both(Conditions { up: false, ..SLOW });
                // The blackout itself is the event under test, and lasts for a while.
                std::thread::sleep(Duration::from_secs(1));
                far.lab.change_both(SLOW);
            }
        });
    });
}

#[test]
fn a_delay_that_changes() {
    far(SLOW, |far| {
        transfer(far, |over| {
            for delay in [100, 5, 60, 0, 150, 1, 30].into_iter().cycle() {
                far.lab.change_both(Conditions {
                    delay: delay * MS,
                    ..SLOW
                });
                if !carried(far, SIZE / 16, over) {
                    return;
                }
            }
        });
    });
}

#[test]
fn an_mtu_that_drops() {
    far(SLOW, |far| {
        // The first one lets path MTU discovery find out that 1,500 bytes get through.
        transfer(far, |_| {});
        transfer(far, |over| {
            assert!(carried(far, SIZE / 4, over), "over before the drop");
            far.lab.change_both(Conditions {
                mtu: Some(1280),
                ..SLOW
            });
        });
        for direction in Direction::BOTH {
            let counts = far.lab.counts(direction);
            assert!(counts.too_big > 0, "nothing was too big: {counts}");
        }
    });
}
