use std::time::Duration;

use bytes::Bytes;
use quinn::{Connection, PathStats};
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use super::Spares;
use crate::{
    session::{
        Carrier, RecvHalf, Session, StreamError,
        control::ControlLoop,
        flow::INITIAL_WINDOW,
        quic::{QuicCarrier, tests::stream},
    },
    wire::{Protocol, spare::Spare},
};

/// The first bidirectional stream of a server (RFC 9000, section 2.1), and the first byte that is not sent yet.
const STREAM: u64 = 1;
const NEXT: u64 = 1;

fn quic(session: &Session) -> &QuicCarrier {
    let Carrier::Quic(quic) = &session.carrier;
    quic
}

fn connection(session: &Session) -> &Connection {
    &quic(session).connection
}

fn spares(session: &Session) -> &Spares {
    quic(session).shared.spares.as_ref().expect("protocol 2")
}

/// What a control loop does.
fn carry(session: &Session) -> AbortOnDropHandle<()> {
    let session = session.clone();
    AbortOnDropHandle::new(tokio::spawn(async move {
        match session.carry_spares().await {}
    }))
}

fn inject(session: &Session, stream: u64, offset: u64, bytes: &[u8]) {
    let spare = Spare {
        stream,
        offset,
        bytes,
    };
    let datagram = spare.encode().unwrap().into();
    connection(session).send_datagram(datagram).unwrap();
}

/// Makes it look as if the path had lost a packet.
fn lose(session: &Session) {
    let mut seen = PathStats::default();
    seen.lost_packets = 1;
    seen.cwnd = 1 << 20;
    let now = quic(session).shared.now();
    spares(session).path.look(seen, now);
}

/// Reads so many bytes, which must come in time.
async fn read(recv: &mut RecvHalf, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    recv.read_exact(&mut bytes).await.unwrap();
    bytes
}

#[tokio::test]
async fn a_spare_is_read_before_its_original_and_never_twice() {
    let (pair, mut send, mut recv) = stream(Protocol::V2).await;
    let _carried = carry(&pair.connector);
    inject(&pair.listener, STREAM, NEXT, b"abc");
    assert_eq!(recv.read().await.unwrap().unwrap().concat(), b"abc");
    send.write("abcd".into()).await.unwrap();
    assert_eq!(recv.read().await.unwrap().unwrap().concat(), b"d");
    send.finish();
    assert_eq!(recv.read().await.unwrap(), None);
}

/// Nothing else does in protocol 2.
#[tokio::test]
async fn a_control_loop_carries_them() {
    let (pair, _send, mut recv) = stream(Protocol::V2).await;
    let (control_send, control_recv) = pair.connector.open_stream().await.unwrap();
    let (control, _handle) = ControlLoop::new(control_send, control_recv, &pair.connector);
    let _running = AbortOnDropHandle::new(tokio::spawn(control.run()));
    inject(&pair.listener, STREAM, NEXT, b"abc");
    let arrived = timeout(Duration::from_secs(30), read(&mut recv, 3));
    assert_eq!(arrived.await.unwrap(), b"abc");
}

#[tokio::test]
async fn an_end_waits_for_the_stream_itself() {
    let (pair, mut send, mut recv) = stream(Protocol::V2).await;
    let _carried = carry(&pair.connector);
    inject(&pair.listener, STREAM, NEXT, b"bye");
    assert_eq!(read(&mut recv, 3).await, b"bye");
    send.write("bye".into()).await.unwrap();
    send.finish();
    assert_eq!(recv.read().await.unwrap(), None);
    assert_eq!(recv.read_exact(&mut [0]).await, Err(StreamError::Early));
}

#[tokio::test]
async fn a_reset_after_a_spare_is_a_reset() {
    let (pair, send, mut recv) = stream(Protocol::V2).await;
    let _carried = carry(&pair.connector);
    inject(&pair.listener, STREAM, NEXT, b"abc");
    assert_eq!(read(&mut recv, 3).await, b"abc");
    drop(send);
    let reset = recv.read().await.unwrap_err();
    assert!(matches!(reset, StreamError::Reset(_)), "{reset}");
}

#[tokio::test]
async fn a_spare_behind_a_gap_waits_and_then_fills_in() {
    let (pair, mut send, mut recv) = stream(Protocol::V2).await;
    let _carried = carry(&pair.connector);
    inject(&pair.listener, STREAM, NEXT + 2, b"c");
    inject(&pair.listener, STREAM, NEXT, b"a");
    assert_eq!(read(&mut recv, 1).await, b"a");
    send.write("abcd".into()).await.unwrap();
    assert_eq!(read(&mut recv, 3).await, b"bcd");
}

