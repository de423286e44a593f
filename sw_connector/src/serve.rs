//! One tunnel stream: read its head, dial the target, answer, splice.

use std::time::{Duration, Instant};

use bytes::Bytes;
use common::{
    session::{FrameIoError, RecvHalf, SendHalf, StreamError, read_frame, write_frame},
    splice::{self, Awaited, Cut, Meter, SpliceOptions},
    target::Target,
    wire::{
        Protocol,
        close::StreamCode,
        open::{Answer, Open, Refusal, RefusalCode},
        v1,
    },
};
use tokio::{net::TcpStream, time::timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::{daemon::Context, target_dial};

/// How long the head of a stream may take, and our answer to it.
const HEAD_LIMIT: Duration = Duration::from_secs(5);
/// How long a refused stream is kept, so that the refusal arrives before the stop.
const REFUSAL_LIMIT: Duration = Duration::from_secs(5);

/// What the listener asks for.
struct Head {
    /// The listener's name of the stream, for both logs.
    stream: String,
    client: String,
    target: Target,
}

/// Serves one stream until both directions have ended, or `cut` is cancelled.
pub(crate) async fn run(
    send: SendHalf,
    mut recv: RecvHalf,
    protocol: Protocol,
    context: &Context,
    cut: CancellationToken,
) {
    let head = match timeout(HEAD_LIMIT, read_head(&mut recv, protocol)).await {
        Ok(Ok(head)) => head,
        Ok(Err(error)) => return bad_head(send, recv, &error),
        Err(_) => return bad_head(send, recv, "it did not come in time"),
    };
    if context.shutdown.is_draining() {
        return refuse(send, recv, protocol, &head, stopping()).await;
    }
    let gone = send.acknowledged();
    let dialled = tokio::select! {
        dialled = target_dial::dial(&head.target, &context.config) => dialled,
        // The listener stops its half when it resets the other.
        Err(error) = gone => return debug!(stream = head.stream, %error, "client gone while dialling"),
        () = cut.cancelled() => Err(stopping()),
    };
    match dialled {
        Ok(tcp) => carry(tcp, send, recv, protocol, &head, cut).await,
        Err(refusal) => refuse(send, recv, protocol, &head, refusal).await,
    }
}

async fn read_head(recv: &mut RecvHalf, protocol: Protocol) -> Result<Head, String> {
    match protocol {
        Protocol::V1 => {
            let mut header = [0; v1::HEADER];
            let read = recv.read_exact(&mut header).await;
            read.map_err(|error| error.to_string())?;
            let (stream, target) = v1::decode(&header).map_err(|error| error.to_string())?;
            Ok(Head {
                stream,
                client: "unknown".to_owned(),
                target,
            })
        }
        Protocol::V2 => {
            let open: Open = read_frame(recv).await.map_err(|error| error.to_string())?;
            Ok(Head {
                stream: open.stream.to_string(),
                client: open.client.to_string(),
                target: open.target,
            })
        }
    }
}

fn bad_head(mut send: SendHalf, mut recv: RecvHalf, why: &str) {
    warn!(why = ?why, "stream refused: its head cannot be used");
    send.reset(StreamCode::BadHead);
    recv.stop(StreamCode::BadHead);
}

fn stopping() -> Refusal {
    Refusal {
        code: RefusalCode::ShuttingDown,
        message: "the connector is stopping".to_owned(),
    }
}

async fn refuse(
    mut send: SendHalf,
    mut recv: RecvHalf,
    protocol: Protocol,
    head: &Head,
    refusal: Refusal,
) {
    let Head {
        stream,
        client,
        target,
    } = head;
    warn!(stream, client, %target, cause = %refusal, "target not reached: stream refused");
    if protocol == Protocol::V1 {
        send.reset(StreamCode::Refused);
        recv.stop(StreamCode::Refused);
        return;
    }
    let told = async {
        if write_frame(&mut send, &Answer::Refused(refusal))
            .await
            .is_err()
        {
            return;
        }
        send.finish();
        // The listener resets its half when it has read the answer; a stop before that could overtake the answer.
        while let Ok(Some(chunks)) = recv.read().await {
            recv.consumed(chunks.iter().map(Bytes::len).sum());
        }
    };
    // A listener that does not read has nobody to tell.
    let _ = timeout(REFUSAL_LIMIT, told).await;
}

async fn carry(
    tcp: TcpStream,
    mut send: SendHalf,
    recv: RecvHalf,
    protocol: Protocol,
    head: &Head,
    cancel: CancellationToken,
) {
    let started = Instant::now();
    let meter = Meter::default();
    let options = SpliceOptions {
        protocol,
        answer: Awaited::Nothing,
        idle_timeout: None,
        cancel,
    };
    let ended = match answer_opened(&mut send, protocol).await {
        Ok(()) => splice::splice(tcp, send, recv, &options, &meter).await,
        Err(cut) => Err(cut),
    };
    let (stream, target) = (&head.stream, &head.target);
    let (bytes_up, bytes_down) = (meter.down.bytes(), meter.up.bytes());
    let elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    match ended {
        Ok(()) => {
            debug!(stream, client = head.client, %target, bytes_up, bytes_down, elapsed_ms, "stream ended")
        }
        Err(cut) => {
            debug!(
                stream, client = head.client, %target, bytes_up, bytes_down, elapsed_ms, %cut, "stream broken off"
            );
        }
    }
}

async fn answer_opened(send: &mut SendHalf, protocol: Protocol) -> Result<(), Cut> {
    if protocol == Protocol::V1 {
        return Ok(());
    }
    match timeout(HEAD_LIMIT, write_frame(send, &Answer::Opened)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(FrameIoError::Stream(error))) => Err(error.into()),
        Ok(Err(FrameIoError::Frame(_))) => Err(StreamError::Misused.into()),
        Err(_) => Err(Cut::NoAnswer("the listener takes no data".to_owned())),
    }
}
