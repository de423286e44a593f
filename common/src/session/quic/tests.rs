use std::time::Duration;

use bytes::Bytes;
use tokio::{task::yield_now, time::timeout};

use crate::{
    session::{
        Carrier, RecvHalf, SendHalf, StreamError,
        flow::INITIAL_WINDOW,
        quic::TransportSettings,
        testing::{Pair, pair},
    },
    wire::{Protocol, close::CloseCode},
};

const SHORT: Duration = Duration::from_millis(100);

pub(super) async fn stream(protocol: Protocol) -> (Pair, SendHalf, RecvHalf) {
    let settings = TransportSettings {
        max_streams: 9,
        ..Default::default()
    };
    let pair = pair(protocol, &settings).await;
    let (mut send, _) = pair.listener.open_stream().await.unwrap();
    send.write("h".into()).await.unwrap();
    let (_, mut recv) = pair.connector.accept_stream().await.unwrap();
    recv.read_exact(&mut [0]).await.unwrap();
    (pair, send, recv)
}

async fn read_some(recv: &mut RecvHalf) -> Result<Option<usize>, StreamError> {
    let chunks = recv.read().await?;
    Ok(chunks.map(|chunks| chunks.iter().map(Bytes::len).sum()))
}

#[tokio::test]
async fn a_sender_stops_at_its_window_until_the_reader_has_done_something_with_it() {
    let (_pair, mut send, mut recv) = stream(Protocol::V2).await;
    let window = usize::try_from(INITIAL_WINDOW).unwrap();
    let sending = async { send.write(vec![7; 2 * window].into()).await };
    let mut sending = std::pin::pin!(sending);
    assert!(timeout(SHORT, &mut sending).await.is_err(), "no grant yet");
    let reading = async {
        let mut received = 0;
        while received < 2 * window {
            let bytes = read_some(&mut recv).await.unwrap().unwrap();
            recv.consumed(bytes);
            received += bytes;
        }
    };
    let (sent, ()) = tokio::join!(sending, reading);
    sent.unwrap();
}

#[tokio::test]
async fn a_sender_without_a_grant_hears_that_its_reader_is_gone() {
    let (_pair, mut send, recv) = stream(Protocol::V2).await;
    let window = usize::try_from(INITIAL_WINDOW).unwrap();
    let sending = send.write(vec![7; 2 * window].into());
    let mut sending = std::pin::pin!(sending);
    assert!(timeout(SHORT, &mut sending).await.is_err());
    drop(recv);
    let stopped = sending.await.unwrap_err();
    assert!(matches!(stopped, StreamError::Stopped(_)), "{stopped}");
}

#[tokio::test]
async fn a_peer_that_sends_more_than_was_granted_breaks_its_stream() {
    let (pair, mut send, mut recv) = stream(Protocol::V2).await;
    // The first bidirectional stream of a server (RFC 9000, section 2.1).
    pair.listener.windows().heard(1, u64::MAX);
    let window = usize::try_from(INITIAL_WINDOW).unwrap();
    send.write(vec![7; 2 * window].into()).await.unwrap();
    let flooded = loop {
        match read_some(&mut recv).await {
            Ok(some) => assert!(some.is_some(), "an end"),
            Err(error) => break error,
        }
    };
    assert_eq!(flooded, StreamError::Flooded);
    assert_eq!(read_some(&mut recv).await, Err(flooded), "told again");
}

#[tokio::test]
async fn a_reset_is_told_again_and_never_looks_like_an_end() {
    let (_pair, send, mut recv) = stream(Protocol::V2).await;
    drop(send);
    let first = read_some(&mut recv).await.unwrap_err();
    assert!(matches!(first, StreamError::Reset(_)), "{first}");
    assert_eq!(read_some(&mut recv).await, Err(first.clone()));
    assert_eq!(recv.broken_yet().await, Some(first));
}

