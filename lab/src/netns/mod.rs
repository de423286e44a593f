//! Named network namespaces, as `ip netns` makes them, that are gone when their owner is.

mod ip;
mod leftovers;

use std::{
    fs::File,
    io,
    os::fd::AsFd,
    panic::resume_unwind,
    path::{Path, PathBuf},
    process::Command,
    thread,
};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

pub(crate) use self::leftovers::names;
pub use self::{ip::IpError, leftovers::sweep};

/// Where `ip netns` keeps them.
const FOLDER: &str = "/run/netns";

/// A namespace; its name is taken away when this is dropped. It is gone then too, unless a process still runs in it.
#[derive(Debug)]
pub struct Namespace {
    name: String,
    handle: File,
}

/// Why there is no namespace.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// `ip netns add` has failed.
    #[error(
        "cannot make the network namespace {name}, which needs root, and in a container all privileges"
    )]
    Add {
        /// What it should have been called.
        name: String,
        /// Why it is not there.
        source: IpError,
    },
    /// It is there and cannot be opened.
    #[error("cannot open the network namespace {path}")]
    Open {
        /// Its file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl Namespace {
    /// Makes one in which loopback is up.
    ///
    /// # Errors
    /// Without root, and when the name is taken.
    pub fn create(name: String) -> Result<Self, CreateError> {
        if let Err(source) = ip::run(&["netns", "add", &name]) {
            return Err(CreateError::Add { name, source });
        }
        let path = Path::new(FOLDER).join(&name);
        match File::open(&path) {
            Ok(handle) => Self { name, handle }.with_loopback(),
            Err(source) => {
                remove(&name);
                Err(CreateError::Open { path, source })
            }
        }
    }

    /// Its name, for `ip netns exec`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A program that will run in it, through `ip netns exec`, which becomes that program: same process.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(ip::program());
        command.args(["netns", "exec", &self.name, program]);
        command
    }

    /// Runs `ip -n NAME ARGUMENTS…`.
    ///
    /// # Errors
    /// When it fails.
    pub fn ip(&self, arguments: &[&str]) -> Result<(), IpError> {
        ip::run(&[&["-n", &self.name], arguments].concat())
    }

    /// Runs a function in a thread of its own that is in this namespace: sockets that it makes belong here, and threads
    /// and processes that it starts stay here. A panic comes out again.
    ///
    /// # Errors
    /// When the thread cannot enter, which needs root.
    pub fn inside<T: Send>(&self, function: impl FnOnce() -> T + Send) -> io::Result<T> {
        thread::scope(|scope| {
            let thread = scope.spawn(|| {
                let kind = Some(LinkNameSpaceType::Network);
                move_into_link_name_space(self.handle.as_fd(), kind)?;
                Ok(function())
            });
            thread.join().unwrap_or_else(|panic| resume_unwind(panic))
        })
    }

    fn with_loopback(self) -> Result<Self, CreateError> {
        match self.ip(&["link", "set", "lo", "up"]) {
            Ok(()) => Ok(self),
            Err(source) => Err(CreateError::Add {
                name: self.name.clone(),
                source,
            }),
        }
    }

    /// Sets what this kernel has of these files of `/proc/sys/net`, and passes over those that it has not, or has not
    /// for each namespace.
    ///
    /// # Errors
    /// When the namespace cannot be entered.
    pub fn tune(&self, settings: &[(&str, &str)]) -> io::Result<()> {
        self.inside(|| {
            for (name, value) in settings {
                let _ = std::fs::write(Path::new("/proc/sys/net").join(name), value);
            }
        })
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        remove(&self.name);
    }
}

/// Whoever drops it cannot do anything about an error; a later [`sweep`] can.
fn remove(name: &str) {
    let _ = ip::run(&["netns", "delete", name]);
}
