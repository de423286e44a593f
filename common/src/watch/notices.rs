//! What the kernel tells of folders (inotify(7)).

use std::{
    collections::{HashMap, HashSet},
    ffi::{OsStr, OsString},
    mem::MaybeUninit,
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::{Path, PathBuf},
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use rustix::{
    fs::inotify::{self, CreateFlags, Event, ReadFlags, Reader, WatchFlags},
    io::Errno,
};
use tokio::io::{Interest, unix::AsyncFd};
use tracing::{debug, warn};

use super::route;

/// Folders that are watched; a set of files that leads through more is only looked at.
const MAX_FOLDERS: usize = 256;

/// Room for the events of one read; the longest has 16 + 256 bytes.
const ROOM: usize = 4096;

/// The folders that are watched, and the names in them that count.
#[derive(Debug)]
pub(super) struct Notices {
    inotify: AsyncFd<OwnedFd>,
    folders: Mutex<HashMap<i32, HashSet<OsString>>>,
    complained: AtomicBool,
}

impl Notices {
    /// Watches nothing yet. `None`, and a line in the log, when the system gives no inotify.
    pub(super) fn new() -> Option<Self> {
        match open() {
            Ok(inotify) => Some(Self {
                inotify,
                folders: Mutex::default(),
                complained: AtomicBool::new(false),
            }),
            Err(error) => {
                complain(&error, "fs.inotify.max_user_instances");
                None
            }
        }
    }

    /// Watches what these paths lead through, and nothing else.
    pub(super) fn follow(&self, paths: &[PathBuf]) {
        let mut wanted: HashMap<PathBuf, HashSet<OsString>> = HashMap::new();
        for step in paths.iter().flat_map(|path| route::steps(path)) {
            if wanted.len() < MAX_FOLDERS || wanted.contains_key(&step.folder) {
                wanted.entry(step.folder).or_default().insert(step.name);
            }
        }
        // Held meanwhile, so that no event is judged by half a list.
        let mut folders = self.lock();
        let mut now: HashMap<i32, HashSet<OsString>> = HashMap::new();
        for (folder, names) in wanted {
            // The same folder by another path has the same number.
            if let Some(number) = self.add(&folder) {
                now.entry(number).or_default().extend(names);
            }
        }
        for number in folders.keys().filter(|number| !now.contains_key(number)) {
            // It fails when the folder is gone.
            let _ = inotify::remove_watch(&self.inotify, *number);
        }
        *folders = now;
    }

    fn add(&self, folder: &Path) -> Option<i32> {
        let flags = WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::MOVED_FROM
            | WatchFlags::MOVED_TO
            | WatchFlags::MODIFY
            | WatchFlags::CLOSE_WRITE
            | WatchFlags::ATTRIB
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF
            | WatchFlags::ONLYDIR;
        match inotify::add_watch(&self.inotify, folder, flags) {
            Ok(number) => Some(number),
            Err(Errno::NOSPC) => {
                if !self.complained.swap(true, Relaxed) {
                    complain(&Errno::NOSPC.into(), "fs.inotify.max_user_watches");
                }
                None
            }
            Err(error) => {
                // A folder that we may pass but not read; looks find what changes in it.
                debug!(folder = %folder.display(), %error, "folder not watched");
                None
            }
        }
    }

    /// Completes when something has happened to one of the names.
    ///
    /// # Cancel safety
    /// Cancel safe: what was not told stays in the kernel.
    pub(super) async fn next(&self) {
        loop {
            let Ok(mut ready) = self.inotify.readable().await else {
                // The runtime ends.
                return std::future::pending().await;
            };
            match self.read_once() {
                Ok(true) => return,
                Ok(false) => {}
                Err(Errno::AGAIN) => ready.clear_ready(),
                Err(error) => {
                    debug!(%error, "inotify");
                    ready.clear_ready();
                }
            }
        }
    }

    /// Reads what fits into the buffer: whether any of it counts. While the list is being made anew everything does: that
    /// waits for file systems, and this must not.
    fn read_once(&self) -> Result<bool, Errno> {
        let mut room = [MaybeUninit::uninit(); ROOM];
        let mut reader = Reader::new(&self.inotify, &mut room);
        let folders = self.folders.try_lock().ok();
        let mut counts = false;
        loop {
            let event = reader.next()?;
            counts |= folders.as_ref().is_none_or(|f| matters(f, &event));
            if reader.is_buffer_empty() {
                return Ok(counts);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<i32, HashSet<OsString>>> {
        self.folders
            .lock()
            .expect("nothing panics while it holds this lock")
    }
}

#[expect(
    deprecated,
    reason = "unsound only for types that may change their descriptor while they are registered; OwnedFd does not, \
              and what takes its place is an unsafe function"
)]
fn open() -> std::io::Result<AsyncFd<OwnedFd>> {
    let opened = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
    AsyncFd::with_interest(opened, Interest::READABLE)
}

fn matters(folders: &HashMap<i32, HashSet<OsString>>, event: &Event<'_>) -> bool {
    if event.events().contains(ReadFlags::QUEUE_OVERFLOW) {
        return true;
    }
    if event.events().contains(ReadFlags::IGNORED) {
        return false;
    }
    let Some(names) = folders.get(&event.wd()) else {
        return false;
    };
    // Without a name it is the folder itself.
    event
        .file_name()
        .is_none_or(|name| names.contains(OsStr::from_bytes(name.to_bytes())))
}

fn complain(error: &std::io::Error, sysctl: &str) {
    warn!(
        %error,
        "the system gives no more inotify watches: changed files are noticed up to 10 s later; raise {sysctl} \
         (sysctl -w {sysctl}=...)"
    );
}

#[cfg(test)]
mod tests {
    use std::{fs, sync::mpsc, thread, time::Duration};

    use super::*;

    /// A file system of another machine may not answer while the list is made.
    #[test]
    fn a_list_that_is_being_made_holds_up_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let notices = runtime.block_on(async { Notices::new() }).unwrap();
        notices.follow(std::slice::from_ref(&path));
        let (told, was_told) = mpsc::channel();
        thread::scope(|scope| {
            let folders = notices.lock();
            scope.spawn(|| {
                runtime.block_on(notices.next());
                told.send(()).unwrap();
            });
            fs::write(&path, "x").unwrap();
            let meanwhile = was_told.recv_timeout(Duration::from_secs(5));
            drop(folders);
            meanwhile.expect("told meanwhile");
        });
    }
}
