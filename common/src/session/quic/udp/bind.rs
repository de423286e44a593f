//! The UDP socket, with buffers large enough for a burst.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
};

use socket2::{Domain, Protocol, Socket, Type};
use thiserror::Error;

/// A UDP socket could not be made.
#[derive(Debug, Error)]
#[error("cannot bind UDP {address}: {source}")]
pub struct BindError {
    /// The address that was asked for.
    pub address: SocketAddr,
    /// What the system said.
    pub source: io::Error,
}

/// What the kernel gave, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UdpBuffers {
    /// What was asked for.
    pub wanted: usize,
    /// The receive buffer.
    pub receive: usize,
    /// The send buffer.
    pub send: usize,
}

impl UdpBuffers {
    /// What to tell the operator when the kernel gave less; `None` when it gave all.
    pub fn advice(&self) -> Option<String> {
        if self.receive >= self.wanted && self.send >= self.wanted {
            return None;
        }
        let wanted = self.wanted;
        Some(format!(
            "the kernel allows UDP buffers of {} (receive) and {} (send) bytes instead of {wanted}: bursts will be \
             lost; mend it with: sysctl -w net.core.rmem_max={wanted} net.core.wmem_max={wanted}",
            self.receive, self.send
        ))
    }
}

/// Binds a socket, dual-stack for an unspecified IPv6 address, and asks for buffers of `wanted` bytes.
///
/// # Errors
/// [`BindError`] when the address cannot be bound. Buffers smaller than asked for are not an error.
pub fn bind(address: SocketAddr, wanted: usize) -> Result<(UdpSocket, UdpBuffers), BindError> {
    try_bind(address, wanted).map_err(|source| BindError { address, source })
}

fn try_bind(address: SocketAddr, wanted: usize) -> io::Result<(UdpSocket, UdpBuffers)> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::DGRAM,
        Some(Protocol::UDP),
    )?;
    if address.is_ipv6() && address.ip().is_unspecified() {
        socket.set_only_v6(false)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    // The kernel cuts down a larger wish silently (socket(7)), hence the reading back.
    socket.set_recv_buffer_size(wanted)?;
    socket.set_send_buffer_size(wanted)?;
    let buffers = UdpBuffers {
        wanted,
        receive: usable(socket.recv_buffer_size()?),
        send: usable(socket.send_buffer_size()?),
    };
    Ok((socket.into(), buffers))
}

/// Linux reports twice of what it was asked for, the rest being its own bookkeeping (socket(7)).
fn usable(reported: usize) -> usize {
    if cfg!(target_os = "linux") {
        reported / 2
    } else {
        reported
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_buffers_lead_to_advice() {
        let buffers = UdpBuffers {
            wanted: 8,
            receive: 4,
            send: 8,
        };
        assert!(buffers.advice().unwrap().contains("net.core.rmem_max=8"));
        let enough = UdpBuffers {
            receive: 8,
            ..buffers
        };
        assert_eq!(enough.advice(), None);
    }

    #[test]
    fn what_is_asked_for_within_the_limit_is_given() {
        let (_, buffers) = bind("127.0.0.1:0".parse().unwrap(), 65536).unwrap();
        assert_eq!(buffers.advice(), None, "{buffers:?}");
    }
}
