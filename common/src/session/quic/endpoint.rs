//! Making an endpoint over a bound socket.

use std::{io, net::UdpSocket, sync::Arc};

use quinn::{Endpoint, EndpointConfig, Runtime, ServerConfig, TokioRuntime};

use super::{TransportSettings, udp::MergingSocket};

/// An endpoint that runs on the current runtime; with `server` it takes handshakes.
///
/// # Errors
/// When the system refuses the options that QUIC needs on the socket.
///
/// # Panics
/// Outside a runtime.
pub fn endpoint(
    socket: UdpSocket,
    mut config: EndpointConfig,
    server: Option<ServerConfig>,
    settings: &TransportSettings,
) -> io::Result<Endpoint> {
    let max_udp_payload = settings.max_udp_payload;
    config
        .max_udp_payload_size(max_udp_payload)
        .map_err(|_| io::Error::other("UDP payloads below 1,200 bytes cannot carry QUIC"))?;
    let runtime = Arc::new(TokioRuntime);
    let socket = runtime.wrap_udp_socket(socket)?;
    let socket = Arc::new(MergingSocket::new(socket, max_udp_payload));
    Endpoint::new_with_abstract_socket(config, server, socket, runtime)
}
