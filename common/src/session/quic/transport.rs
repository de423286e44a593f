//! Transport parameters (RFC 9000, section 18.2): one place for keep-alive, windows and limits.

use std::{net::SocketAddr, time::Duration};

use super::{CongestionControl, allowance, budget, udp::longest_payload};
use quinn::{MtuDiscoveryConfig, TransportConfig, VarInt};

/// Largest flow-control window of a session that the settings accept, in bytes (64 GiB).
const MAX_SESSION_WINDOW: u64 = 1 << 36;

/// UDP payload of a jumbo frame over IPv6: 9,000 - 40 - 8 bytes.
const JUMBO: u16 = 8_952;

/// UDP payload that every path of QUIC carries, in bytes (RFC 9000, section 14).
const SHORTEST: u16 = 1200;

/// Bytes of datagrams that may wait to be sent; the oldest of more are thrown away. They are [spares](crate::wire::spare).
const DATAGRAMS_OUT: usize = 64 << 10;
/// The same for those that wait to be read. Few, because each, however short, keeps alive the 64 KiB of the receive that it
/// came with; quinn counts 32 bytes for each beside its own, so that they are at most 248, or 16 MB.
const DATAGRAMS_IN: usize = 8 << 10;

/// What the settings decide about a QUIC connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransportSettings {
    /// After this much silence a PING is sent; it also keeps NAT mappings, most of which live 30 s.
    pub keep_alive: Duration,
    /// After this much time without an answer the peer is dead. The clock starts with the first packet sent after
    /// the last one received (RFC 9000, section 10.1), so detection takes at most `keep_alive + idle_timeout`.
    pub idle_timeout: Duration,
    /// How far the peer may ever run ahead of the reader of one stream, in bytes: what the longest and fastest path
    /// needs. In protocol 2 a stream starts with less and [grows](crate::session::flow) into it.
    pub stream_window: u32,
    /// How far the peer may run ahead of all readers together, in bytes. It is what a hostile peer can make us hold;
    /// an honest one stays far below.
    pub session_window: u64,
    /// Bidirectional streams that the peer may hold open. It is [allowed fewer](super::allowance) while it has few.
    pub max_streams: u32,
    /// Longest UDP payload that is received and that path MTU discovery (RFC 8899) tries, in bytes.
    pub max_udp_payload: u16,
    /// Whether the kernel may be given many datagrams at once (UDP generic segmentation offload).
    pub segmentation_offload: bool,
    /// How much may be in flight.
    pub congestion: CongestionControl,
}

impl Default for TransportSettings {
    fn default() -> Self {
        Self {
            keep_alive: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(20),
            stream_window: 32 << 20,
            session_window: 4 << 30,
            max_streams: 1,
            max_udp_payload: JUMBO,
            segmentation_offload: true,
            congestion: CongestionControl::default(),
        }
    }
}

/// A packet is taken for lost when one so much later has been acknowledged (RFC 9002, section 6.1.1 starts at 3). Paths
/// reorder, and every packet wrongly taken for lost is sent again and slows the sender. quinn's receiver throws away what
/// comes later than this, so there is nothing to gain from waiting longer.
const PACKET_THRESHOLD: u32 = 128;
/// The same in round trips (RFC 9002, section 6.1.2 has 9/8): a path may be a quarter of a round trip late each way.
const TIME_THRESHOLD: f32 = 1.5;

impl TransportSettings {
    /// The same for a connection to one peer. What the interface towards it does not take whole is neither announced nor
    /// tried: on Ethernet, path MTU discovery then ends after a few probes instead of losing jumbo ones, and the peer keeps
    /// no room for them.
    #[must_use]
    pub fn towards(&self, peer: SocketAddr) -> Self {
        let longest = longest_payload(peer).unwrap_or(self.max_udp_payload);
        Self {
            max_udp_payload: self.max_udp_payload.min(longest.max(SHORTEST)),
            ..self.clone()
        }
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
            .send_window(budget::LEAST)
            .max_concurrent_bidi_streams(allowance::first(self.max_streams).into())
            .max_concurrent_uni_streams(VarInt::from_u32(0))
            .datagram_receive_buffer_size(Some(DATAGRAMS_IN))
            .datagram_send_buffer_size(DATAGRAMS_OUT)
            .enable_segmentation_offload(self.segmentation_offload)
            .packet_threshold(PACKET_THRESHOLD)
            .time_threshold(TIME_THRESHOLD)
            .mtu_discovery_config(Some(discovery))
            .congestion_controller_factory(self.congestion.factory());
        config
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_interface_does_not_take_is_not_announced() {
        let peer = SocketAddr::from(([127, 0, 0, 1], 9));
        let long = TransportSettings {
            max_udp_payload: u16::MAX,
            ..Default::default()
        };
        let interface = longest_payload(peer).unwrap();
        assert_eq!(long.towards(peer).max_udp_payload, interface);
        let short = TransportSettings {
            max_udp_payload: 1300,
            ..Default::default()
        };
        assert_eq!(short.towards(peer), short);
    }
}
