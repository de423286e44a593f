//! The settings of QUIC, the same for both daemons.

use std::time::Duration;

use super::Settings;
use crate::session::quic::TransportSettings;

impl Settings {
    /// Reads them and checks that they go together; `max_streams` is the daemon's own: how many the peer may open.
    pub fn transport(&mut self, max_streams: u32) -> TransportSettings {
        let built_in = TransportSettings::default();
        let seconds = Duration::from_secs;
        let transport = TransportSettings {
            keep_alive: seconds(self.number("keep_alive_seconds", 1..=3600, 10)),
            idle_timeout: seconds(self.number("idle_timeout_seconds", 2..=7200, 20)),
            stream_window: self.number(
                "stream_window_bytes",
                65536..=1 << 30,
                built_in.stream_window,
            ),
            session_window: self.number(
                "session_window_bytes",
                65536..=1 << 36,
                built_in.session_window,
            ),
            max_streams,
            max_udp_payload: self.number(
                "max_udp_payload_bytes",
                1200..=65_527,
                built_in.max_udp_payload,
            ),
            segmentation_offload: self
                .flag("udp_segmentation_offload", built_in.segmentation_offload),
            congestion: self.or("congestion_control", built_in.congestion),
        };
        if transport.idle_timeout <= transport.keep_alive {
            self.conflict(
                "idle_timeout_seconds",
                "must be more than keep_alive_seconds",
            );
        }
        transport
    }
}
