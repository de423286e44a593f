//! Lets the end of a connection out.
//!
//! A CONNECTION_CLOSE is not subject to congestion control (RFC 9002, section 7), but quinn-proto 0.11 holds it back with
//! whatever else waits for the window, which no acknowledgment opens any more once the connection is closed. So the peer
//! of a busy session, or of one whose path has stalled, would never hear of the end, and its clients would hang until it
//! takes the session for dead.

use std::{
    any::Any,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Instant,
};

use quinn::{
    Connection,
    congestion::{Controller, ControllerFactory},
};
use quinn_proto::RttEstimator;

/// Beyond any amount in flight, and from 4 GiB on quinn's pacer lets everything pass.
const WIDE: u64 = u64::MAX;

/// Makes controllers whose window can be thrown open.
pub(super) struct GateFactory(pub(super) Arc<dyn ControllerFactory + Send + Sync>);

impl ControllerFactory for GateFactory {
    fn build(self: Arc<Self>, now: Instant, current_mtu: u16) -> Box<dyn Controller> {
        Box::new(Gate {
            controller: self.0.clone().build(now, current_mtu),
            open: Arc::default(),
        })
    }
}

/// A controller whose window can be thrown open.
struct Gate {
    controller: Box<dyn Controller>,
    /// Shared by all copies: quinn hands out nothing else.
    open: Arc<AtomicBool>,
}

/// Lets everything of this connection pass from now on: it is closed, and all that is left to say is that. Before, a
/// whole send buffer would pass, too.
pub(in crate::session::quic) fn open(connection: &Connection) {
    if let Ok(gate) = connection.congestion_state().into_any().downcast::<Gate>() {
        gate.open.store(true, Relaxed);
    }
}

impl Controller for Gate {
    fn on_sent(&mut self, now: Instant, bytes: u64, last_packet_number: u64) {
        self.controller.on_sent(now, bytes, last_packet_number);
    }

    fn on_ack(
        &mut self,
        now: Instant,
        sent: Instant,
        bytes: u64,
        app_limited: bool,
        rtt: &RttEstimator,
    ) {
        self.controller.on_ack(now, sent, bytes, app_limited, rtt);
    }

    fn on_end_acks(
        &mut self,
        now: Instant,
        in_flight: u64,
        app_limited: bool,
        largest_packet_num_acked: Option<u64>,
    ) {
        self.controller
            .on_end_acks(now, in_flight, app_limited, largest_packet_num_acked);
    }

    fn on_congestion_event(
        &mut self,
        now: Instant,
        sent: Instant,
        is_persistent_congestion: bool,
        lost_bytes: u64,
    ) {
        self.controller
            .on_congestion_event(now, sent, is_persistent_congestion, lost_bytes);
    }

    fn on_mtu_update(&mut self, new_mtu: u16) {
        self.controller.on_mtu_update(new_mtu);
    }

    fn window(&self) -> u64 {
        if self.open.load(Relaxed) {
            return WIDE;
        }
        self.controller.window()
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(Self {
            controller: self.controller.clone_box(),
            open: self.open.clone(),
        })
    }

    fn initial_window(&self) -> u64 {
        self.controller.initial_window()
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}
