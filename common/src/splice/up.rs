//! From the TCP socket into the stream.

use std::io::ErrorKind;

use bytes::Bytes;
use tokio::net::TcpStream;

use super::{Cut, buffer::ReadBuffer, meter::Direction, socket};
use crate::session::SendHalf;

/// Copies until the peer's FIN, hands it on, and waits until everything has arrived.
pub(super) async fn pump(
    tcp: &TcpStream,
    send: &mut SendHalf,
    meter: &Direction,
) -> Result<(), Cut> {
    let mut buffer = ReadBuffer::new();
    loop {
        match tcp.try_read_buf(buffer.room()) {
            Ok(0) => break,
            Ok(count) => {
                meter.add(count);
                write(tcp, send, buffer.take(count)).await?;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                buffer.release();
                tcp.readable().await?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    meter.end();
    send.finish();
    send.acknowledged().await?;
    Ok(())
}

/// While flow control holds us back nobody reads the socket, so a reset must be looked for.
async fn write(tcp: &TcpStream, send: &mut SendHalf, bytes: Bytes) -> Result<(), Cut> {
    tokio::select! {
        biased;
        written = send.write(bytes) => Ok(written?),
        cut = socket::error(tcp) => Err(cut),
    }
}
