//! A rate that the operator knows.

use common::session::quic::congestion::CongestionControl;
use lab::link::{Conditions, Loss};

use crate::{
    scenario::{flow, link, ms, world},
    sim::Control,
};

const RATE: Control = Control::Ours(CongestionControl::Fixed {
    bits_per_second: 20_000_000,
});

fn goodput(loss: Loss) -> f64 {
    let forward = Conditions {
        loss,
        ..link(50, 50, 50)
    };
    let mut world = world(forward, &[flow(RATE, 0)]);
    world.run(ms(6000));
    assert_eq!(world.lost(), None);
    world.measured.total(ms(1000), ms(6000))
}

#[test]
fn the_rate_is_kept_and_not_exceeded() {
    let goodput = goodput(Loss::None);
    assert!((18.5..20.5).contains(&goodput), "{goodput:.1} Mbit/s");
}

#[test]
fn loss_takes_what_is_lost_only() {
    let goodput = goodput(Loss::Random(0.1));
    assert!((16.0..18.5).contains(&goodput), "{goodput:.1} Mbit/s");
}

#[test]
fn an_outage_ends_it_only_as_long_as_it_lasts() {
    let mut world = world(link(50, 50, 50), &[flow(RATE, 0)]);
    world.run(ms(2000));
    world.set_up(false);
    world.run(ms(4000));
    let sent = world.sender(0).stats().expect("connected").udp_tx.datagrams;
    world.set_up(true);
    world.run(ms(8000));
    let goodput = world.measured.total(ms(6000), ms(8000));
    assert!((18.5..20.5).contains(&goodput), "{goodput:.1} Mbit/s");
    assert!(sent < 4500, "{sent} datagrams: next to none in the outage");
}
