//! A socket that merges the sends of a busy connection.
//!
//! quinn hands over at most ten datagrams at a time; the kernel's segmentation offload takes 64 KiB for about the same
//! cost. A transmit with fewer than ten is the end of a burst and leaves at once, so that a small message waits for
//! nothing; what waits behind a full one leaves at the latest when the runtime has turned once. A connection that has begun to
//! send much may put ten into a transmit; before, [few](super::pace).

use std::{
    fmt,
    io::{self, ErrorKind, IoSliceMut},
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    task::{Context, Poll},
    thread::{self, ThreadId},
    time::Instant,
};

use quinn::{
    AsyncUdpSocket, UdpPoller,
    udp::{RecvMeta, Transmit},
};
use tokio::{sync::Notify, task::yield_now};
use tokio_util::task::AbortOnDropHandle;

use super::{
    batch::{Batch, is_full, is_long, segments},
    pace::{FEW, Pace},
};

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
    pace: Mutex<Pace>,
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
            pace: Mutex::default(),
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
            None if segments(transmit) >= FEW || is_long(transmit) => {
                self.new_queue().send(transmit)
            }
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
        let most = self.inner.max_transmit_segments();
        match self.queue() {
            Some(queue) => queue.pace().allowed(most, Instant::now()),
            None => most.min(FEW),
        }
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
        let count = segments(transmit);
        self.pace()
            .sent(count, transmit.destination, Instant::now());
        let mut batch = self.batch();
        if !batch.is_empty() && !batch.continues(transmit) {
            self.send_all(&mut batch)?;
        }
        if batch.is_empty() && !is_full(transmit) && !is_long(transmit) {
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

    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

    use super::*;

    /// A socket that writes down what it is given, and can be made to block.
    #[derive(Debug, Default)]
    struct Recorder {
        sends: Mutex<Vec<usize>>,
        blocked: Arc<AtomicBool>,
    }

    #[derive(Debug)]
    struct Poller(Arc<AtomicBool>);

    impl UdpPoller for Poller {
        fn poll_writable(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            if !self.0.load(Relaxed) {
                return Poll::Ready(Ok(()));
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    }

    impl AsyncUdpSocket for Recorder {
        fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
            Box::pin(Poller(self.blocked.clone()))
        }

        fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
            if self.blocked.load(Relaxed) {
                return Err(ErrorKind::WouldBlock.into());
            }
            assert!(transmit.contents.len() <= 65_507, "beyond a UDP length");
            self.sends.lock().unwrap().push(transmit.contents.len());
            Ok(())
        }

        fn poll_recv(
            &self,
            _: &mut Context<'_>,
            _: &mut [IoSliceMut<'_>],
            _: &mut [RecvMeta],
        ) -> Poll<io::Result<usize>> {
            Poll::Pending
        }

        fn local_addr(&self) -> io::Result<SocketAddr> {
            Ok(([127, 0, 0, 1], 1).into())
        }

        fn max_transmit_segments(&self) -> usize {
            64
        }

        fn max_receive_segments(&self) -> usize {
            64
        }
    }

    impl Recorder {
        fn sends(&self) -> Vec<usize> {
            self.sends.lock().unwrap().clone()
        }
    }

    fn send(socket: &MergingSocket, segments: usize, segment: usize) -> io::Result<()> {
        let contents = vec![0; segments * segment];
        socket.try_send(&Transmit {
            destination: ([127, 0, 0, 1], 2).into(),
            ecn: None,
            contents: &contents,
            segment_size: Some(segment),
            src_ip: None,
        })
    }

    fn socket() -> (Arc<Recorder>, MergingSocket) {
        let recorder = Arc::new(Recorder::default());
        (recorder.clone(), MergingSocket::new(recorder, 8952))
    }

    async fn turn() {
        for _ in 0..4 {
            yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_small_send_leaves_at_once_and_a_full_one_after_a_turn() {
        let (recorder, socket) = socket();
        send(&socket, 1, 100).unwrap();
        assert_eq!(recorder.sends(), [100]);
        send(&socket, 10, 1200).unwrap();
        send(&socket, 10, 1200).unwrap();
        assert_eq!(recorder.sends(), [100], "they wait for more");
        turn().await;
        assert_eq!(recorder.sends(), [100, 24_000]);
    }

    #[tokio::test]
    async fn the_end_of_a_burst_takes_along_what_waits() {
        let (recorder, socket) = socket();
        send(&socket, 10, 1200).unwrap();
        send(&socket, 3, 1200).unwrap();
        assert_eq!(recorder.sends(), [15_600]);
        // Another length does not overtake: it may be the end of the connection.
        send(&socket, 10, 1200).unwrap();
        send(&socket, 1, 60).unwrap();
        assert_eq!(recorder.sends(), [15_600, 12_000, 60]);
    }

    #[tokio::test]
    async fn a_connection_may_put_more_into_a_transmit_once_it_has_more_to_send() {
        let (recorder, socket) = socket();
        assert_eq!(socket.max_transmit_segments(), FEW);
        send(&socket, FEW, 1200).unwrap();
        send(&socket, 1, 1200).unwrap();
        assert_eq!(socket.max_transmit_segments(), FEW, "a handshake");
        send(&socket, FEW, 1200).unwrap();
        send(&socket, FEW, 1200).unwrap();
        assert_eq!(
            socket.max_transmit_segments(),
            64,
            "as many as the kernel takes"
        );
        assert_eq!(
            recorder.sends(),
            [3600, 1200, 3600, 3600],
            "none of them waits"
        );
    }

    #[tokio::test]
    async fn no_send_is_longer_than_udp_takes() {
        let (recorder, socket) = socket();
        send(&socket, 8, 8952).unwrap();
        send(&socket, 9, 8952).unwrap();
        assert_eq!(recorder.sends(), [62_664, 8952, 62_664, 17_904]);
    }

    #[tokio::test]
    async fn what_would_block_is_sent_once_when_it_can_be() {
        let (recorder, socket) = socket();
        send(&socket, 10, 1200).unwrap();
        recorder.blocked.store(true, Relaxed);
        send(&socket, 2, 1200).unwrap();
        let refused = send(&socket, 1, 60).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::WouldBlock, "quinn keeps it");
        turn().await;
        assert_eq!(recorder.sends(), [0; 0]);
        recorder.blocked.store(false, Relaxed);
        turn().await;
        assert_eq!(recorder.sends(), [14_400]);
    }
}
