//! Shards: threads with a one-thread runtime each, on which the data plane runs.
//!
//! A session and all that touches its bytes (its QUIC connection, the sockets of its clients) live on one shard, so
//! that no lock is contended and no byte changes its core. The control plane has a runtime of its own, which never
//! waits behind data.

use std::{
    future::Future,
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
};

use tokio::{
    runtime::{Builder, Handle},
    sync::oneshot,
};
use tokio_util::task::AbortOnDropHandle;

/// All shards of a daemon. Dropping it ends the threads, and with them every task on them.
#[derive(Debug)]
pub struct Shards {
    shards: Vec<Shard>,
    threads: Vec<Thread>,
}

#[derive(Debug)]
struct Thread {
    stop: Option<oneshot::Sender<()>>,
    join: Option<thread::JoinHandle<()>>,
}

/// One shard; clones are handles of the same one.
#[derive(Debug, Clone)]
pub struct Shard {
    handle: Handle,
    sessions: Arc<AtomicUsize>,
}

/// A place on a shard, counted until it is dropped.
#[derive(Debug)]
pub struct Seat {
    shard: Shard,
}

impl Shards {
    /// Starts `count` threads, at least one.
    ///
    /// # Errors
    /// When the system gives no thread or no descriptors for it.
    pub fn start(count: usize) -> io::Result<Self> {
        let mut this = Self {
            shards: Vec::new(),
            threads: Vec::new(),
        };
        for index in 0..count.max(1) {
            this.start_one(index)?;
        }
        Ok(this)
    }

    fn start_one(&mut self, index: usize) -> io::Result<()> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let join = thread::Builder::new()
            .name(format!("shard-{index}"))
            .spawn(move || {
                // Either way, sent or dropped, it is the end.
                let _ = runtime.block_on(stopped);
                // A name that is being resolved must not hold up the end.
                runtime.shutdown_background();
            })?;
        self.threads.push(Thread {
            stop: Some(stop),
            join: Some(join),
        });
        self.shards.push(Shard {
            handle,
            sessions: Arc::default(),
        });
        Ok(())
    }

    /// The first shard: where endpoints live.
    pub fn first(&self) -> &Shard {
        &self.shards[0]
    }

    /// A seat on the shard with the fewest sessions; the first one among equals, where the endpoint is near.
    pub fn seat(&self) -> Seat {
        let shard = self
            .shards
            .iter()
            .min_by_key(|shard| shard.sessions.load(Relaxed))
            .expect("there is at least one shard")
            .clone();
        shard.sessions.fetch_add(1, Relaxed);
        Seat { shard }
    }

    /// Completes when every shard has turned its loop once; for the watchdog.
    pub async fn turn(&self) {
        for shard in &self.shards {
            // A shard that is gone or stuck never answers, which is the point.
            let _ = shard.spawn(async {}).await;
        }
    }
}

impl Drop for Shards {
    fn drop(&mut self) {
        for thread in &mut self.threads {
            thread.stop.take();
        }
        // The last who held them may have been a task of theirs; that thread ends after this.
        let here = thread::current().id();
        for thread in &mut self.threads {
            if let Some(join) = thread.join.take()
                && join.thread().id() != here
            {
                // A panicked shard has reported itself already.
                let _ = join.join();
            }
        }
    }
}

impl Shard {
    /// Runs a task on this shard; dropping the handle ends it.
    pub fn spawn<F>(&self, task: F) -> AbortOnDropHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        AbortOnDropHandle::new(self.handle.spawn(task))
    }

    /// The runtime, for a tracker or a set to spawn on.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl Seat {
    /// The shard.
    pub fn shard(&self) -> &Shard {
        &self.shard
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.shard.sessions.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_go_to_the_emptiest_shard() {
        let shards = Shards::start(2).unwrap();
        let first = shards.seat();
        let second = shards.seat();
        assert_eq!(shards.shards[0].sessions.load(Relaxed), 1);
        assert_eq!(shards.shards[1].sessions.load(Relaxed), 1);
        drop(first);
        let third = shards.seat();
        assert_eq!(shards.shards[0].sessions.load(Relaxed), 1);
        drop((second, third));
        assert_eq!(shards.shards[1].sessions.load(Relaxed), 0);
    }

    #[test]
    fn tasks_run_on_the_thread_of_their_shard() {
        let shards = Shards::start(1).unwrap();
        let name = async { thread::current().name().map(str::to_owned) };
        let task = shards.first().spawn(name);
        let name = Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(task);
        assert_eq!(name.unwrap().as_deref(), Some("shard-0"));
    }

    #[test]
    fn a_task_of_theirs_may_be_the_last_to_hold_them() {
        let shards = Shards::start(2).expect("threads");
        let handle = shards.first().handle().clone();
        let (told, heard) = std::sync::mpsc::channel();
        handle.spawn(async move {
            drop(shards);
            told.send(()).expect("somebody hears");
        });
        heard.recv().expect("it has not panicked");
    }
}
