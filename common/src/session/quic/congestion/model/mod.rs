//! A controller that follows a model of the path instead of losses, in the manner of BBR (draft-ietf-ccwg-bbr): the
//! bandwidth is the fastest delivery rate of late, the round-trip time the shortest of late, and their product is what
//! must be in flight. Random loss, reordering and outages do not change the model, so they do not slow the flow down.
//!
//! quinn's pacer knows nothing but the window and the smoothed round-trip time (1.25 × window / RTT), so all control is
//! by the window: a little more than the product, which makes a short queue that both takes up bandwidth as soon as
//! there is some and bounds the delay. The pieces are pure: time comes with each call.

mod acks;
mod aggregation;
mod bounds;
mod core;
mod delivery;
mod filter;
mod min_rtt;
mod path;
mod phase;
mod probe;
mod round;
mod startup;
#[cfg(test)]
mod tests;
mod units;

use std::{any::Any, sync::Arc, time::Instant};

use quinn::congestion::{Controller, ControllerFactory};
use quinn_proto::RttEstimator;

use self::core::Core;

/// Makes controllers that follow a model.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ModelFactory;

impl ControllerFactory for ModelFactory {
    fn build(self: Arc<Self>, now: Instant, current_mtu: u16) -> Box<dyn Controller> {
        Box::new(Model(Core::new(now, current_mtu)))
    }
}

/// The adapter between quinn's trait and [`Core`].
#[derive(Debug, Clone)]
struct Model(Core);

impl Controller for Model {
    fn on_sent(&mut self, now: Instant, bytes: u64, _last_packet_number: u64) {
        self.0.on_sent(now, bytes);
    }

    fn on_ack(
        &mut self,
        now: Instant,
        sent: Instant,
        bytes: u64,
        _app_limited: bool,
        _rtt: &RttEstimator,
    ) {
        self.0.on_ack(now, sent, bytes);
    }

    fn on_end_acks(
        &mut self,
        now: Instant,
        in_flight: u64,
        app_limited: bool,
        _largest_packet_num_acked: Option<u64>,
    ) {
        self.0.on_end_acks(now, in_flight, app_limited);
    }

    fn on_congestion_event(
        &mut self,
        now: Instant,
        sent: Instant,
        is_persistent_congestion: bool,
        lost_bytes: u64,
    ) {
        self.0.on_loss(sent, lost_bytes);
        if is_persistent_congestion {
            self.0.on_persistent_congestion(now);
        }
    }

    fn on_mtu_update(&mut self, new_mtu: u16) {
        self.0.on_mtu_update(new_mtu);
    }

    fn window(&self) -> u64 {
        self.0.window()
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(self.clone())
    }

    fn initial_window(&self) -> u64 {
        self.0.initial_window()
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}
