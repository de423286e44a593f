//! Links and flows that the tests and the table share.

use std::time::Duration;

use common::session::quic::congestion::CongestionControl;
use lab::link::{Conditions, QueueLimit};

use crate::sim::{Control, Flow, World};

pub(crate) const MODEL: Control = Control::Ours(CongestionControl::Model);
pub(crate) const CUBIC: Control = Control::Ours(CongestionControl::Cubic);

pub(crate) const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// 200 Mbit/s with a drop-tail queue of 50 ms, 25 ms away.
pub(crate) fn good() -> Conditions {
    link(200, 50, 50)
}

/// A link of so many Mbit/s, with half of that round trip, and a queue of `queue` ms.
pub(crate) fn link(mbit: u64, rtt: u64, queue: u64) -> Conditions {
    Conditions {
        delay: ms(rtt) / 2,
        rate: Some(mbit * 1_000_000),
        queue: QueueLimit::Time(ms(queue)),
        ..Conditions::default()
    }
}

/// A flow that sends all the time, from `start` ms on.
pub(crate) fn flow(control: Control, start: u64) -> Flow {
    Flow {
        control,
        start: ms(start),
        bytes: u64::MAX,
    }
}

/// These flows over a link; ACKs come back undisturbed after the same delay.
pub(crate) fn world(forward: Conditions, flows: &[Flow]) -> World {
    world_of(forward, flows, 1)
}

/// The same with the chances of `seed`.
pub(crate) fn world_of(forward: Conditions, flows: &[Flow], seed: u64) -> World {
    let backward = Conditions {
        delay: forward.delay,
        ..Conditions::default()
    };
    World::new(forward, backward, flows, seed)
}
