//! Frames over a stream.

use serde::{Serialize, de::DeserializeOwned};
use thiserror::Error;

use super::{RecvHalf, SendHalf, StreamError};
use crate::wire::codec::{self, FrameError, PREFIX};

/// Why a frame could not be read or written.
#[derive(Debug, Error)]
pub enum FrameIoError {
    /// The stream broke off.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// The bytes are not that frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
}

/// Reads one frame and not a byte more.
///
/// # Errors
/// [`FrameIoError`]; the stream is then of no more use.
///
/// # Cancel safety
/// Not cancel safe: a part of the frame may be lost.
pub async fn read_frame<T: DeserializeOwned>(recv: &mut RecvHalf) -> Result<T, FrameIoError> {
    let mut prefix = [0; PREFIX];
    recv.read_exact(&mut prefix).await?;
    let mut body = vec![0; codec::body_length(prefix)?];
    recv.read_exact(&mut body).await?;
    Ok(codec::decode(&body)?)
}

/// Writes one frame.
///
/// # Errors
/// [`FrameIoError`] when the stream broke off or the message is too long.
pub async fn write_frame<T: Serialize>(
    send: &mut SendHalf,
    message: &T,
) -> Result<(), FrameIoError> {
    let frame = codec::encode(message)?;
    Ok(send.write(frame.into()).await?)
}
