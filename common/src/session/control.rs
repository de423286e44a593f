//! The control stream after `hello` and `welcome`: answers pings, sends ours, carries grants, hears `goaway`. Spares travel
//! beside it, by the same task.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use thiserror::Error;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::timeout,
};

use super::{
    FrameIoError, RecvHalf, SendHalf, Session, StreamError, flow::Windows, read_frame, write_frame,
};
use crate::wire::control::Message;

/// What may wait to be sent; a peer that does not read its answers waits for itself.
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

#[derive(Debug)]
enum Command {
    Ping(oneshot::Sender<()>),
    /// The answer to a ping of the peer.
    Pong(u64),
}

/// Asks things of a running [`ControlLoop`]; clones are handles of the same one.
#[derive(Debug, Clone)]
pub struct ControlHandle {
    commands: mpsc::Sender<Command>,
    /// Ours. Not in the queue, which the peer's pings may fill.
    farewell: watch::Sender<Option<Goaway>>,
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

    /// Tells the other side that this one will end the session, before anything that is asked of it later. Of two that
    /// come at once the last is told. A loop that has ended, or whose peer does not read, has nobody to tell.
    pub fn goaway(&self, goaway: Goaway) {
        self.farewell.send_replace(Some(goaway));
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

/// The task of one control stream. What it needs is on the heap: moved from one future into the next, it would have a place
/// in each of them for the life of the session.
#[derive(Debug)]
pub struct ControlLoop(Box<Parts>);

#[derive(Debug)]
struct Parts {
    session: Session,
    writer: Writer,
    reader: Reader,
    first: Option<Message>,
}

/// What answers, asks and tells.
#[derive(Debug)]
struct Writer {
    send: SendHalf,
    commands: mpsc::Receiver<Command>,
    farewell: watch::Receiver<Option<Goaway>>,
    windows: Arc<Windows>,
    pings: Pings,
    nonce: u64,
}

/// What hears.
#[derive(Debug)]
struct Reader {
    recv: RecvHalf,
    goaway: watch::Sender<Option<Goaway>>,
    commands: mpsc::Sender<Command>,
    windows: Arc<Windows>,
    pings: Pings,
}

/// Who waits for which pong.
type Pings = Arc<Mutex<HashMap<u64, oneshot::Sender<()>>>>;

impl ControlLoop {
    /// The loop over the control stream of a session, on which `hello` has passed; and a handle to it.
    pub fn new(mut send: SendHalf, mut recv: RecvHalf, session: &Session) -> (Self, ControlHandle) {
        send.put_first();
        recv.lift();
        let (commands, receiver) = mpsc::channel(QUEUE);
        let (goaway, heard) = watch::channel(None);
        let (farewell, to_say) = watch::channel(None);
        let handle = ControlHandle {
            commands: commands.clone(),
            farewell,
            goaway: heard,
        };
        let pings = Pings::default();
        let writer = Writer {
            send,
            commands: receiver,
            farewell: to_say,
            windows: session.windows().clone(),
            pings: pings.clone(),
            nonce: 0,
        };
        let reader = Reader {
            recv,
            goaway,
            commands,
            windows: session.windows().clone(),
            pings,
        };
        let first = None;
        let parts = Parts {
            session: session.clone(),
            writer,
            reader,
            first,
        };
        (Self(Box::new(parts)), handle)
    }

    /// What to send before anything else: the listener's `welcome`.
    pub fn say_first(&mut self, message: Message) {
        self.0.first = Some(message);
    }

    /// Runs until the stream ends.
    pub async fn run(mut self) -> ControlError {
        let Parts {
            session,
            writer,
            reader,
            first,
        } = &mut *self.0;
        if let Some(message) = first.take()
            && let Err(error) = write_frame(&mut writer.send, &message).await
        {
            return error.into();
        }
        // Futures of their own, because a half-read frame must not be dropped when a command comes.
        tokio::select! {
            error = reader.run() => error,
            error = writer.run() => error,
            never = session.carry_spares() => match never {},
        }
    }
}

impl Reader {
    async fn run(&mut self) -> ControlError {
        loop {
            let message = match read_frame(&mut self.recv).await {
                Ok(message) => message,
                Err(error) => return error.into(),
            };
            match message {
                Message::Ping { nonce } => {
                    // The writer lives as long as this does.
                    let _ = self.commands.send(Command::Pong(nonce)).await;
                }
                Message::Pong { nonce } => {
                    if let Some(answer) = lock(&self.pings).remove(&nonce) {
                        // Whoever asked may have run out of patience.
                        let _ = answer.send(());
                    }
                }
                Message::Goaway {
                    reason,
                    reconnect_after_ms,
                } => {
                    let reconnect_after = Duration::from_millis(reconnect_after_ms);
                    self.goaway.send_replace(Some(Goaway {
                        reason,
                        reconnect_after,
                    }));
                }
                Message::Window { stream, offset } => self.windows.heard(stream, offset),
                Message::Hello(_) => return ControlError::Unexpected("hello"),
                Message::Welcome(_) => return ControlError::Unexpected("welcome"),
                Message::Probe(_) | Message::Probed(_) => return ControlError::Unexpected("probe"),
            }
        }
    }
}

impl Writer {
    async fn run(&mut self) -> ControlError {
        loop {
            let message = tokio::select! {
                biased;
                message = farewell(&mut self.farewell) => message,
                Some(command) = self.commands.recv() => self.carry_out(command),
                (stream, offset) = self.windows.next_grant() => Message::Window { stream, offset },
            };
            if let Err(error) = write_frame(&mut self.send, &message).await {
                return error.into();
            }
        }
    }

    /// What to tell the peer.
    fn carry_out(&mut self, command: Command) -> Message {
        match command {
            Command::Ping(answer) => {
                let mut pings = lock(&self.pings);
                pings.retain(|_, answer| !answer.is_closed());
                self.nonce += 1;
                pings.insert(self.nonce, answer);
                Message::Ping { nonce: self.nonce }
            }
            Command::Pong(nonce) => Message::Pong { nonce },
        }
    }
}

/// What is to be said of our end, once it is. Nobody can say so any more when all handles are gone.
async fn farewell(said: &mut watch::Receiver<Option<Goaway>>) -> Message {
    loop {
        if said.changed().await.is_err() {
            return std::future::pending().await;
        }
        if let Some(goaway) = said.borrow_and_update().clone() {
            return Message::Goaway {
                reason: goaway.reason,
                reconnect_after_ms: u64::try_from(goaway.reconnect_after.as_millis())
                    .unwrap_or(u64::MAX),
            };
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
        let (pair, [near, far]) = ends().await;
        let (near, near_handle) = ControlLoop::new(near.0, near.1, &pair.connector);
        let (far, far_handle) = ControlLoop::new(far.0, far.1, &pair.listener);
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
        let (pair, [near, _far]) = ends().await;
        let (near, handle) = ControlLoop::new(near.0, near.1, &pair.connector);
        tokio::select! {
            error = near.run() => panic!("{error}"),
            answered = handle.ping(Duration::from_millis(50)) => assert!(!answered),
        }
    }

    /// A peer's pings may fill the queue of what is to be sent.
    #[tokio::test]
    async fn a_goaway_is_heard_among_any_number_of_pings() {
        let (pair, [mut near, far]) = ends().await;
        let (far, handle) = ControlLoop::new(far.0, far.1, &pair.listener);
        let pinging = async {
            for nonce in 0.. {
                let ping = Message::Ping { nonce };
                write_frame(&mut near.0, &ping).await.unwrap();
            }
        };
        let hearing = async {
            let mut pongs = 0;
            loop {
                let message = read_frame(&mut near.1).await.unwrap();
                if let Message::Goaway { reason, .. } = message {
                    break reason;
                }
                pongs += 1;
                if pongs == 100 {
                    handle.goaway(Goaway {
                        reason: "test".to_owned(),
                        reconnect_after: Duration::ZERO,
                    });
                }
            }
        };
        let heard = async {
            tokio::select! {
                () = pinging => unreachable!("it never ends"),
                error = far.run() => panic!("{error}"),
                reason = hearing => reason,
            }
        };
        assert_eq!(timeout(SOON, heard).await.unwrap(), "test");
    }

    #[tokio::test]
    async fn a_second_hello_is_a_protocol_error() {
        let (pair, [mut near, far]) = ends().await;
        let hello = Message::Hello(Hello {
            version: 2,
            software: String::new(),
            hostname: String::new(),
            capabilities: Vec::new(),
            replaces: None,
        });
        write_frame(&mut near.0, &hello).await.unwrap();
        let (far, _handle) = ControlLoop::new(far.0, far.1, &pair.listener);
        let error = far.run().await;
        assert!(error.is_protocol_error(), "{error}");
    }
}
