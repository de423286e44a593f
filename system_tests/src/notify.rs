//! The service manager's end of `NOTIFY_SOCKET` (sd_notify(3)).

use std::{
    net::Shutdown,
    os::unix::net::UnixDatagram,
    path::PathBuf,
    sync::mpsc::{self, Receiver, Sender},
    thread::{self, JoinHandle},
    time::Instant,
};

use crate::{PATIENCE, site::Site};

/// The socket. It is read all the time, as a service manager does: a daemon that is about to say something waits while
/// the socket's queue of about ten messages is full.
pub struct Notify {
    socket: UnixDatagram,
    messages: Receiver<String>,
    reader: Option<JoinHandle<()>>,
    /// What belongs into `NOTIFY_SOCKET`.
    pub path: PathBuf,
}

impl Notify {
    /// A socket in the folder.
    pub fn new(site: &Site) -> Self {
        let path = site.path("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let (reading, (sender, messages)) = (socket.try_clone().unwrap(), mpsc::channel());
        Self {
            socket,
            messages,
            reader: Some(thread::spawn(move || read(&reading, &sender))),
            path,
        }
    }

    /// Waits for a message with this line, and returns the whole message.
    ///
    /// # Panics
    /// When none comes.
    pub fn wait(&self, line: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        let mut others = Vec::new();
        while let Ok(message) = self
            .messages
            .recv_timeout(deadline.saturating_duration_since(Instant::now()))
        {
            if message.lines().any(|found| found == line) {
                return message;
            }
            others.push(message);
        }
        panic!("no {line}, only {others:?}");
    }
}

impl Drop for Notify {
    fn drop(&mut self) {
        // Wakes the reader up; if it fails, the reader has ended.
        let _ = self.socket.shutdown(Shutdown::Read);
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

/// Until the socket is shut down.
fn read(socket: &UnixDatagram, messages: &Sender<String>) {
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = socket.recv(&mut buffer) {
        let message = String::from_utf8_lossy(&buffer[..count]).into_owned();
        if messages.send(message).is_err() {
            return;
        }
    }
}
