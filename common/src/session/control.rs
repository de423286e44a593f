//! The control stream after `hello` and `welcome`: answers pings, sends ours, carries grants, hears `goaway`.

use std::{collections::HashMap, sync::Arc, time::Duration};

use thiserror::Error;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::timeout,
};

use super::{
    FrameIoError, RecvHalf, SendHalf, StreamError, flow::Windows, read_frame, write_frame,
};
use crate::wire::control::Message;

/// Messages that may wait between the two directions; a peer that does not read its answers waits for itself.
const QUEUE: usize = 16;

/// What the peer said in its `goaway`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Goaway {
    /// The peer's reason.
    pub reason: String,
    /// How long it asks to wait before a new session is tried.
    pub reconnect_after: Duration,
}

/// Why the control stream ended. The session is then of no more use.
#[derive(Debug, Error)]
pub enum ControlError {
    /// The stream broke off, or carried something that is not a message.
    #[error("control stream: {0}")]
    Frame(#[from] FrameIoError),
    /// A message that has no place after the start.
    #[error("control stream: {0} is not allowed after the start")]
    Unexpected(&'static str),
}

impl ControlError {
    /// Whether the peer is at fault: it ended its control stream, or sent what does not belong there, while the session
    /// itself goes on.
    pub fn is_protocol_error(&self) -> bool {
        !matches!(
            self,
            Self::Frame(FrameIoError::Stream(StreamError::Session(_)))
        )
    }
}

enum Command {
    Ping(oneshot::Sender<()>),
    Goaway(Goaway),
}

/// Asks things of a running [`ControlLoop`]; clones are handles of the same one.
#[derive(Debug, Clone)]
pub struct ControlHandle {
    commands: mpsc::Sender<Command>,
    goaway: watch::Receiver<Option<Goaway>>,
}

impl ControlHandle {
    /// Whether the other side's control loop answers within the time limit.
    pub async fn ping(&self, within: Duration) -> bool {
        let (answer, answered) = oneshot::channel();
        let round_trip = async {
            self.commands.send(Command::Ping(answer)).await.is_ok() && answered.await.is_ok()
        };
        timeout(within, round_trip).await.unwrap_or(false)
    }

    /// Tells the other side that this one will end the session. A loop that has ended, or whose peer does not read, has
    /// nobody to tell.
    pub fn goaway(&self, goaway: Goaway) {
        let _ = self.commands.try_send(Command::Goaway(goaway));
    }

    /// Completes when the peer has sent `goaway`; never when the control stream ends without one.
    pub async fn peer_goes_away(&self) -> Goaway {
        let mut goaway = self.goaway.clone();
        loop {
            if let Some(said) = goaway.borrow_and_update().clone() {
                return said;
            }
            if goaway.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }
}

/// The task of one control stream.
#[derive(Debug)]
pub struct ControlLoop {
    send: SendHalf,
    recv: RecvHalf,
    commands: mpsc::Receiver<Command>,
    goaway: watch::Sender<Option<Goaway>>,
    windows: Arc<Windows>,
    first: Option<Message>,
}

impl ControlLoop {
    /// The loop over a control stream on which `hello` has passed, for the session with these windows; and a handle to
    /// it.
    pub fn new(
        mut send: SendHalf,
        mut recv: RecvHalf,
        windows: Arc<Windows>,
    ) -> (Self, ControlHandle) {
        send.put_first();
        recv.lift();
        let (commands, receiver) = mpsc::channel(QUEUE);
        let (goaway, heard) = watch::channel(None);
        let handle = ControlHandle {
            commands,
            goaway: heard,
        };
        let task = Self {
            send,
            recv,
            commands: receiver,
            goaway,
            windows,
            first: None,
        };
        (task, handle)
    }

    /// What to send before anything else: the listener's `welcome`.
    pub fn say_first(&mut self, message: Message) {
        self.first = Some(message);
    }

    /// Runs until the stream ends.
    pub async fn run(self) -> ControlError {
        let Self {
            mut send,
            recv,
            commands,
            goaway,
            windows,
            first,
        } = self;
        if let Some(message) = first
            && let Err(error) = write_frame(&mut send, &message).await
        {
            return error.into();
        }
        let (incoming, received) = mpsc::channel(QUEUE);
        tokio::select! {
            error = read_all(recv, incoming) => error,
            error = serve(send, received, commands, goaway, &windows) => error,
        }
    }
}

/// Reads in a future of its own, because a half-read frame must not be dropped when a command comes.
async fn read_all(mut recv: RecvHalf, incoming: mpsc::Sender<Message>) -> ControlError {
    loop {
        match read_frame(&mut recv).await {
            Ok(message) => {
                if incoming.send(message).await.is_err() {
                    return std::future::pending().await;
                }
            }
            Err(error) => return error.into(),
        }
    }
}

async fn serve(
    mut send: SendHalf,
    mut received: mpsc::Receiver<Message>,
    mut commands: mpsc::Receiver<Command>,
    goaway: watch::Sender<Option<Goaway>>,
    windows: &Windows,
) -> ControlError {
    let mut waiting: HashMap<u64, oneshot::Sender<()>> = HashMap::new();
    let mut nonce = 0;
    loop {
        let reply = tokio::select! {
            Some(message) = received.recv() => match message {
                Message::Ping { nonce } => Message::Pong { nonce },
                Message::Pong { nonce } => {
                    if let Some(answer) = waiting.remove(&nonce) {
                        // Whoever asked may have run out of patience.
                        let _ = answer.send(());
                    }
                    continue;
                }
                Message::Goaway { reason, reconnect_after_ms } => {
                    let reconnect_after = Duration::from_millis(reconnect_after_ms);
                    goaway.send_replace(Some(Goaway { reason, reconnect_after }));
                    continue;
                }
                Message::Window { stream, offset } => {
                    windows.heard(stream, offset);
                    continue;
                }
                Message::Hello(_) => return ControlError::Unexpected("hello"),
                Message::Welcome(_) => return ControlError::Unexpected("welcome"),
                Message::Probe(_) | Message::Probed(_) => return ControlError::Unexpected("probe"),
            },
            Some(command) = commands.recv() => match command {
                Command::Ping(answer) => {
                    waiting.retain(|_, answer| !answer.is_closed());
                    nonce += 1;
                    waiting.insert(nonce, answer);
                    Message::Ping { nonce }
                }
                Command::Goaway(goaway) => Message::Goaway {
                    reason: goaway.reason,
                    reconnect_after_ms: u64::try_from(goaway.reconnect_after.as_millis()).unwrap_or(u64::MAX),
                },
            },
            (stream, offset) = windows.next_grant() => Message::Window { stream, offset },
        };
        if let Err(error) = write_frame(&mut send, &reply).await {
            return error.into();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        session::{quic::TransportSettings, testing::pair},
        wire::{Protocol, control::Hello},
    };

    const SOON: Duration = Duration::from_secs(5);

    /// Both ends of a control stream.
    async fn ends() -> (crate::session::testing::Pair, [(SendHalf, RecvHalf); 2]) {
        let pair = pair(Protocol::V2, &TransportSettings::default()).await;
        let mut near = pair.connector.open_stream().await.unwrap();
        // The other side learns of a stream by its first bytes.
        write_frame(&mut near.0, &Message::Pong { nonce: 0 })
            .await
            .unwrap();
        let far = pair.listener.accept_stream().await.unwrap();
        (pair, [near, far])
    }

    #[tokio::test]
    async fn pings_are_answered_and_goaway_is_heard() {
        let (_pair, [near, far]) = ends().await;
        let (near, near_handle) = ControlLoop::new(near.0, near.1, Arc::default());
        let (far, far_handle) = ControlLoop::new(far.0, far.1, Arc::default());
        let goaway = Goaway {
            reason: "test".to_owned(),
            reconnect_after: Duration::from_millis(7),
        };
        let talk = async {
            assert!(near_handle.ping(SOON).await);
            assert!(far_handle.ping(SOON).await);
            far_handle.goaway(goaway.clone());
            assert_eq!(near_handle.peer_goes_away().await, goaway);
        };
        tokio::select! {
            error = near.run() => panic!("{error}"),
            error = far.run() => panic!("{error}"),
            () = talk => {}
        }
    }

    #[tokio::test]
    async fn a_ping_without_an_answer_is_no_answer() {
        let (_pair, [near, _far]) = ends().await;
        let (near, handle) = ControlLoop::new(near.0, near.1, Arc::default());
        tokio::select! {
            error = near.run() => panic!("{error}"),
            answered = handle.ping(Duration::from_millis(50)) => assert!(!answered),
        }
    }

    #[tokio::test]
    async fn a_second_hello_is_a_protocol_error() {
        let (_pair, [mut near, far]) = ends().await;
        let hello = Message::Hello(Hello {
            version: 2,
            software: String::new(),
            hostname: String::new(),
            capabilities: Vec::new(),
            replaces: None,
        });
        write_frame(&mut near.0, &hello).await.unwrap();
        let (far, _handle) = ControlLoop::new(far.0, far.1, Arc::default());
        let error = far.run().await;
        assert!(error.is_protocol_error(), "{error}");
    }
}
