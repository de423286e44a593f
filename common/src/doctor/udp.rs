//! Whether QUIC is spoken at an address, found out with packets that cost the other side nothing: a version that does not
//! exist must be answered with those that do (RFC 9000, section 6.1), and makes no connection.

use std::{
    io::{self, ErrorKind},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::{Duration, Instant},
};

use tokio::{net::UdpSocket, time::timeout};

/// Length of a packet: a server need not answer a shorter one.
const LENGTH: usize = 1200;
/// A version that is reserved for asking (RFC 9000, section 15).
const RESERVED: [u8; 4] = [0x1a, 0x2a, 0x3a, 0x4a];
/// Where the identifier of the source begins in what is sent.
const SOURCE: usize = 15;
/// How long each of the packets is waited for.
const WAITS: [Duration; 3] = [
    Duration::from_millis(300),
    Duration::from_millis(600),
    Duration::from_millis(1100),
];

/// Random bytes that the answer repeats.
pub type Nonce = [u8; 16];

/// What became of the packets.
#[derive(Debug)]
pub enum Reach {
    /// Somebody speaks QUIC there.
    Quic {
        /// The time to the answer.
        after: Duration,
        /// Whether version 1 is among those it speaks.
        version_1: bool,
    },
    /// ICMP says that nobody has this port.
    NoPort,
    /// The system knows no way there, or does not let us go it.
    NoWay(io::Error),
    /// Nothing came back.
    Silence,
}

/// Asks an address, at most three times in two seconds.
///
/// # Cancel safety
/// Cancel safe: the question is given up.
pub async fn reach(address: SocketAddr, nonce: Nonce) -> Reach {
    try_reach(address, nonce).await.unwrap_or_else(failed)
}

fn failed(error: io::Error) -> Reach {
    match error.kind() == ErrorKind::ConnectionRefused {
        true => Reach::NoPort,
        false => Reach::NoWay(error),
    }
}

async fn try_reach(address: SocketAddr, nonce: Nonce) -> io::Result<Reach> {
    let any: IpAddr = match address {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).await?;
    // A connected socket is told of ICMP errors.
    socket.connect(address).await?;
    let packet = question(nonce);
    for wait in WAITS {
        socket.send(&packet).await?;
        let sent = Instant::now();
        if let Ok(answered) = timeout(wait, hear(&socket, nonce)).await {
            let version_1 = answered?;
            let after = sent.elapsed();
            return Ok(Reach::Quic { after, version_1 });
        }
    }
    Ok(Reach::Silence)
}

async fn hear(socket: &UdpSocket, nonce: Nonce) -> io::Result<bool> {
    let mut packet = [0; LENGTH];
    loop {
        let length = socket.recv(&mut packet).await?;
        if let Some(version_1) = speaks_version_1(&packet[..length], nonce) {
            return Ok(version_1);
        }
    }
}

/// A first packet of a version that nobody has: form and fixed bit, version, both identifiers, nothing else that counts.
fn question(nonce: Nonce) -> [u8; LENGTH] {
    let mut packet = [0; LENGTH];
    packet[0] = 0xc0;
    packet[1..5].copy_from_slice(&RESERVED);
    packet[5] = 8;
    packet[6..14].copy_from_slice(&nonce[..8]);
    packet[14] = 8;
    packet[SOURCE..SOURCE + 8].copy_from_slice(&nonce[8..]);
    packet
}

/// Whether an answer (RFC 9000, section 17.2.1) names version 1; `None` when it is not an answer to our question.
fn speaks_version_1(packet: &[u8], nonce: Nonce) -> Option<bool> {
    let (first, rest) = packet.split_first()?;
    let rest = rest.strip_prefix(&[0; 4])?;
    // The identifiers come back exchanged.
    let rest = rest.strip_prefix(&[8])?.strip_prefix(&nonce[8..])?;
    let versions = rest.strip_prefix(&[8])?.strip_prefix(&nonce[..8])?;
    let (versions, odd) = versions.as_chunks::<4>();
    let whole = first & 0x80 != 0 && odd.is_empty() && !versions.is_empty();
    whole.then(|| versions.contains(&1_u32.to_be_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{quic::TransportSettings, testing};
    use crate::wire::Protocol;

    const NONCE: Nonce = *b"destinatsource..";

    fn answer(versions: &[u32]) -> Vec<u8> {
        let mut packet = vec![0x95, 0, 0, 0, 0, 8];
        packet.extend_from_slice(&NONCE[8..]);
        packet.push(8);
        packet.extend_from_slice(&NONCE[..8]);
        packet.extend(versions.iter().flat_map(|version| version.to_be_bytes()));
        packet
    }

    #[test]
    fn only_an_answer_to_our_question_counts() {
        assert_eq!(
            speaks_version_1(&answer(&[0x0a0a_0a0a, 1]), NONCE),
            Some(true)
        );
        assert_eq!(
            speaks_version_1(&answer(&[0x6b33_43cf]), NONCE),
            Some(false)
        );
        let whole = answer(&[1]);
        for length in 0..whole.len() {
            assert_eq!(speaks_version_1(&whole[..length], NONCE), None, "{length}");
        }
        for place in [0, 1, 5, 6, 14, 15] {
            let mut damaged = whole.clone();
            damaged[place] ^= 0x80;
            assert_eq!(speaks_version_1(&damaged, NONCE), None, "{place}");
        }
    }

    #[tokio::test]
    async fn an_endpoint_answers_without_a_connection() {
        let pair = testing::pair(Protocol::V2, &TransportSettings::default()).await;
        let address = pair.connector.peer_address();
        let reach = reach(address, NONCE).await;
        assert!(
            matches!(
                reach,
                Reach::Quic {
                    version_1: true,
                    ..
                }
            ),
            "{reach:?}"
        );
    }

    #[tokio::test]
    async fn a_port_that_nobody_has_and_one_that_is_silent() {
        let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = silent.local_addr().unwrap();
        let silence = reach(address, NONCE).await;
        assert!(matches!(silence, Reach::Silence), "{silence:?}");
        drop(silent);
        let refused = reach(address, NONCE).await;
        assert!(matches!(refused, Reach::NoPort), "{refused:?}");
    }
}
