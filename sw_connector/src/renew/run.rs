//! One run of a command: in a process group of its own, with limits on its time and on what is kept of its output.

use std::{
    io,
    os::{fd::OwnedFd, unix::process::CommandExt},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use common::shutdown::Shutdown;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tokio::{
    io::AsyncReadExt,
    net::unix::pipe,
    task::{JoinHandle, spawn_blocking},
    time::sleep,
};

use super::output::Tail;

/// How much of the output is kept, in bytes.
const OUTPUT: usize = 4096;

/// How long what a command leaves running may take to end after it.
const LEFTOVERS: Duration = Duration::from_secs(1);

/// How long a command may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Before it gets SIGTERM.
    pub(super) time: Duration,
    /// After that, before it gets SIGKILL.
    pub(super) grace: Duration,
}

/// Why a command has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// By itself.
    Exited(ExitStatus),
    /// Its time was up.
    TimeLimit,
    /// The connector stops.
    Stopped,
}

/// A command that has ended.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) ending: Ending,
    /// The end of what it wrote to its standard output and error.
    pub(super) output: String,
    /// How many bytes it wrote before that.
    pub(super) left_out: u64,
}

/// Runs it to its end. Nothing of its process group outlives this.
///
/// # Errors
/// When it cannot be started, or the system does not tell how it ended.
///
/// # Cancel safety
/// Dropping the future kills the process group.
pub(super) async fn run(command: Command, limits: Limits, shutdown: &Shutdown) -> io::Result<Ran> {
    let mut running = Running::start(command).await?;
    let cut = tokio::select! {
        biased;
        () = running.exited() => None,
        () = sleep(limits.time) => Some(Ending::TimeLimit),
        () = shutdown.draining() => Some(Ending::Stopped),
    };
    let grace = cut.map_or(LEFTOVERS, |_| limits.grace);
    running.group.signal(Signal::TERM);
    tokio::select! {
        () = running.gone() => {}
        () = sleep(grace) => {}
        () = shutdown.ended() => {}
    }
    running.group.signal(Signal::KILL);
    running.exited().await;
    let status = running.group.reap()?;
    let (output, left_out) = running.output.finish();
    Ok(Ran {
        ending: cut.unwrap_or(Ending::Exited(status)),
        output,
        left_out,
    })
}

/// A process group by its leader. The leader is reaped last: until then nobody else can have its number.
#[derive(Debug)]
struct Group {
    leader: Child,
    reaped: bool,
}

impl Group {
    fn pid(&self) -> Pid {
        Pid::from_child(&self.leader)
    }

    fn signal(&self, signal: Signal) {
        // It fails only when nobody is left.
        let _ = kill_process_group(self.pid(), signal);
    }

    fn reap(&mut self) -> io::Result<ExitStatus> {
        let status = self.leader.wait();
        self.reaped = true;
        status
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !self.reaped {
            self.signal(Signal::KILL);
        }
    }
}

/// A command that runs.
#[derive(Debug)]
struct Running {
    group: Group,
    /// Completes when the leader has ended.
    leader: JoinHandle<()>,
    has_exited: bool,
    /// `None` when all that could write have ended.
    pipe: Option<pipe::Receiver>,
    output: Tail,
}

impl Running {
    /// Starting a program may wait for a disk or a network, so a thread of its own does it; another waits for the end
    /// without reaping.
    async fn start(command: Command) -> io::Result<Self> {
        let started = spawn_blocking(|| spawn(command)).await;
        let (group, pipe) = started.unwrap_or_else(|error| Err(io::Error::other(error)))?;
        let pid = group.pid();
        let leader = spawn_blocking(move || {
            // It fails when somebody else has reaped it, after its end.
            let _ = waitid(
                WaitId::Pid(pid),
                WaitIdOptions::EXITED | WaitIdOptions::NOWAIT,
            );
        });
        Ok(Self {
            group,
            leader,
            has_exited: false,
            pipe: Some(pipe::Receiver::from_owned_fd(pipe)?),
            output: Tail::new(OUTPUT),
        })
    }

    /// Completes when the leader has ended.
    async fn exited(&mut self) {
        while !self.has_exited {
            self.turn().await;
        }
    }

    /// Completes when the leader has ended, and everybody who shares its output.
    async fn gone(&mut self) {
        while !self.has_exited || self.pipe.is_some() {
            self.turn().await;
        }
    }

    /// Takes output, or notes an end.
    async fn turn(&mut self) {
        let mut buffer = [0; 4096];
        let reading = async {
            match &mut self.pipe {
                Some(pipe) => pipe.read(&mut buffer).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            _ = &mut self.leader, if !self.has_exited => self.has_exited = true,
            read = reading => match read {
                Ok(count @ 1..) => self.output.push(&buffer[..count]),
                Ok(0) | Err(_) => self.pipe = None,
            },
        }
    }
}

/// Starts the command with one pipe for both of its outputs, so that their lines stay in order.
fn spawn(mut command: Command) -> io::Result<(Group, OwnedFd)> {
    let (reader, writer) = io::pipe()?;
    command
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer)
        .process_group(0);
    let group = Group {
        leader: command.spawn()?,
        reaped: false,
    };
    Ok((group, reader.into()))
}

#[cfg(test)]
mod tests;
