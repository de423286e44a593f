//! The control stream after `hello` and `welcome`: answers pings, sends ours, carries grants, hears `goaway`. Spares travel
//! beside it, by the same task.

mod exchange;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use thiserror::Error;
use tokio::time::timeout;

use self::exchange::Exchange;
use super::{
    FrameIoError, RecvHalf, SendHalf, Session, StreamError, flow::Windows, read_frame, write_frame,
};
use crate::wire::control::Message;

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

/// Asks things of a running [`ControlLoop`]; clones are handles of the same one.
#[derive(Debug, Clone)]
pub struct ControlHandle(Arc<Exchange>);

impl ControlHandle {
    /// Whether the other side's control loop answers within the time limit. It does not when this one has ended.
    pub async fn ping(&self, within: Duration) -> bool {
        let answered = self.0.ask();
        matches!(timeout(within, answered).await, Ok(Ok(())))
    }

    /// Tells the other side that this one will end the session, before anything that is asked of it later. Of two that
    /// come at once the last is told. A loop that has ended, or whose peer does not read, has nobody to tell.
    pub fn goaway(&self, goaway: Goaway) {
        self.0.say_farewell(goaway);
    }

    /// Completes when the peer has sent `goaway`; never when the control stream ends without one.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn peer_goes_away(&self) -> Goaway {
        self.0.peer_goes_away().await
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
    exchange: Arc<Exchange>,
    windows: Arc<Windows>,
}

/// What hears.
#[derive(Debug)]
struct Reader {
    recv: RecvHalf,
    exchange: Arc<Exchange>,
    windows: Arc<Windows>,
}

/// Whoever still waits for an answer gets none.
impl Drop for Writer {
    fn drop(&mut self) {
        self.exchange.end();
    }
}

impl ControlLoop {
    /// The loop over the control stream of a session, on which `hello` has passed; and a handle to it.
    pub fn new(mut send: SendHalf, mut recv: RecvHalf, session: &Session) -> (Self, ControlHandle) {
        send.put_first();
        recv.lift();
        let exchange = Arc::new(Exchange::default());
        let writer = Writer {
            send,
            exchange: exchange.clone(),
            windows: session.windows().clone(),
        };
        let reader = Reader {
            recv,
            exchange: exchange.clone(),
            windows: session.windows().clone(),
        };
        let first = None;
        let parts = Parts {
            session: session.clone(),
            writer,
            reader,
            first,
        };
        (Self(Box::new(parts)), ControlHandle(exchange))
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
                Message::Ping { nonce } => self.exchange.owe_pong(nonce).await,
                Message::Pong { nonce } => self.exchange.heard_pong(nonce),
                Message::Goaway {
                    reason,
                    reconnect_after_ms,
                } => self.exchange.heard_farewell(Goaway {
                    reason,
                    reconnect_after: Duration::from_millis(reconnect_after_ms),
                }),
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
                message = self.exchange.next() => message,
                (stream, offset) = self.windows.next_grant() => Message::Window { stream, offset },
            };
            if let Err(error) = write_frame(&mut self.send, &message).await {
                return error.into();
            }
        }
    }
}
