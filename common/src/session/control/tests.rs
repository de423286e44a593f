use std::time::Duration;

use tokio::time::timeout;

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

/// A peer's pings may leave no room for more pongs.
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

#[tokio::test]
async fn a_ping_ends_with_its_loop() {
    let (pair, [near, mut far]) = ends().await;
    let (near, handle) = ControlLoop::new(near.0, near.1, &pair.connector);
    let end = async {
        let end = async {
            while !matches!(read_frame(&mut far.1).await.unwrap(), Message::Ping { .. }) {}
        };
        tokio::select! {
            error = near.run() => panic!("{error}"),
            () = end => {}
        }
    };
    let both = async { tokio::join!(handle.ping(Duration::MAX), end) };
    let (answered, ()) = timeout(SOON, both).await.unwrap();
    assert!(!answered, "on its way");
    let again = timeout(SOON, handle.ping(Duration::MAX)).await;
    assert!(!again.unwrap(), "afterwards");
}

#[tokio::test]
async fn a_ping_ends_with_a_loop_that_never_ran() {
    let (pair, [near, _far]) = ends().await;
    let (near, handle) = ControlLoop::new(near.0, near.1, &pair.connector);
    let both = async { tokio::join!(biased; handle.ping(Duration::MAX), async { drop(near) }) };
    let (answered, ()) = timeout(SOON, both).await.unwrap();
    assert!(!answered);
}
