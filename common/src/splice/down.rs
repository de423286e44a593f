//! From the stream to the TCP socket.

use std::{
    io::{ErrorKind, IoSlice},
    net::Shutdown,
    time::Duration,
};

use bytes::{Buf, Bytes, BytesMut};
use socket2::SockRef;
use tokio::{net::TcpStream, time::timeout};

use super::{Cut, meter::Direction};
use crate::session::{RecvHalf, StreamError};

/// Chunks handed to the socket at once.
const CHUNKS: usize = 64;
/// Time between two looks for a reset while the socket takes nothing.
const LOOK: Duration = Duration::from_secs(1);
/// How long the TCP peer may take nothing while the session behind it has ended.
const LEGACY: Duration = Duration::from_secs(30);

/// Copies until the end of the stream; [`finish`] hands it on.
pub(super) async fn pump(
    tcp: &TcpStream,
    recv: &mut RecvHalf,
    meter: &Direction,
) -> Result<(), Cut> {
    while let Some(mut chunks) = recv.read().await? {
        let mut rest = &mut chunks[..];
        while !rest.is_empty() {
            match try_write(tcp, rest) {
                Ok(written) => {
                    meter.add(written);
                    recv.consumed(written);
                    rest = advance(rest, written);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    compact(rest);
                    writable(tcp, recv).await?;
                    rest = &mut rest[..1];
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}

/// Hands the end of the stream on: a FIN after what is in the send buffer, whatever `SO_LINGER` says.
pub(super) fn finish(tcp: &TcpStream, meter: &Direction) -> Result<(), Cut> {
    meter.end();
    Ok(SockRef::from(tcp).shutdown(Shutdown::Write)?)
}

fn try_write(tcp: &TcpStream, chunks: &[Bytes]) -> std::io::Result<usize> {
    if let [only] = chunks {
        return tcp.try_write(only);
    }
    let mut slices = [IoSlice::new(&[]); CHUNKS];
    for (slice, chunk) in slices.iter_mut().zip(chunks) {
        *slice = IoSlice::new(chunk);
    }
    tcp.try_write_vectored(&slices[..chunks.len().min(CHUNKS)])
}

/// Lets go of the first `written` bytes; what is left.
fn advance(chunks: &mut [Bytes], mut written: usize) -> &mut [Bytes] {
    let mut whole = 0;
    for chunk in chunks.iter_mut() {
        if written < chunk.len() {
            chunk.advance(written);
            break;
        }
        written -= chunk.len();
        *chunk = Bytes::new();
        whole += 1;
    }
    &mut chunks[whole..]
}

/// Each chunk keeps the whole datagram batch alive in which it came. While the socket takes nothing, one copy of what
/// is left holds less.
fn compact(chunks: &mut [Bytes]) {
    if chunks.len() == 1 {
        return;
    }
    let length = chunks.iter().map(Bytes::len).sum();
    let mut all = BytesMut::with_capacity(length);
    for chunk in chunks.iter_mut() {
        all.extend_from_slice(&std::mem::take(chunk));
    }
    chunks[0] = all.freeze();
}

/// While the socket takes nothing nobody reads the stream, so a reset must be looked for. (Most resets come with a stop,
/// which `up` hears at once, but not after its own end.)
async fn writable(tcp: &TcpStream, recv: &mut RecvHalf) -> Result<(), Cut> {
    let error = loop {
        tokio::select! {
            ready = tcp.writable() => return Ok(ready?),
            () = recv.absorb() => {}
            () = tokio::time::sleep(LOOK) => {}
        }
        if let Some(error) = recv.broken_yet().await {
            break error;
        }
    };
    if !matches!(error, StreamError::Session(_)) {
        return Err(error.into());
    }
    // What the session has delivered can still be read, and may be all: only the reading can tell.
    match timeout(LEGACY, tcp.writable()).await {
        Ok(ready) => Ok(ready?),
        Err(_) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunks(parts: &[&'static [u8]]) -> Vec<Bytes> {
        parts.iter().map(|part| Bytes::from_static(part)).collect()
    }

    #[test]
    fn advance_keeps_what_was_not_written() {
        let mut parts = chunks(&[b"abc", b"de", b"f"]);
        assert_eq!(advance(&mut parts, 4), &chunks(&[b"e", b"f"])[..]);
        let mut parts = chunks(&[b"abc", b"de"]);
        assert!(advance(&mut parts, 5).is_empty());
        let mut parts = chunks(&[b"abc", b"de"]);
        assert_eq!(advance(&mut parts, 3), &chunks(&[b"de"])[..]);
    }

    #[test]
    fn compact_joins_in_order() {
        let mut parts = chunks(&[b"abc", b"de", b"f"]);
        compact(&mut parts);
        assert_eq!(parts, chunks(&[b"abcdef", b"", b""]));
    }
}