#[tokio::test]
async fn an_interactive_write_finds_room_behind_bulk() {
    let (pair, mut bulk, _unread) = stream(Protocol::V1).await;
    // Nothing can leave: the connector's process is not polled, but for what this test awaits.
    let (mut keys, _) = pair.listener.open_stream().await.unwrap();
    let filling = async {
        loop {
            bulk.write(vec![7; 1 << 20].into()).await.unwrap();
        }
    };
    let _ = timeout(SHORT, filling).await;
    timeout(SHORT, keys.write("x".into()))
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn what_a_window_grew_by_is_given_back_at_the_end() {
    let (pair, mut send, mut recv) = stream(Protocol::V2).await;
    let growth = pair.connector.windows().growth();
    // As long as it takes: a reader that a busy machine holds up is a slow one.
    let reading = async {
        while growth.taken() == 0 {
            let some = read_some(&mut recv).await.unwrap().unwrap();
            recv.consumed(some);
        }
    };
    let window = usize::try_from(INITIAL_WINDOW).unwrap();
    let sending = async {
        loop {
            send.write(vec![7; window].into()).await.unwrap();
        }
    };
    let grown = async {
        tokio::select! {
            () = reading => {}
            () = sending => {}
        }
    };
    let grown = timeout(Duration::from_secs(60), grown).await;
    grown.expect("a fast reader's window grows");
    assert!(growth.taken() > 0);
    drop(recv);
    assert_eq!(growth.taken(), 0);
}

#[tokio::test]
async fn protocol_1_knows_no_grants() {
    let (_pair, mut send, mut recv) = stream(Protocol::V1).await;
    let window = usize::try_from(INITIAL_WINDOW).unwrap();
    send.write(vec![7; 4 * window].into()).await.unwrap();
    let mut received = 0;
    while received < 4 * window {
        received += read_some(&mut recv).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_peer_may_hold_more_streams_once_it_holds_many() {
    const MOST: usize = 700;
    let settings = TransportSettings {
        max_streams: 700,
        ..Default::default()
    };
    let pair = pair(Protocol::V2, &settings).await;
    let opening = async {
        let mut open = Vec::new();
        for _ in 0..MOST {
            let mut stream = pair.listener.open_stream().await.unwrap();
            stream.0.write("h".into()).await.unwrap();
            open.push(stream);
        }
        let more = timeout(SHORT, pair.listener.open_stream()).await;
        assert!(more.is_err(), "beyond the limit");
        open
    };
    let accepting = async {
        let mut accepted = Vec::new();
        while accepted.len() < MOST {
            accepted.push(pair.connector.accept_stream().await.unwrap());
            pair.connector.make_room(accepted.len());
        }
        accepted
    };
    let both = async { tokio::join!(opening, accepting) };
    timeout(Duration::from_secs(10), both).await.unwrap();
}

/// What still waits for the window must not hold it back.
#[tokio::test]
async fn an_end_is_heard_while_the_window_is_full() {
    for congestion in ["model", "cubic", "10kbit/s"] {
        let settings = TransportSettings {
            congestion: congestion.parse().unwrap(),
            ..Default::default()
        };
        let pair = pair(Protocol::V2, &settings).await;
        let (mut send, _recv) = pair.connector.open_stream().await.unwrap();
        let bulk = vec![7; usize::try_from(INITIAL_WINDOW).unwrap()];
        send.write(bulk.into()).await.unwrap();
        // The connection sends what the window takes; what comes back is for a later turn.
        yield_now().await;
        let Carrier::Quic(quic) = &pair.connector.carrier;
        let sent = quic.connection.stats().udp_tx.bytes;
        assert!(sent < INITIAL_WINDOW, "{congestion}: some waits");
        pair.connector.close(CloseCode::Closed);
        let heard = timeout(Duration::from_secs(5), pair.listener.closed());
        let heard = heard
            .await
            .unwrap_or_else(|_| panic!("{congestion}: not heard"));
        assert_eq!(heard.peer_code(), Some(CloseCode::Closed), "{congestion}");
    }
}
