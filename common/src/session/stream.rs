//! The two halves of a stream. Neither ends cleanly by accident: a half that is dropped before its end is reset.

use std::future::Future;

use bytes::Bytes;
use quinn::{ReadError, VarInt, WriteError};
use thiserror::Error;

use super::{
    Closed,
    quic::{QuicRecv, QuicSend},
};
use crate::wire::close::StreamCode;

/// Why a stream broke off.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StreamError {
    /// The peer reset its sending half (RFC 9000, section 3.5).
    #[error("the peer reset the stream (code {0:#x})")]
    Reset(u64),
    /// The peer stopped reading for good.
    #[error("the peer stopped the stream (code {0:#x})")]
    Stopped(u64),
    /// The session ended.
    #[error("the session ended: {0}")]
    Session(#[from] Closed),
    /// The stream ended in the middle of something that has a length.
    #[error("the stream ended early")]
    Early,
    /// The peer sent more of the stream than it was granted.
    #[error("the peer sent more than it was granted")]
    Flooded,
    /// This half was used after its end.
    #[error("the stream is closed")]
    Misused,
}

/// The half that sends.
#[derive(Debug)]
pub struct SendHalf {
    carrier: SendCarrier,
    ended: bool,
}

#[derive(Debug)]
enum SendCarrier {
    /// On the heap, because a half is moved through many futures, and would have a place in each of them.
    Quic(Box<QuicSend>),
}

impl SendHalf {
    pub(super) fn over_quic(stream: QuicSend) -> Self {
        Self {
            carrier: SendCarrier::Quic(Box::new(stream)),
            ended: false,
        }
    }

    /// Hands over the bytes, without copying them; waits for flow control.
    ///
    /// # Errors
    /// [`StreamError::Stopped`] or [`StreamError::Session`].
    ///
    /// # Cancel safety
    /// Not cancel safe: a part may have been handed over.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), StreamError> {
        match &mut self.carrier {
            SendCarrier::Quic(stream) => Ok(stream.write(bytes).await?),
        }
    }

    /// Sends ahead of all other streams of the session, without a window: for its control stream.
    pub(super) fn put_first(&mut self) {
        match &mut self.carrier {
            SendCarrier::Quic(stream) => stream.put_first(),
        }
    }

    /// Marks the end. What was written is still delivered; [`Self::acknowledged`] tells when.
    pub fn finish(&mut self) {
        self.ended = true;
        match &mut self.carrier {
            // It fails only when the stream has ended already.
            SendCarrier::Quic(stream) => drop(stream.stream.finish()),
        }
    }

    /// Completes when the peer's carrier has all bytes up to [`Self::finish`].
    ///
    /// # Errors
    /// [`StreamError::Stopped`] or [`StreamError::Session`] when it never will.
    pub fn acknowledged(&self) -> impl Future<Output = Result<(), StreamError>> + Send + use<> {
        match &self.carrier {
            SendCarrier::Quic(stream) => {
                let stopped = stream.stream.stopped();
                async move {
                    match stopped.await {
                        Ok(None) => Ok(()),
                        Ok(Some(code)) => Err(StreamError::Stopped(code.into_inner())),
                        Err(quinn::StoppedError::ConnectionLost(error)) => {
                            Err(StreamError::Session(error.into()))
                        }
                        Err(quinn::StoppedError::ZeroRttRejected) => Err(StreamError::Misused),
                    }
                }
            }
        }
    }

    /// Breaks off: what the peer has not read yet is lost, and it sees an error.
    pub fn reset(&mut self, code: StreamCode) {
        self.ended = true;
        match &mut self.carrier {
            // It fails only when the stream has ended already.
            SendCarrier::Quic(stream) => drop(stream.stream.reset(VarInt::from_u32(code as u32))),
        }
    }
}

impl Drop for SendHalf {
    /// The library's own drop would finish the stream: a transfer cut here would look complete over there.
    fn drop(&mut self) {
        if !self.ended {
            self.reset(StreamCode::Aborted);
        }
    }
}

