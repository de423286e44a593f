//! Spares: what an interactive stream has sent on a path that loses packets is sent once more.
//!
//! A lost packet costs the stream the round trips after which QUIC notices. Bulk does not mind; a keystroke does. So its
//! bytes follow in a [datagram](crate::wire::spare) shortly after, in another packet, and whichever comes first counts.
//! That is for protocol 2, between two sides that both announce datagrams. The ends of streams have no spares.

mod inbox;
mod outgoing;
mod path;
#[cfg(test)]
mod tests;

use std::{convert::Infallible, future::pending, sync::Arc, time::Duration};

use bytes::Bytes;
use quinn::Connection;

pub(super) use self::inbox::Inbox;
use self::{inbox::Inboxes, outgoing::Outgoing, path::Path};
use crate::wire::{Protocol, spare::Spare};

/// Bytes up to which what is written at once has a spare: with its head it fits into the shortest packet.
const LONGEST: usize = 1000;

/// The spares of one session, those that are sent and those that come.
#[derive(Debug, Default)]
pub(super) struct Spares {
    path: Path,
    outgoing: Outgoing,
    inboxes: Inboxes,
}

impl Spares {
    /// Those of a session whose both sides take them.
    pub(super) fn agreed(protocol: Protocol, connection: &Connection) -> Option<Self> {
        let announced = protocol == Protocol::V2 && connection.max_datagram_size().is_some();
        announced.then(Self::default)
    }

    /// The spare of what an interactive stream is about to send, if it should have one.
    pub(super) fn copy(
        &self,
        connection: &Connection,
        spare: Spare<'_>,
        now: Duration,
    ) -> Option<Bytes> {
        if spare.bytes.len() > LONGEST {
            return None;
        }
        if self.path.is_due(now) {
            self.path.look(connection.stats().path, now);
        }
        if !self.path.is_lossy(now) {
            return None;
        }
        spare.encode().map(Bytes::from)
    }

    /// Sends a spare after the time in which its original leaves, unless there are too many already.
    pub(super) fn send_later(&self, spare: Bytes, now: Duration) {
        let due = now + self.path.delay();
        self.outgoing.push(spare, due, self.path.rate(), now);
    }

    /// Sends spares when they are due, and hands those of the peer to their streams. `clock` is the session's.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub(super) async fn carry(
        &self,
        connection: &Connection,
        clock: impl Fn() -> Duration,
    ) -> Infallible {
        loop {
            tokio::select! {
                // One that does not fit, because the path has changed, is no loss.
                spare = self.outgoing.next(&clock) => drop(connection.send_datagram(spare)),
                received = connection.read_datagram() => match received {
                    Ok(datagram) => self.receive(&datagram),
                    Err(_) => return pending().await,
                },
            }
        }
    }

    /// A datagram that is no spare, or one for a stream that is not there, is nothing.
    fn receive(&self, datagram: &[u8]) {
        if let Some(spare) = Spare::decode(datagram) {
            self.inboxes.put(spare);
        }
    }

    /// Where the spares of a stream wait for its reader, until it is [forgotten](Self::forget).
    pub(super) fn inbox(&self, stream: u64) -> Arc<Inbox> {
        self.inboxes.open(stream)
    }

    /// A stream has no reader any more.
    pub(super) fn forget(&self, stream: u64) {
        self.inboxes.close(stream);
    }
}
