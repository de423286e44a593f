//! The receiving half of a QUIC stream: chunks as they come, spares among them, in order, and grants for more.

use std::{
    future::{pending, poll_fn},
    pin::pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use quinn::{Chunk, Connection, RecvStream};

use super::{SharedState, spares::Inbox};
use crate::session::{
    StreamError,
    flow::{INITIAL_WINDOW, Intake, Reassembly},
};

/// Chunks taken off a stream at once; each is the payload of one packet.
const CHUNKS: usize = 64;
/// Bytes taken off a stream at once, about.
const READ: usize = 256 << 10;
/// A chunk of at least so many bytes may wait behind gaps for every byte granted: those of the shortest packets that a
/// path must carry (RFC 9000, section 14) are longer.
const SHORTEST: u64 = 1024;
/// Chunks that may wait behind gaps in any case: a sender of many small messages is no flood.
const FEW: u64 = 8 << 10;

/// A receiving half. In protocol 1, where nothing is granted, it is quinn's own.
#[derive(Debug)]
pub(in crate::session) struct QuicRecv {
    pub(in crate::session) stream: RecvStream,
    connection: Connection,
    shared: Arc<SharedState>,
    reassembly: Reassembly,
    intake: Intake,
    /// Where its spares come, if there are any in this session.
    inbox: Option<Arc<Inbox>>,
    finished: bool,
    /// quinn tells a reset once, and an end from then on.
    failed: Option<StreamError>,
}

impl QuicRecv {
    pub(super) fn new(
        stream: RecvStream,
        connection: Connection,
        shared: Arc<SharedState>,
    ) -> Self {
        let spares = shared.spares.as_ref();
        Self {
            intake: Intake::new(shared.now()),
            inbox: spares.map(|spares| spares.inbox(stream.id().into())),
            stream,
            connection,
            shared,
            reassembly: Reassembly::default(),
            finished: false,
            failed: None,
        }
    }

    /// Takes what comes in the stream itself without grants: for the control stream. It takes no spares.
    pub(in crate::session) fn lift(&mut self) {
        self.intake.lift();
        self.forget_spares();
    }

    fn forget_spares(&mut self) {
        if let (Some(spares), Some(_)) = (&self.shared.spares, self.inbox.take()) {
            spares.forget(self.stream.id().into());
        }
    }

    /// Fills `buffer`, and takes nothing behind it.
    ///
    /// # Errors
    /// [`StreamError::Early`] when the stream ends first, and those of [`Self::read`].
    pub(in crate::session) async fn read_exact(
        &mut self,
        buffer: &mut [u8],
    ) -> Result<(), StreamError> {
        let mut filled = 0;
        while filled < buffer.len() {
            if self.reassembly.is_empty() {
                poll_fn(|cx| self.poll_in_order(cx)).await?;
            }
            filled += self.reassembly.copy(&mut buffer[filled..]);
        }
        self.consumed(buffer.len());
        Ok(())
    }

    /// Waits for the next bytes in order.
    fn poll_in_order(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamError>> {
        while self.reassembly.is_empty() {
            match self.poll_chunk(cx) {
                Poll::Ready(Ok(Some(chunk))) => self.reassembly.insert(chunk.offset, chunk.bytes),
                Poll::Ready(Ok(None)) => return Poll::Ready(Err(StreamError::Early)),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(()))
    }

    /// What has come, or `None` at the end.
    ///
    /// # Errors
    /// [`StreamError::Reset`], [`StreamError::Session`], [`StreamError::Flooded`].
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub(in crate::session) async fn read(&mut self) -> Result<Option<Vec<Bytes>>, StreamError> {
        poll_fn(|cx| self.poll_read(cx)).await
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Vec<Bytes>>, StreamError>> {
        let mut chunks = Vec::new();
        let mut bytes = 0;
        let stopped = loop {
            while chunks.len() < CHUNKS
                && let Some(chunk) = self.reassembly.take()
            {
                bytes += chunk.len();
                chunks.push(chunk);
            }
            if chunks.len() == CHUNKS || bytes >= READ {
                break Poll::Pending;
            }
            match self.poll_chunk(cx) {
                Poll::Ready(Ok(Some(chunk))) => self.reassembly.insert(chunk.offset, chunk.bytes),
                Poll::Ready(Ok(None)) => break Poll::Ready(Ok(None)),
                Poll::Ready(Err(error)) => break Poll::Ready(Err(error)),
                Poll::Pending => break Poll::Pending,
            }
        };
        // An end or an error is seen again by the next read.
        if chunks.is_empty() {
            stopped
        } else {
            Poll::Ready(Ok(Some(chunks)))
        }
    }

    /// The next chunk that has come, in whatever order; `None` at the end.
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Chunk>, StreamError>> {
        if let Some(error) = &self.failed {
            return Poll::Ready(Err(error.clone()));
        }
        if self.finished {
            return Poll::Ready(Ok(None));
        }
        let polled = match self.poll_stream(cx, usize::MAX) {
            Poll::Pending => return self.poll_spare(cx).map(|spare| Ok(Some(spare))),
            ready => ready,
        };
        if let Poll::Ready(Err(error)) = &polled {
            self.failed = Some(error.clone());
        }
        polled
    }

    fn poll_stream(
        &mut self,
        cx: &mut Context<'_>,
        most: usize,
    ) -> Poll<Result<Option<Chunk>, StreamError>> {
        let ordered = !self.shared.grants;
        let polled = pin!(self.stream.read_chunk(most, ordered)).poll(cx);
        Poll::Ready(match polled {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(Some(chunk))) => self.check(chunk).map(Some),
            Poll::Ready(Ok(None)) if self.reassembly.held() > 0 => Err(StreamError::Early),
            Poll::Ready(Ok(None)) => {
                self.finished = true;
                Ok(None)
            }
            Poll::Ready(Err(error)) => Err(error.into()),
        })
    }

    /// The next spare, when the stream itself has nothing. One that would break the stream off is left out.
    fn poll_spare(&self, cx: &Context<'_>) -> Poll<Chunk> {
        let Some(inbox) = &self.inbox else {
            return Poll::Pending;
        };
        loop {
            let spare = ready!(inbox.poll_take(cx));
            if self.admits(&spare) {
                return Poll::Ready(spare);
            }
        }
    }

    fn check(&self, chunk: Chunk) -> Result<Chunk, StreamError> {
        if self.admits(&chunk) {
            Ok(chunk)
        } else {
            Err(StreamError::Flooded)
        }
    }

    /// What was read counts as credit for the sender, gaps or not: only this holds a hostile one.
    fn admits(&self, chunk: &Chunk) -> bool {
        let end = chunk.offset.saturating_add(chunk.bytes.len() as u64);
        let granted = !self.shared.grants || end <= self.intake.granted();
        let most = FEW + self.intake.ahead() / SHORTEST;
        granted && (self.reassembly.held() as u64) < most
    }

    /// Why no more will come, if that is known already; takes nothing off the stream.
    pub(in crate::session) async fn broken_yet(&mut self) -> Option<StreamError> {
        if self.failed.is_none() && !self.finished {
            let looked = poll_fn(|cx| Poll::Ready(self.poll_stream(cx, 0))).await;
            if let Poll::Ready(Err(error)) = looked {
                self.failed = Some(error);
            }
        }
        let closed = || Some(StreamError::Session(self.connection.close_reason()?.into()));
        self.failed.clone().or_else(closed)
    }

    /// Takes in what was granted while nobody reads, and never completes. Chunks that lay in the connection would count
    /// as gaps there, and more than 1,024 end it.
    pub(in crate::session) async fn absorb(&mut self) {
        if self.shared.grants {
            poll_fn(|cx| self.poll_absorb(cx)).await;
        }
        pending().await
    }

    fn poll_absorb(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            match self.poll_chunk(cx) {
                Poll::Ready(Ok(Some(chunk))) => {
                    let bytes = Bytes::copy_from_slice(&chunk.bytes);
                    self.reassembly.insert(chunk.offset, bytes);
                    self.reassembly.join();
                }
                // The reader will see it again.
                Poll::Ready(Ok(None) | Err(_)) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// So many bytes have gone where they belong: the sender may be granted more.
    pub(in crate::session) fn consumed(&mut self, bytes: usize) {
        let shared = &self.shared;
        if !shared.grants {
            return;
        }
        let before = self.intake.window();
        let growth = shared.windows.growth();
        let grant = self.intake.consumed(
            bytes as u64,
            shared.now(),
            shared.stream_window.into(),
            || self.connection.rtt(),
            |bytes| growth.take(bytes),
        );
        // It may shrink without a grant.
        growth.give(before.saturating_sub(self.intake.window()));
        if let Some(offset) = grant {
            shared.windows.grant(self.stream.id().into(), offset);
        }
    }
}

impl Drop for QuicRecv {
    fn drop(&mut self) {
        let windows = &self.shared.windows;
        windows.growth().give(self.intake.window() - INITIAL_WINDOW);
        windows.forget(self.stream.id().into());
        self.forget_spares();
    }
}
