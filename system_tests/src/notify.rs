//! The service manager's end of `NOTIFY_SOCKET` (sd_notify(3)).

use std::{
    os::unix::net::UnixDatagram,
    path::PathBuf,
    time::{Duration, Instant},
};

use crate::{PATIENCE, site::Site};

/// The socket.
pub struct Notify {
    socket: UnixDatagram,
    /// What belongs into `NOTIFY_SOCKET`.
    pub path: PathBuf,
}

impl Notify {
    /// A socket in the folder.
    pub fn new(site: &Site) -> Self {
        let path = site.path("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        Self { socket, path }
    }

    /// Waits for a message with this line, and returns the whole message.
    ///
    /// # Panics
    /// When none comes.
    pub fn wait(&self, line: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        let mut others = Vec::new();
        while Instant::now() < deadline {
            self.socket
                .set_read_timeout(Some(Duration::from_secs(1)))
                .unwrap();
            let mut buffer = [0; 4096];
            let Ok(count) = self.socket.recv(&mut buffer) else {
                continue;
            };
            let message = String::from_utf8_lossy(&buffer[..count]).into_owned();
            if message.lines().any(|found| found == line) {
                return message;
            }
            others.push(message);
        }
        panic!("no {line}, only {others:?}");
    }
}
