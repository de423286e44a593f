//! The sending half of a QUIC stream: its turn among the others, its window, its room in the send buffer, its spares.

use std::{future::poll_fn, pin::pin, sync::Arc, task::Poll, time::Duration};

use bytes::Bytes;
use quinn::{Connection, SendStream, StoppedError, WriteError};
use tokio::task::yield_now;

use super::{SharedState, budget::SendBudget};
use crate::{
    session::flow::{Recent, SendLimit, Turn},
    wire::spare::Spare,
};

/// A sending half.
#[derive(Debug)]
pub(in crate::session) struct QuicSend {
    pub(in crate::session) stream: SendStream,
    connection: Connection,
    shared: Arc<SharedState>,
    limit: SendLimit,
    recent: Recent,
    turn: Turn,
    priority: i32,
    written: u64,
}

impl QuicSend {
    pub(super) fn new(
        stream: SendStream,
        connection: Connection,
        shared: Arc<SharedState>,
    ) -> Self {
        let id = stream.id();
        let limit = shared.windows.sender(id.into());
        if !shared.grants {
            limit.lift();
        }
        Self {
            recent: Recent::new(id.index(), shared.now()),
            turn: Turn::new(shared.turns.clone()),
            limit,
            stream,
            connection,
            shared,
            priority: 0,
            written: 0,
        }
    }

    /// Sends ahead of all others, and without a window: for the control stream.
    pub(in crate::session) fn put_first(&mut self) {
        self.limit.lift();
        self.priority = i32::MAX;
        // It fails only when the stream has ended already.
        let _ = self.stream.set_priority(i32::MAX);
    }

    /// Hands over all bytes.
    ///
    /// # Errors
    /// As quinn's.
    pub(in crate::session) async fn write(&mut self, mut bytes: Bytes) -> Result<(), WriteError> {
        let now = self.shared.now();
        self.take_turn(bytes.len(), now);
        while !bytes.is_empty() {
            let room = match self.limit.room(self.written) {
                0 => {
                    self.wait_for_grant().await?;
                    continue;
                }
                room => usize::try_from(room).unwrap_or(usize::MAX),
            };
            let part = bytes.split_to(room.min(bytes.len()));
            let size = part.len();
            if self.recent.is_interactive() {
                let spare = self.spare(&part, now);
                self.write_at_once(part).await?;
                self.send_later(spare);
            } else {
                self.budget().follow(&self.connection, self.shared.now());
                self.stream.write_chunk(part).await?;
                if self.turn.is_over(size) {
                    yield_now().await;
                }
            }
            self.written += size as u64;
        }
        Ok(())
    }

    async fn wait_for_grant(&self) -> Result<(), WriteError> {
        tokio::select! {
            () = self.limit.raised(self.written) => Ok(()),
            stopped = self.stream.stopped() => match stopped {
                Ok(Some(code)) => Err(WriteError::Stopped(code)),
                Ok(None) => Err(WriteError::ClosedStream),
                Err(StoppedError::ConnectionLost(error)) => Err(WriteError::ConnectionLost(error)),
                Err(StoppedError::ZeroRttRejected) => Err(WriteError::ZeroRttRejected),
            },
        }
    }

    async fn write_at_once(&mut self, bytes: Bytes) -> Result<(), WriteError> {
        let Self {
            stream,
            connection,
            shared,
            ..
        } = self;
        let mut writing = pin!(stream.write_chunk(bytes));
        poll_fn(|cx| match writing.as_mut().poll(cx) {
            Poll::Pending => (shared.budget).exceed(connection, || writing.as_mut().poll(cx)),
            ready => ready,
        })
        .await
    }

    /// The spare of what is about to be written, if it should have one.
    fn spare(&self, part: &Bytes, now: Duration) -> Option<Bytes> {
        if self.priority == i32::MAX {
            return None;
        }
        let spare = Spare {
            stream: self.stream.id().into(),
            offset: self.written,
            bytes: part,
        };
        self.shared
            .spares
            .as_ref()?
            .copy(&self.connection, spare, now)
    }

    fn send_later(&self, spare: Option<Bytes>) {
        if let (Some(spares), Some(spare)) = (&self.shared.spares, spare) {
            spares.send_later(spare, self.shared.now());
        }
    }

    fn take_turn(&mut self, bytes: usize, now: Duration) {
        if self.priority == i32::MAX {
            return;
        }
        self.recent.add(bytes, now);
        self.turn.set_bulk(!self.recent.is_interactive());
        let priority = self.recent.priority();
        if priority != self.priority {
            self.priority = priority;
            // It fails only when the stream has ended already.
            let _ = self.stream.set_priority(priority);
        }
    }

    fn budget(&self) -> &SendBudget {
        &self.shared.budget
    }
}