/// The half that receives.
#[derive(Debug)]
pub struct RecvHalf {
    carrier: RecvCarrier,
    ended: bool,
}

#[derive(Debug)]
enum RecvCarrier {
    /// On the heap, as a [sending half](SendCarrier::Quic).
    Quic(Box<QuicRecv>),
}

impl RecvHalf {
    pub(super) fn over_quic(stream: QuicRecv) -> Self {
        Self {
            carrier: RecvCarrier::Quic(Box::new(stream)),
            ended: false,
        }
    }

    /// What has come, without copying it, or `None` at the end. Whoever has done something with the bytes says so with
    /// [`Self::consumed`], or no more will come.
    ///
    /// # Errors
    /// [`StreamError::Reset`], [`StreamError::Session`] or [`StreamError::Flooded`].
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn read(&mut self) -> Result<Option<Vec<Bytes>>, StreamError> {
        let read = match &mut self.carrier {
            RecvCarrier::Quic(stream) => stream.read().await?,
        };
        self.ended |= read.is_none();
        Ok(read)
    }

    /// So many bytes have gone where they belong, and more may come.
    pub fn consumed(&mut self, bytes: usize) {
        match &mut self.carrier {
            RecvCarrier::Quic(stream) => stream.consumed(bytes),
        }
    }

    /// Takes in what is still on its way while nobody reads. Never completes.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn absorb(&mut self) {
        match &mut self.carrier {
            RecvCarrier::Quic(stream) => stream.absorb().await,
        }
    }

    /// Fills `buffer`, and takes not a byte more off the stream.
    ///
    /// # Errors
    /// As [`Self::read`], and [`StreamError::Early`] when the stream ends first.
    pub async fn read_exact(&mut self, buffer: &mut [u8]) -> Result<(), StreamError> {
        match &mut self.carrier {
            RecvCarrier::Quic(stream) => {
                let read = stream.read_exact(buffer).await;
                self.ended |= read == Err(StreamError::Early);
                read
            }
        }
    }

    /// Whether the peer has reset the stream or the session has ended, without reading on: for the time in which nobody
    /// reads. What an ended session has delivered can still be read, end included.
    ///
    /// A look, not something to wait for: quinn's `received_reset` leaves a waker behind when it is dropped, for the
    /// life of the connection if all data has arrived by then.
    pub async fn broken_yet(&mut self) -> Option<StreamError> {
        match &mut self.carrier {
            RecvCarrier::Quic(stream) => stream.broken_yet().await,
        }
    }

    /// Takes whatever comes, without grants: for the session's control stream.
    pub(super) fn lift(&mut self) {
        match &mut self.carrier {
            RecvCarrier::Quic(stream) => stream.lift(),
        }
    }

    /// Asks the peer to send no more; what has come is thrown away.
    pub fn stop(&mut self, code: StreamCode) {
        self.ended = true;
        match &mut self.carrier {
            // It fails only when the stream has ended already.
            RecvCarrier::Quic(stream) => drop(stream.stream.stop(VarInt::from_u32(code as u32))),
        }
    }
}

impl Drop for RecvHalf {
    fn drop(&mut self) {
        if !self.ended {
            self.stop(StreamCode::Aborted);
        }
    }
}

impl From<WriteError> for StreamError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Stopped(code) => Self::Stopped(code.into_inner()),
            WriteError::ConnectionLost(error) => Self::Session(error.into()),
            WriteError::ClosedStream | WriteError::ZeroRttRejected => Self::Misused,
        }
    }
}

impl From<ReadError> for StreamError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Reset(code) => Self::Reset(code.into_inner()),
            ReadError::ConnectionLost(error) => Self::Session(error.into()),
            ReadError::ClosedStream
            | ReadError::IllegalOrderedRead
            | ReadError::ZeroRttRejected => Self::Misused,
        }
    }
}
