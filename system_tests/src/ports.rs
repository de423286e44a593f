//! Ports that nobody has, for what must come back on the same one.

use std::{
    collections::HashSet,
    net::{TcpListener, UdpSocket},
    sync::Mutex,
    time::{SystemTime, UNIX_EPOCH},
};

use crate::noise::Noise;

static GIVEN: Mutex<Option<HashSet<u16>>> = Mutex::new(None);

/// A port that is free on TCP and UDP now. It lies below the range from which the kernel takes ports by itself, so that
/// no connection of another test lands on it while it is not bound.
///
/// # Panics
/// When none is found.
pub fn free() -> u16 {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range");
    let low = range
        .ok()
        .and_then(|text| text.split_whitespace().next()?.parse().ok())
        .unwrap_or(32_768)
        .max(12_000u16);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let seed = now.as_nanos() as u64 ^ u64::from(std::process::id()) << 32;
    let mut noise = Noise::new(seed, 0);
    let mut given = GIVEN.lock().unwrap();
    let given = given.get_or_insert_default();
    for _ in 0..1000 {
        let port = 10_000 + u16::try_from(noise.below(usize::from(low - 10_000))).unwrap();
        let free = TcpListener::bind(("0.0.0.0", port)).is_ok()
            && UdpSocket::bind(("0.0.0.0", port)).is_ok();
        if free && given.insert(port) {
            return port;
        }
    }
    panic!("no free port below {low}");
}
