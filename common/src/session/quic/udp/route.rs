//! What the system knows of the way to a peer.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
};

use rustix::net::sockopt;

/// Header bytes of IPv4 and UDP.
const IPV4_UDP: u32 = 20 + 8;
/// Header bytes of IPv6 and UDP.
const IPV6_UDP: u32 = 40 + 8;

/// The longest UDP payload, in bytes, that the interface towards a peer takes whole: an upper bound of the path's (RFC 8899,
/// section 5.1.2). Nothing is sent.
///
/// # Errors
/// When there is no route.
pub(in crate::session::quic) fn longest_payload(peer: SocketAddr) -> io::Result<u16> {
    let socket = match peer {
        SocketAddr::V4(_) => UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?,
        SocketAddr::V6(_) => UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0))?,
    };
    socket.connect(peer)?;
    let payload = match peer {
        SocketAddr::V4(_) => sockopt::ip_mtu(&socket)?.saturating_sub(IPV4_UDP),
        SocketAddr::V6(_) => sockopt::ipv6_mtu(&socket)?.saturating_sub(IPV6_UDP),
    };
    Ok(u16::try_from(payload).unwrap_or(u16::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_interface_takes_long_datagrams() {
        let longest = longest_payload("127.0.0.1:9".parse().unwrap()).unwrap();
        assert!(longest > 16_000, "{longest}");
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let sent = socket.send_to(&vec![0; longest.into()], socket.local_addr().unwrap());
        assert_eq!(sent.unwrap(), usize::from(longest));
    }
}
