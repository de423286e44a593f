//! A lab in real time, with datagrams. Needs root, iproute2 and `/dev/net/tun`.

#![allow(clippy::unwrap_used, reason = "everything here is a test")]

use std::{
    collections::HashSet,
    io::Write,
    net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use lab::{
    Direction, Lab, Side,
    link::{Conditions, Counts, Loss, QueueLimit, Reorder},
    netns,
};
use socket2::SockRef;

const PATIENCE: Duration = Duration::from_secs(30);
const MS: Duration = Duration::from_millis(1);

/// A lab, and a socket on either side that is connected to the other's.
fn pair(conditions: Conditions) -> (Lab, [UdpSocket; 2]) {
    pair_at(conditions, |side| side.ipv4().into())
}

fn pair_at(conditions: Conditions, address: impl Fn(Side) -> IpAddr) -> (Lab, [UdpSocket; 2]) {
    let lab = Lab::new(conditions, 1).unwrap_or_else(|error| panic!("{}", chain(&error)));
    let sockets = Side::BOTH.map(|side| {
        let address = SocketAddr::from((address(side), 0));
        let socket = lab.inside(side, || UdpSocket::bind(address).unwrap());
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket
    });
    sockets[0]
        .connect(sockets[1].local_addr().unwrap())
        .unwrap();
    sockets[1]
        .connect(sockets[0].local_addr().unwrap())
        .unwrap();
    (lab, sockets)
}

fn chain(error: &dyn std::error::Error) -> String {
    let source = error.source().map(|source| format!(": {}", chain(source)));
    format!("{error}{}", source.unwrap_or_default())
}

fn datagram(number: u32, bytes: usize) -> Vec<u8> {
    let mut datagram = number.to_be_bytes().to_vec();
    datagram.resize(bytes, number as u8);
    datagram
}

/// What has become of some datagrams.
struct Carried {
    /// The numbers of those that came, in the order in which they came.
    arrived: Vec<u32>,
    /// How many were put on the link, those included that mark the end.
    sent: u64,
}

/// Sends datagrams, and one that marks the end once nothing comes any more, again and again until it comes through.
fn carry([from, to]: &[UdpSocket; 2], count: u32, bytes: usize) -> Carried {
    to.set_read_timeout(Some(100 * MS)).unwrap();
    let mut sent = u64::from(count);
    let mut arrived = Vec::new();
    std::thread::scope(|scope| {
        let sender = scope.spawn(|| {
            for number in 0..count {
                from.send(&datagram(number, bytes)).unwrap();
            }
        });
        let mut room = [0; 2000];
        loop {
            match to.recv(&mut room) {
                Ok(4) => break,
                Ok(length) => {
                    let number = u32::from_be_bytes(room[..4].try_into().unwrap());
                    assert_eq!(room[..length], datagram(number, bytes));
                    arrived.push(number);
                }
                Err(_) if sender.is_finished() => {
                    from.send(b"last").unwrap();
                    sent += 1;
                }
                Err(_) => {}
            }
        }
    });
    Carried { arrived, sent }
}

/// Waits until so many have been sent and nothing is on the way.
fn settled(lab: &Lab, direction: Direction, sent: u64) -> Counts {
    loop {
        let counts = lab.counts(direction);
        let gone = counts.lost + counts.queue_dropped + counts.too_big + counts.delivered;
        if counts.sent >= sent && counts.sent + counts.duplicated == gone {
            return counts;
        }
        std::thread::yield_now();
    }
}

#[test]
fn carries_datagrams_in_order_both_ways_on_both_families() {
    let fast = Conditions {
        delay: 5 * MS,
        jitter: 2 * MS,
        ..Conditions::default()
    };
    let addresses: [fn(Side) -> IpAddr; 2] = [|side| side.ipv4().into(), |side| side.ipv6().into()];
    let expected: Vec<_> = (0..50).collect();
    for address in addresses {
        let (lab, [a, b]) = pair_at(fast, address);
        let there = carry(&[a.try_clone().unwrap(), b.try_clone().unwrap()], 50, 1400);
        let back = carry(&[b, a], 50, 1400);
        for (direction, carried) in [(Direction::AToB, there), (Direction::BToA, back)] {
            assert_eq!(carried.arrived, expected);
            let counts = settled(&lab, direction, carried.sent);
            assert_eq!((counts.lost, counts.reordered), (0, 0), "{counts}");
            // Nothing but ours was on the link: no router solicitations, no reports about groups.
            assert_eq!(counts.sent, carried.sent, "{counts}");
        }
    }
}

#[test]
fn both_directions_have_their_own_conditions_and_change_while_running() {
    let (lab, sockets) = pair(Conditions::default());
    let nothing = Conditions {
        up: false,
        ..Conditions::default()
    };
    lab.change(Direction::AToB, nothing);
    assert!(!lab.conditions(Direction::AToB).up && lab.conditions(Direction::BToA).up);
    let [a, b] = &sockets;
    let mut room = [0; 2000];
    a.send(b"lost").unwrap();
    b.send(b"there").unwrap();
    assert_eq!(a.recv(&mut room).unwrap(), 5);
    assert_eq!(settled(&lab, Direction::AToB, 1).lost, 1);
    lab.change_both(Conditions::default());
    a.send(b"again").unwrap();
    let length = b.recv(&mut room).unwrap();
    assert_eq!(&room[..length], b"again");
}

#[test]
fn a_change_wakes_up_nobody_too_late() {
    // The first packet is held back for ever; those behind it come through.
    let hour = Duration::from_secs(3600);
    let held = Reorder {
        probability: 1.0,
        late: hour,
    };
    let (lab, sockets) = pair(Conditions {
        reorder: held,
        ..Conditions::default()
    });
    sockets[0].send(b"never").unwrap();
    while lab.counts(Direction::AToB).sent == 0 {
        std::thread::yield_now();
    }
    lab.change_both(Conditions::default());
    let carried = carry(&sockets, 10, 100);
    assert_eq!(carried.arrived, (0..10).collect::<Vec<_>>());
}

#[test]
fn all_that_may_happen_to_a_packet_is_counted_and_none_comes_damaged() {
    // At a rate that the receiver can follow, with a queue for all.
    let (lab, sockets) = pair(Conditions {
        loss: Loss::Random(0.1),
        reorder: Reorder {
            probability: 0.1,
            late: 20 * MS,
        },
        duplicate: 0.1,
        corrupt: 0.1,
        rate: Some(10_000_000),
        queue: QueueLimit::Bytes(usize::MAX),
        ..Conditions::default()
    });
    let Carried { arrived, sent } = carry(&sockets, 1_000, 500);
    let counts = settled(&lab, Direction::AToB, sent);
    let distinct: HashSet<_> = arrived.iter().collect();
    assert!(
        counts.duplicated > 0 && distinct.len() < arrived.len(),
        "{counts}"
    );
    assert!(counts.reordered > 0 && !arrived.is_sorted(), "{counts}");
    assert!(counts.lost > 0, "{counts}");
    // The kernel notices a flipped bit, so that corruption is loss for programs. Packets to nowhere can be flipped too.
    let whole = counts.delivered - counts.corrupted;
    assert!(
        counts.corrupted > 0 && arrived.len() as u64 <= whole,
        "{counts}"
    );
}

#[test]
fn a_tampered_datagram_passes_the_checksum() {
    let (lab, [a, b]) = pair(Conditions {
        tamper: 1.0,
        ..Conditions::default()
    });
    let sent: Vec<u8> = (0..=255).collect();
    a.send(&sent).unwrap();
    let mut room = [0; 2000];
    let length = b.recv(&mut room).unwrap();
    assert_eq!(length, sent.len());
    assert_ne!(room[..length], sent);
    assert_eq!(lab.counts(Direction::AToB).tampered, 1);
}

#[test]
fn packets_above_the_mtu_of_the_link_vanish() {
    let (lab, sockets) = pair(Conditions {
        mtu: Some(1280),
        ..Conditions::default()
    });
    // With 28 bytes of headers.
    sockets[0].send(&datagram(9, 1253)).unwrap();
    let carried = carry(&sockets, 5, 1252);
    assert_eq!(carried.arrived, [0, 1, 2, 3, 4]);
    let counts = settled(&lab, Direction::AToB, carried.sent + 1);
    assert_eq!(counts.too_big, 1, "{counts}");
}

#[test]
fn tcp_uses_cubic_on_the_link() {
    let (lab, _) = pair(Conditions::default());
    for address in [IpAddr::from(Side::B.ipv4()), Side::B.ipv6().into()] {
        let server = lab.inside(Side::B, || TcpListener::bind((address, 0)).unwrap());
        let to = server.local_addr().unwrap();
        let client = lab.inside(Side::A, || TcpStream::connect(to).unwrap());
        let algorithm = SockRef::from(&client).tcp_congestion().unwrap();
        assert!(algorithm.starts_with(b"cubic"), "{algorithm:?}");
    }
}

#[test]
fn programs_run_in_their_namespace() {
    let (lab, _) = pair(Conditions::default());
    for (side, own) in [(Side::A, "10.99.0.1/24"), (Side::B, "10.99.0.2/24")] {
        let output = lab
            .command(side, "ip")
            .args(["-o", "address"])
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains(own), "{text}");
        let inside = lab.inside(side, || Command::new("ip").args(["-o", "address"]).output());
        assert_eq!(String::from_utf8(inside.unwrap().stdout).unwrap(), text);
    }
}

fn exists(name: &str) -> bool {
    Path::new("/run/netns").join(name).exists()
}

#[test]
fn nothing_is_left_after_the_end_nor_after_a_panic() {
    let mut names = Vec::new();
    let panic = catch_unwind(AssertUnwindSafe(|| {
        let (lab, _sockets) = pair(Conditions::default());
        names.extend(Side::BOTH.map(|side| lab.namespace(side).name().to_owned()));
        assert!(names.iter().all(|name| exists(name)));
        lab.inside(Side::A, || panic!("on side A"));
    }));
    assert_eq!(panic.unwrap_err().downcast_ref(), Some(&"on side A"));
    assert!(names.len() == 2 && !names.iter().any(|name| exists(name)));
}

#[test]
fn what_a_killed_process_has_left_is_swept() {
    let mut dead = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
    let name = format!("lab-{}-0-a", dead.id());
    let namespace = netns::Namespace::create(name.clone()).unwrap();
    assert!(!netns::sweep().unwrap().contains(&name), "it is alive");
    dead.stdin.take().unwrap().flush().unwrap();
    dead.wait().unwrap();
    // Other tests sweep too, with every new lab.
    netns::sweep().unwrap();
    assert!(!exists(&name));
    drop(namespace);
}
