//! Binding the port of an opening.

use std::{
    io,
    net::{IpAddr, SocketAddr, TcpListener},
};

use socket2::{Domain, Protocol, Socket, Type};
use thiserror::Error;

/// Connections that the kernel may hold until they are accepted.
const BACKLOG: i32 = 4096;

/// Why a port could not be bound.
#[derive(Debug, Error)]
pub enum BindError {
    /// Another program has it.
    #[error("TCP {0} is in use by another program")]
    InUse(SocketAddr),
    /// Ports below 1024 need a capability.
    #[error("this process may not bind TCP {0}: ports below 1024 need CAP_NET_BIND_SERVICE")]
    NotPermitted(SocketAddr),
    /// The address is not one of this machine's.
    #[error("{0} is not an address of this machine")]
    NoSuchAddress(IpAddr),
    /// Anything else: descriptors, memory.
    #[error("cannot bind TCP {address}: {source}")]
    Other {
        /// The address and port.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// Binds and listens; the port of the result is never 0.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "io::ErrorKind is non-exhaustive"
)]
pub(super) fn bind(address: SocketAddr) -> Result<TcpListener, BindError> {
    try_bind(address).map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => BindError::InUse(address),
        io::ErrorKind::PermissionDenied => BindError::NotPermitted(address),
        io::ErrorKind::AddrNotAvailable => BindError::NoSuchAddress(address.ip()),
        _ => BindError::Other { address, source },
    })
}

fn try_bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    // Not to steal a port: to take it again while connections of an earlier run are in TIME_WAIT.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}
