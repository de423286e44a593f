//! Ports. The namespaces hold nothing but what is started here, so counting is enough.

use std::sync::atomic::{AtomicU16, Ordering::Relaxed};

/// Below it are well-known ports, from [`END`] on those that the kernel gives to clients.
const START: u16 = 5_000;
const END: u16 = 20_000;

/// A port that was not given for a long time.
pub fn next() -> u16 {
    static GIVEN: AtomicU16 = AtomicU16::new(0);
    START + GIVEN.fetch_add(1, Relaxed) % (END - START)
}
