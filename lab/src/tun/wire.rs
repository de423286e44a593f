//! One direction between two devices: a thread puts what it reads on the link, another delivers what has arrived.

use std::{
    io,
    num::NonZero,
    os::fd::{AsFd, OwnedFd},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rustix::{
    event::{EventfdFlags, PollFd, PollFlags, eventfd, poll},
    process::setpriority_process,
    thread::set_current_timer_slack,
};

use super::Device;
use crate::link::Link;

/// Packets that are read, or delivered, before somebody else gets a look at the link.
const BATCH: usize = 64;

/// The threads' nice value: a link keeps its times on a machine that is busy with what the link connects.
const NICE: i32 = -15;

/// The running direction. Dropping it stops both threads; what is on the link is gone.
pub(crate) struct Wire {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    link: Mutex<Link>,
    /// The link has an earlier arrival than before, or this is the end.
    earlier: Condvar,
    origin: Instant,
    stop: AtomicBool,
    /// Readable at the end.
    stopped: OwnedFd,
}

impl Wire {
    /// Carries packets from one device to the other.
    pub(crate) fn start(link: Link, from: Arc<Device>, to: Arc<Device>) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            link: Mutex::new(link),
            earlier: Condvar::new(),
            origin: Instant::now(),
            stop: AtomicBool::new(false),
            stopped: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
        });
        let mut wire = Self {
            shared: shared.clone(),
            threads: Vec::new(),
        };
        let reading = shared.clone();
        wire.spawn("lab-read", move || reading.read_from(&from))?;
        wire.spawn("lab-deliver", move || shared.deliver_to(&to))?;
        Ok(wire)
    }

    /// The link, which stands still while it is held.
    pub(crate) fn link(&self) -> MutexGuard<'_, Link> {
        self.shared.link()
    }

    fn spawn(&mut self, name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let builder = thread::Builder::new().name(name.to_owned());
        let thread = builder.spawn(|| {
            keep_time();
            work();
        })?;
        self.threads.push(thread);
        Ok(())
    }
}

/// Makes this thread as punctual as it gets; what cannot be had must be done without.
fn keep_time() {
    // In nanoseconds; the kernel adds up to 50 µs to each sleep otherwise.
    let _ = set_current_timer_slack(NonZero::new(1));
    // Nobody means this thread.
    let _ = setpriority_process(None, NICE);
}

impl Drop for Wire {
    fn drop(&mut self) {
        // Under the lock, so that no thread is between its look at `stop` and its sleep.
        let link = self.shared.link();
        self.shared.stop.store(true, Relaxed);
        self.shared.earlier.notify_one();
        drop(link);
        let _ = rustix::io::write(&self.shared.stopped, &1u64.to_ne_bytes());
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Shared {
    /// No panic can leave the model half changed, for it has none.
    fn link(&self) -> MutexGuard<'_, Link> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read_from(&self, device: &Device) {
        let mut room = vec![0; usize::from(u16::MAX)];
        let mut batch = Vec::with_capacity(BATCH);
        while !self.stop.load(Relaxed) {
            // An error means that the device is not up at the moment: as if there were nothing.
            while batch.len() < BATCH
                && let Ok(Some(bytes)) = device.read(&mut room)
            {
                batch.push((self.origin.elapsed(), room[..bytes].to_vec()));
            }
            if batch.is_empty() {
                self.wait_readable(device);
            }
            self.send(&mut batch);
        }
    }

    fn wait_readable(&self, device: &Device) {
        let mut descriptors = [
            PollFd::from_borrowed_fd(device.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(self.stopped.as_fd(), PollFlags::IN),
        ];
        // Interrupted is as good as ready: the caller looks.
        let _ = poll(&mut descriptors, None);
    }

    fn send(&self, batch: &mut Vec<(Duration, Vec<u8>)>) {
        let mut link = self.link();
        let before = link.next_arrival();
        for (now, packet) in batch.drain(..) {
            link.send(now, packet);
        }
        let after = link.next_arrival();
        if after.is_some() && before.is_none_or(|before| after < Some(before)) {
            self.earlier.notify_one();
        }
    }

    fn deliver_to(&self, device: &Device) {
        let mut due = Vec::with_capacity(BATCH);
        while self.wait_due(&mut due) {
            for packet in due.drain(..) {
                device.write(&packet);
            }
        }
    }

    /// Waits for packets and takes them; false at the end.
    fn wait_due(&self, due: &mut Vec<Vec<u8>>) -> bool {
        let mut link = self.link();
        loop {
            if self.stop.load(Relaxed) {
                return false;
            }
            let now = self.origin.elapsed();
            due.extend((0..BATCH).map_while(|_| link.receive(now)));
            if !due.is_empty() {
                return true;
            }
            link = match link.next_arrival() {
                None => self
                    .earlier
                    .wait(link)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(next) => {
                    let waited = self.earlier.wait_timeout(link, next.saturating_sub(now));
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }
}
