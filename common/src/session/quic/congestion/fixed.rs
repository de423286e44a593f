//! A rate that the operator knows: loss and delay do not change it. For links of one's own only; on a shared one it takes
//! what it was told to take, and when it was told more than there is, the rest is lost or queued.

use std::{any::Any, sync::Arc, time::Instant};

use quinn::congestion::{Controller, ControllerFactory};
use quinn_proto::RttEstimator;

/// Time beyond the round trip that the window covers: quinn's pacer sends bursts of 2 ms.
const HOST_NANOS: u128 = 2_000_000;

/// The smallest window, in datagrams.
const MIN_DATAGRAMS: u64 = 4;

/// Datagrams in flight until the round-trip time is known (RFC 9002, section 7.2).
const INITIAL_DATAGRAMS: u64 = 10;

/// Windows from 4 GiB on would switch quinn's pacer off.
const MAX_WINDOW: u64 = u32::MAX as u64;

/// Makes controllers of a fixed rate.
#[derive(Debug, Clone, Copy)]
pub(super) struct FixedFactory {
    /// Bits per second.
    pub(super) bits_per_second: u64,
}

impl ControllerFactory for FixedFactory {
    fn build(self: Arc<Self>, _now: Instant, current_mtu: u16) -> Box<dyn Controller> {
        let mtu = u64::from(current_mtu).max(1);
        Box::new(Fixed {
            bits_per_second: self.bits_per_second,
            mtu,
            window: INITIAL_DATAGRAMS * mtu,
        })
    }
}

/// The window is rate × smoothed round trip, so that the ACK clock gives the rate. quinn's pacer, which lets 1.25 times of
/// it pass, only spreads it.
#[derive(Debug, Clone, Copy)]
struct Fixed {
    bits_per_second: u64,
    mtu: u64,
    window: u64,
}

impl Controller for Fixed {
    fn on_ack(
        &mut self,
        _now: Instant,
        _sent: Instant,
        _bytes: u64,
        _app_limited: bool,
        rtt: &RttEstimator,
    ) {
        let nanos = rtt.get().as_nanos().saturating_add(HOST_NANOS);
        let bits = u128::from(self.bits_per_second).saturating_mul(nanos) / 1_000_000_000;
        self.window = u64::try_from(bits / 8).unwrap_or(u64::MAX);
    }

    /// Only an outage matters: then next to nothing is sent until the first acknowledgement.
    fn on_congestion_event(
        &mut self,
        _now: Instant,
        _sent: Instant,
        is_persistent_congestion: bool,
        _lost_bytes: u64,
    ) {
        if is_persistent_congestion {
            self.window = 0;
        }
    }

    fn on_mtu_update(&mut self, new_mtu: u16) {
        self.mtu = u64::from(new_mtu).max(1);
    }

    fn window(&self) -> u64 {
        self.window.clamp(MIN_DATAGRAMS * self.mtu, MAX_WINDOW)
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(*self)
    }

    fn initial_window(&self) -> u64 {
        INITIAL_DATAGRAMS * self.mtu
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}
