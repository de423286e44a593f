//! What the rest of the listener asks of the openings.

use std::{sync::Arc, time::Duration};

use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

use super::{BindError, Request, Shared, View};
use crate::store::StoreError;

/// Calls that may wait for the task.
const QUEUE: usize = 64;

/// Why an opening was not made.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The UID has no session.
    #[error("no connector with the UID {0} is connected")]
    NotConnected(String),
    /// Another opening has the port.
    #[error("port {} belongs to another opening: UID {}, target {}:{}", .0.port, .0.uid, .0.connect_address, .0.connect_port)]
    Conflict(Box<View>),
    /// The UID is at its limit.
    #[error("the UID has {0} openings, which is the limit (max_openings_per_uid)")]
    Full(usize),
    /// The port cannot be bound.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// It cannot be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The listener is stopping.
    #[error("the listener is stopping")]
    Stopping,
}

/// Why an opening was not closed.
#[derive(Debug, Error)]
pub enum CloseError {
    /// There is none on this port.
    #[error("no opening has port {0}")]
    Unknown(u16),
    /// The change cannot be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The listener is stopping.
    #[error("the listener is stopping")]
    Stopping,
}

#[derive(Debug)]
pub(super) enum Command {
    Open(Request, oneshot::Sender<Result<View, OpenError>>),
    Close(u16, Duration, oneshot::Sender<Result<View, CloseError>>),
    List(oneshot::Sender<Vec<View>>),
    Stop(oneshot::Sender<Vec<Arc<Shared>>>),
}

/// Asks the task; clones are handles of the same one.
#[derive(Debug, Clone)]
pub struct ManagerHandle {
    commands: mpsc::Sender<Command>,
}

impl ManagerHandle {
    /// A handle, and what it asks.
    pub(super) fn new() -> (Self, mpsc::Receiver<Command>) {
        let (commands, receiver) = mpsc::channel(QUEUE);
        (Self { commands }, receiver)
    }

    /// Makes an opening, or finds the same one.
    ///
    /// # Errors
    /// [`OpenError`]; nothing has then changed.
    pub async fn open(&self, request: Request) -> Result<View, OpenError> {
        let (answer, answered) = oneshot::channel();
        let _ = self.commands.send(Command::Open(request, answer)).await;
        answered.await.unwrap_or(Err(OpenError::Stopping))
    }

    /// Ends an opening; its streams are cut after `drain`.
    ///
    /// # Errors
    /// [`CloseError`]; nothing has then changed.
    pub async fn close(&self, port: u16, drain: Duration) -> Result<View, CloseError> {
        let (answer, answered) = oneshot::channel();
        let _ = self
            .commands
            .send(Command::Close(port, drain, answer))
            .await;
        answered.await.unwrap_or(Err(CloseError::Stopping))
    }

    /// All openings, by port; `None` once the listener is stopping.
    pub async fn list(&self) -> Option<Vec<View>> {
        let (answer, answered) = oneshot::channel();
        let _ = self.commands.send(Command::List(answer)).await;
        answered.await.ok()
    }

    /// Closes every port and ends the task. The streams go on: the result waits for them.
    pub async fn stop(&self) -> Streams {
        let (answer, answered) = oneshot::channel();
        let _ = self.commands.send(Command::Stop(answer)).await;
        Streams(answered.await.unwrap_or_default())
    }
}

/// The streams of openings whose ports are closed.
#[derive(Debug, Default)]
pub struct Streams(Vec<Arc<Shared>>);

impl Streams {
    /// Completes when all have ended.
    pub async fn ended(&self) {
        for opening in &self.0 {
            opening.streams.close();
            opening.streams.wait().await;
        }
    }

    /// Cuts what is left.
    pub fn cut(&self) {
        for opening in &self.0 {
            opening.cut.cancel();
        }
    }
}
