//! The splice: the bidirectional copy between a TCP socket and a stream.
//!
//! FIN ↔ FIN in each direction on its own, RST ↔ stream reset. Whatever goes wrong in one direction breaks off both, and
//! a transfer that was broken off never looks complete: both halves of the stream reset themselves unless they have
//! ended, and the socket keeps [`SO_LINGER` 0](socket::prepare) until both directions have.

mod buffer;
mod down;
mod meter;
pub mod socket;
mod up;

use std::time::Duration;

use tokio::{net::TcpStream, sync::Notify};
use tokio_util::sync::CancellationToken;
use tracing::debug;

pub use self::meter::Meter;
use crate::{
    session::{FrameIoError, RecvHalf, SendHalf, StreamError, read_frame},
    wire::{
        Protocol,
        close::StreamCode,
        open::{Answer, Refusal},
    },
};

/// How a listener learns whether the target was connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Awaited {
    /// It is not waiting for that: this is the connector's side.
    Nothing,
    /// By an [`Answer`] at the head of the stream, within this time.
    Answer(Duration),
    /// By the first byte. Protocol 1 has no answer: a connector that could not dial just drops the stream, so an end
    /// before the first byte, while the client is still sending, is taken as a refusal.
    FirstByte,
}

/// How one splice is to run.
#[derive(Debug, Clone)]
pub struct SpliceOptions {
    /// Decides what a stop without an error code means: an end in protocol 1, an abort in protocol 2.
    pub protocol: Protocol,
    /// How the other side says whether the target is connected.
    pub answer: Awaited,
    /// Break off when no byte has moved for this long.
    pub idle_timeout: Option<Duration>,
    /// Break off when this is cancelled.
    pub cancel: CancellationToken,
}

/// Why a splice ended before both directions had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Cut {
    /// The TCP peer reset its connection, or its system gave up on it.
    #[error("TCP: {0}")]
    Tcp(std::io::ErrorKind),
    /// The stream was broken off by the other side, or the session ended.
    #[error("{0}")]
    Stream(#[from] StreamError),
    /// The connector refused the target.
    #[error("refused: {0}")]
    Refused(Refusal),
    /// The other side did not say whether the target is connected.
    #[error("no answer about the target: {0}")]
    NoAnswer(String),
    /// Nothing moved for the idle timeout.
    #[error("idle for too long")]
    Idle,
    /// This side ended it: the opening was closed, or the daemon stops.
    #[error("ended by this side")]
    Cancelled,
}

impl Cut {
    fn code(&self) -> StreamCode {
        match self {
            Self::Tcp(_) => StreamCode::TcpReset,
            Self::Stream(_) => StreamCode::Aborted,
            Self::Refused(_) => StreamCode::Refused,
            Self::NoAnswer(_) => StreamCode::BadHead,
            Self::Idle => StreamCode::IdleTimeout,
            Self::Cancelled => StreamCode::Cancelled,
        }
    }
}

impl From<std::io::Error> for Cut {
    fn from(error: std::io::Error) -> Self {
        Self::Tcp(error.kind())
    }
}

/// Copies both directions until both have ended or one breaks off. `tcp` comes from [`socket::prepare`].
///
/// # Errors
/// [`Cut`]: both peers have then been told with a reset.
///
/// # Cancel safety
/// Dropping the future breaks off like a [`Cut::Cancelled`].
pub async fn splice(
    tcp: TcpStream,
    mut send: SendHalf,
    mut recv: RecvHalf,
    options: &SpliceOptions,
    meter: &Meter,
) -> Result<(), Cut> {
    let all = copy_both(&tcp, &mut send, &mut recv, options, meter);
    let ended = tokio::select! {
        ended = all => ended,
        () = meter::idle(meter, options.idle_timeout) => Err(Cut::Idle),
        () = options.cancel.cancelled() => Err(Cut::Cancelled),
    };
    match &ended {
        Ok(()) => socket::close_cleanly(tcp),
        Err(cut) => {
            send.reset(cut.code());
            recv.stop(cut.code());
            debug!(%cut, "splice broken off");
        }
    }
    ended
}

async fn copy_both(
    tcp: &TcpStream,
    send: &mut SendHalf,
    recv: &mut RecvHalf,
    options: &SpliceOptions,
    meter: &Meter,
) -> Result<(), Cut> {
    let tcp_ended = Notify::new();
    let stopped = send.acknowledged();
    let up = async {
        let ended = tokio::select! {
            biased;
            ended = up::pump(tcp, send, &meter.up) => ended,
            Err(error) = stopped => Err(error.into()),
        };
        match ended {
            // The peer closes both directions as soon as one has ended.
            Err(Cut::Stream(StreamError::Stopped(0))) if options.protocol == Protocol::V1 => {}
            other => other?,
        }
        tcp_ended.notify_one();
        Ok(())
    };
    let down = async {
        if let Awaited::Answer(within) = options.answer {
            expect_opened(recv, within).await?;
        }
        down::pump(tcp, recv, &meter.down).await?;
        refuse_silent_end(options.answer, meter)?;
        down::finish(tcp, &meter.down)
    };
    // While the socket is read, an error shows in the reading; afterwards somebody has to look.
    let tcp_broken = async {
        tcp_ended.notified().await;
        socket::error(tcp).await
    };
    tokio::select! {
        ended = async { tokio::try_join!(up, down) } => ended.map(|((), ())| ()),
        cut = tcp_broken => Err(cut),
    }
}

fn refuse_silent_end(answer: Awaited, meter: &Meter) -> Result<(), Cut> {
    if answer == Awaited::FirstByte && meter.down.bytes() == 0 && !meter.up.ended() {
        return Err(Cut::NoAnswer(
            "the stream ended before the first byte".to_owned(),
        ));
    }
    Ok(())
}

async fn expect_opened(recv: &mut RecvHalf, within: Duration) -> Result<(), Cut> {
    match tokio::time::timeout(within, read_frame::<Answer>(recv)).await {
        Ok(Ok(Answer::Opened)) => Ok(()),
        Ok(Ok(Answer::Refused(refusal))) => Err(Cut::Refused(refusal)),
        Ok(Err(FrameIoError::Stream(error))) => Err(error.into()),
        Ok(Err(FrameIoError::Frame(error))) => Err(Cut::NoAnswer(error.to_string())),
        Err(_) => Err(Cut::NoAnswer(format!("none within {within:?}"))),
    }
}

#[cfg(test)]
mod tests;
