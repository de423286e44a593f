//! The TCP side of a splice: the options that make errors reach the TCP peer as errors.

use std::{io, time::Duration};

use socket2::{SockRef, TcpKeepalive};
use tokio::{io::Interest, net::TcpStream};

use super::Cut;

/// Idle time before the first keep-alive probe, between probes, and their number: a peer that is gone is noticed
/// after 60 + 3 × 20 s.
const KEEPALIVE: TcpKeepalive = TcpKeepalive::new()
    .with_time(Duration::from_secs(60))
    .with_interval(Duration::from_secs(20))
    .with_retries(3);

/// How much the kernel may hold of what the peer's window does not take yet, in bytes. What is in flight is not counted,
/// so a long path is filled all the same; but a thousand peers that do not read would otherwise pin up to
/// `tcp_wmem` each, and bring the machine to the end of its TCP memory.
const NOT_SENT: u32 = 128 * 1024;

/// Prepares a socket that was just accepted or connected: no delay, keep-alive probes (RFC 9293, section 3.8.4), a bound
/// for what lies unsent, and
/// `SO_LINGER` 0, so that closing it resets it, even when the kernel does so because the process was killed.
///
/// # Errors
/// When the system refuses an option; the socket is then of no use.
pub fn prepare(tcp: &TcpStream) -> io::Result<()> {
    let socket = SockRef::from(tcp);
    socket.set_linger(Some(Duration::ZERO))?;
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_notsent_lowat(NOT_SENT)?;
    socket.set_tcp_keepalive(&KEEPALIVE)
}

/// Closes a socket whose both directions have ended: what is still in its send buffer is delivered.
pub(super) fn close_cleanly(tcp: TcpStream) {
    // It fails only when the peer has reset the connection by now, and then there is nothing to deliver.
    let _ = SockRef::from(&tcp).set_linger(None);
}

/// Completes when the connection is broken; never while it is sound.
///
/// # Cancel safety
/// Cancel safe.
pub(super) async fn error(tcp: &TcpStream) -> Cut {
    match tcp.ready(Interest::ERROR).await {
        Err(error) => error.into(),
        Ok(_) => match tcp.take_error() {
            Ok(Some(error)) | Err(error) => error.into(),
            Ok(None) => Cut::Tcp(io::ErrorKind::ConnectionReset),
        },
    }
}
