//! A socket that merges the sends of a busy connection.
//!
//! quinn hands over at most ten datagrams at a time; the kernel's segmentation offload takes 64 KiB for about the same
//! cost. A transmit with fewer than ten is the end of a burst and leaves at once, so that a small message waits for
//! nothing; what waits behind a full one leaves at the latest when the runtime has turned once.

use std::{
    fmt,
    io::{self, ErrorKind, IoSliceMut},
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    task::{Context, Poll},
    thread::{self, ThreadId},
};

use quinn::{
    AsyncUdpSocket, UdpPoller,
    udp::{RecvMeta, Transmit},
};
use tokio::{sync::Notify, task::yield_now};
use tokio_util::task::AbortOnDropHandle;

use super::batch::{Batch, is_full};

/// Room that every receive buffer must have: a UDP length.
const RECEIVE_BYTES: usize = 65_536;

/// Sends of every thread are merged in a lane of its own, so that shards share nothing.
pub(in crate::session::quic) struct MergingSocket {
    inner: Arc<dyn AsyncUdpSocket>,
    lanes: RwLock<Vec<Lane>>,
    max_udp_payload: usize,
}

struct Lane {
    thread: ThreadId,
    queue: Arc<Queue>,
    _flusher: AbortOnDropHandle<()>,
}

struct Queue {
    inner: Arc<dyn AsyncUdpSocket>,
    batch: Mutex<Batch>,
    waiting: Notify,
}

impl MergingSocket {
    /// Merges what is sent over `inner`; `max_udp_payload` is the longest datagram that is received, in bytes.
    pub(in crate::session::quic) fn new(
        inner: Arc<dyn AsyncUdpSocket>,
        max_udp_payload: u16,
    ) -> Self {
        Self {
            inner,
            lanes: RwLock::default(),
            max_udp_payload: max_udp_payload.into(),
        }
    }

    fn queue(&self) -> Option<Arc<Queue>> {
        let thread = thread::current().id();
        let lanes = self.lanes.read().unwrap_or_else(PoisonError::into_inner);
        let lane = lanes.iter().find(|lane| lane.thread == thread)?;
        Some(lane.queue.clone())
    }

    fn new_queue(&self) -> Arc<Queue> {
        let queue = Arc::new(Queue {
            inner: self.inner.clone(),
            batch: Mutex::default(),
            waiting: Notify::new(),
        });
        let lane = Lane {
            thread: thread::current().id(),
            queue: queue.clone(),
            _flusher: AbortOnDropHandle::new(tokio::spawn(flush(queue.clone()))),
        };
        let mut lanes = self.lanes.write().unwrap_or_else(PoisonError::into_inner);
        lanes.push(lane);
        queue
    }
}

impl AsyncUdpSocket for MergingSocket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        self.inner.clone().create_io_poller()
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        match self.queue() {
            Some(queue) => queue.send(transmit),
            None if is_full(transmit) => self.new_queue().send(transmit),
            None => self.inner.try_send(transmit),
        }
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        self.inner.poll_recv(cx, bufs, meta)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    fn max_transmit_segments(&self) -> usize {
        self.inner.max_transmit_segments()
    }

    /// quinn reserves this many times the longest datagram for every receive; the kernel never merges more than a UDP
    /// length.
    fn max_receive_segments(&self) -> usize {
        let segments = RECEIVE_BYTES.div_ceil(self.max_udp_payload);
        segments.min(self.inner.max_receive_segments())
    }

    fn may_fragment(&self) -> bool {
        self.inner.may_fragment()
    }
}

impl Queue {
    fn send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        let mut batch = self.batch();
        if !batch.is_empty() && !batch.continues(transmit) {
            self.send_all(&mut batch)?;
        }
        if batch.is_empty() && !is_full(transmit) {
            return self.inner.try_send(transmit);
        }
        // From here on the transmit is ours: an error now would make quinn hand it over again.
        self.send_full(&mut batch)?;
        let first = batch.is_empty();
        batch.push(transmit);
        let sent = match is_full(transmit) {
            true => self.send_full(&mut batch),
            false => self.send_all(&mut batch),
        };
        let blocked = sent.is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
        if blocked || (first && !batch.is_empty()) {
            self.waiting.notify_one();
        }
        Ok(())
    }

    fn send_full(&self, batch: &mut Batch) -> io::Result<()> {
        let segments = self.inner.max_transmit_segments();
        batch.send_full(segments, |transmit| self.inner.try_send(transmit))
    }

    fn send_all(&self, batch: &mut Batch) -> io::Result<()> {
        let segments = self.inner.max_transmit_segments();
        batch.send_all(segments, |transmit| self.inner.try_send(transmit))
    }

    fn batch(&self) -> MutexGuard<'_, Batch> {
        self.batch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends what waits in a queue, one turn of the runtime after it began to wait.
async fn flush(queue: Arc<Queue>) {
    let mut poller = queue.inner.clone().create_io_poller();
    loop {
        queue.waiting.notified().await;
        yield_now().await;
        while queue
            .send_all(&mut queue.batch())
            .is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
        {
            let writable = std::future::poll_fn(|cx| poller.as_mut().poll_writable(cx)).await;
            if writable.is_err() {
                return;
            }
        }
    }
}

impl fmt::Debug for MergingSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MergingSocket")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}