#[tokio::test]
async fn what_is_no_spare_of_a_stream_that_is_there_is_nothing() {
    let (pair, mut send, mut recv) = stream(Protocol::V2).await;
    let _carried = carry(&pair.connector);
    for garbage in [&b""[..], b"\xff", b"\x01\x01"] {
        let garbage = Bytes::copy_from_slice(garbage);
        connection(&pair.listener).send_datagram(garbage).unwrap();
    }
    inject(&pair.listener, STREAM + 4, NEXT, b"no such stream");
    inject(&pair.listener, STREAM, INITIAL_WINDOW - 1, b"no grant");
    inject(&pair.listener, STREAM, NEXT, b"a");
    assert_eq!(read(&mut recv, 1).await, b"a");
    send.write("ab".into()).await.unwrap();
    send.finish();
    assert_eq!(read(&mut recv, 1).await, b"b");
    assert_eq!(recv.read().await.unwrap(), None, "nothing waits");
}

#[tokio::test]
async fn a_control_stream_takes_no_spares() {
    let (pair, mut send, mut recv) = stream(Protocol::V2).await;
    assert_eq!(spares(&pair.connector).inboxes.count(), 1);
    recv.lift();
    assert_eq!(spares(&pair.connector).inboxes.count(), 0);
    send.put_first();
    lose(&pair.listener);
    send.write("x".into()).await.unwrap();
    assert!(spares(&pair.listener).outgoing.is_empty());
}

#[tokio::test]
async fn a_stream_that_nobody_reads_any_more_has_no_inbox() {
    let (pair, _send, recv) = stream(Protocol::V2).await;
    assert_eq!(spares(&pair.connector).inboxes.count(), 1);
    drop(recv);
    assert_eq!(spares(&pair.connector).inboxes.count(), 0);
}

#[tokio::test]
async fn after_a_loss_what_is_short_has_a_spare() {
    let (pair, mut send, _recv) = stream(Protocol::V2).await;
    let _carried = carry(&pair.listener);
    lose(&pair.listener);
    send.write(vec![7; super::LONGEST + 1].into())
        .await
        .unwrap();
    send.write("key".into()).await.unwrap();
    let datagram = connection(&pair.connector).read_datagram().await.unwrap();
    let spare = Spare {
        stream: STREAM,
        offset: NEXT + super::LONGEST as u64 + 1,
        bytes: b"key",
    };
    assert_eq!(Spare::decode(&datagram), Some(spare));
}

#[tokio::test]
async fn without_a_loss_nothing_is_sent_twice() {
    let (pair, mut send, _recv) = stream(Protocol::V2).await;
    send.write("key".into()).await.unwrap();
    assert!(spares(&pair.listener).outgoing.is_empty());
}

#[tokio::test]
async fn protocol_1_has_no_spares() {
    let (pair, mut send, mut recv) = stream(Protocol::V1).await;
    let _carried = [carry(&pair.listener), carry(&pair.connector)];
    assert!(quic(&pair.listener).shared.spares.is_none());
    inject(&pair.listener, STREAM, NEXT, b"spare");
    send.write("stream".into()).await.unwrap();
    assert_eq!(read(&mut recv, 6).await, b"stream");
}

#[tokio::test]
async fn with_all_its_spares_a_stream_is_what_it_was() {
    let (pair, mut send, mut recv) = stream(Protocol::V2).await;
    let _carried = carry(&pair.connector);
    let mut random = SmallRng::seed_from_u64(7);
    let data: Vec<u8> = (0..200_000).map(|_| random.random()).collect();
    let sending = async {
        let mut sent = 0;
        while sent < data.len() {
            // Some of it has come before, some comes now, and some will.
            let from = random.random_range(sent.saturating_sub(2000)..data.len().min(sent + 2000));
            let to = data.len().min(from + random.random_range(1..1000));
            let offset = NEXT + from as u64;
            inject(&pair.listener, STREAM, offset, &data[from..to]);
            let part = sent..data.len().min(sent + random.random_range(1..1200));
            sent = part.end;
            send.write(Bytes::copy_from_slice(&data[part]))
                .await
                .unwrap();
            tokio::task::yield_now().await;
        }
        send.finish();
    };
    let reading = async {
        let mut all = Vec::new();
        while let Some(chunks) = recv.read().await.unwrap() {
            for chunk in chunks {
                recv.consumed(chunk.len());
                all.extend_from_slice(&chunk);
            }
        }
        all
    };
    let ((), read) = tokio::join!(sending, reading);
    assert_eq!(read, data);
}
