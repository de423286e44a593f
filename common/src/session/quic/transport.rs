//! Transport parameters (RFC 9000, section 18.2): one place for keep-alive, windows and limits.

use std::time::Duration;

use quinn::{MtuDiscoveryConfig, TransportConfig, VarInt};

/// Largest flow-control window of a session that the settings accept, in bytes (64 GiB).
const MAX_SESSION_WINDOW: u64 = 1 << 36;

/// UDP payload of a jumbo frame over IPv6: 9,000 - 40 - 8 bytes.
const JUMBO: u16 = 8_952;

/// What the settings decide about a QUIC connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransportSettings {
    /// After this much silence a PING is sent; it also keeps NAT mappings, most of which live 30 s.
    pub keep_alive: Duration,
    /// After this much time without an answer the peer is dead. The clock starts with the first packet sent after
    /// the last one received (RFC 9000, section 10.1), so detection takes at most `keep_alive + idle_timeout`.
    pub idle_timeout: Duration,
    /// How far the peer may run ahead of the reader of one stream, in bytes.
    pub stream_window: u32,
    /// How far the peer may run ahead of all readers together, in bytes. It must hold the full windows of all streams
    /// that may be open, or stalled ones would stop the others.
    pub session_window: u64,
    /// Bidirectional streams that the peer may hold open.
    pub max_streams: u32,
    /// Longest UDP payload that is received and that path MTU discovery (RFC 8899) tries, in bytes.
    pub max_udp_payload: u16,
    /// Whether the kernel may be given many datagrams at once (UDP generic segmentation offload).
    pub segmentation_offload: bool,
}

impl Default for TransportSettings {
    fn default() -> Self {
        Self {
            keep_alive: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(20),
            stream_window: 1 << 20,
            session_window: 16 << 30,
            max_streams: 1,
            max_udp_payload: JUMBO,
            segmentation_offload: true,
        }
    }
}

/// Bytes that may be sent and unacknowledged in a connection. Stalled streams hold nothing of it, because a stream
/// takes no more bytes than its peer's window; it bounds memory when the path is cut under many busy streams.
const SEND_WINDOW: u64 = 256 << 20;

impl TransportSettings {
    /// Checks that so many stalled streams leave room for the others.
    ///
    /// # Errors
    /// A text for the user.
    pub fn check(&self, streams: usize) -> Result<(), String> {
        let needed = u64::from(self.stream_window).saturating_mul(streams as u64);
        if needed <= self.session_window {
            return Ok(());
        }
        Err(format!(
            "{streams} streams with a window of {} bytes each could stall all others: must be at least {needed}",
            self.stream_window
        ))
    }

    /// The settings in quinn's terms.
    ///
    /// # Panics
    /// When a value is beyond what a QUIC integer holds; the settings' own limits are far below.
    pub fn to_quinn(&self) -> TransportConfig {
        let window = VarInt::from_u64(self.session_window.min(MAX_SESSION_WINDOW));
        let idle = self.idle_timeout.try_into();
        let mut discovery = MtuDiscoveryConfig::default();
        discovery.upper_bound(self.max_udp_payload);
        let mut config = TransportConfig::default();
        config
            .keep_alive_interval(Some(self.keep_alive))
            .max_idle_timeout(Some(idle.expect("an idle timeout of at most a day")))
            .stream_receive_window(self.stream_window.into())
            .receive_window(window.expect("at most 64 GiB"))
            .send_window(SEND_WINDOW)
            .max_concurrent_bidi_streams(self.max_streams.into())
            .max_concurrent_uni_streams(VarInt::from_u32(0))
            .datagram_receive_buffer_size(None)
            .enable_segmentation_offload(self.segmentation_offload)
            .mtu_discovery_config(Some(discovery));
        config
    }
}
