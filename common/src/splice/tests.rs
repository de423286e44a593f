use std::io::ErrorKind;

use socket2::SockRef;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinHandle,
};

use super::*;
use crate::session::{
    Closed,
    quic::TransportSettings,
    testing::{Pair, pair},
};

/// Far below what a stalled reader leaves in sockets and windows.
const LARGE: usize = 8 << 20;

/// Client, splice, session, splice, target: what both daemons are, without the daemons.
struct Tunnel {
    client: TcpStream,
    target: TcpStream,
    ends: [JoinHandle<Result<(), Cut>>; 2],
    pair: Pair,
}

async fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (outer, inner) = tokio::join!(TcpStream::connect(address), listener.accept());
    let inner = inner.unwrap().0;
    socket::prepare(&inner).unwrap();
    (outer.unwrap(), inner)
}

fn options(protocol: Protocol) -> SpliceOptions {
    SpliceOptions {
        protocol,
        answer: Awaited::Nothing,
        idle_timeout: None,
        cancel: CancellationToken::new(),
    }
}

async fn tunnel(options: SpliceOptions) -> Tunnel {
    let pair = pair(
        options.protocol,
        &TransportSettings {
            max_streams: 9,
            ..Default::default()
        },
    )
    .await;
    let (mut send, recv) = pair.listener.open_stream().await.unwrap();
    // The other side learns of a stream by its first bytes.
    send.write("h".into()).await.unwrap();
    let (far_send, mut far_recv) = pair.connector.accept_stream().await.unwrap();
    far_recv.read_exact(&mut [0]).await.unwrap();
    let (client, near) = tcp_pair().await;
    let (target, far) = tcp_pair().await;
    let run = |tcp, send, recv| {
        let options = options.clone();
        tokio::spawn(async move { splice(tcp, send, recv, &options, &Meter::default()).await })
    };
    let ends = [run(near, send, recv), run(far, far_send, far_recv)];
    Tunnel {
        client,
        target,
        ends,
        pair,
    }
}

async fn both_ended(ends: [JoinHandle<Result<(), Cut>>; 2]) -> [Result<(), Cut>; 2] {
    let [near, far] = ends;
    [near.await.unwrap(), far.await.unwrap()]
}

fn reset(tcp: TcpStream) {
    SockRef::from(&tcp)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(tcp);
}

async fn error_of(tcp: &mut TcpStream) -> ErrorKind {
    let mut sink = vec![0; 1 << 16];
    loop {
        match tcp.read(&mut sink).await {
            Ok(0) => panic!("a broken transfer looks complete"),
            Ok(_) => {}
            Err(error) => return error.kind(),
        }
    }
}

#[tokio::test]
async fn each_direction_ends_on_its_own() {
    let mut tunnel = tunnel(options(Protocol::V2)).await;
    let body: Vec<u8> = (0..LARGE).map(|i| (i % 251) as u8).collect();
    tunnel.client.write_all(b"request").await.unwrap();
    tunnel.client.shutdown().await.unwrap();
    let mut request = Vec::new();
    tunnel.target.read_to_end(&mut request).await.unwrap();
    assert_eq!(request, b"request");
    let answer = async {
        tunnel.target.write_all(&body).await.unwrap();
        tunnel.target.shutdown().await.unwrap();
    };
    let mut got = Vec::new();
    let (read, ()) = tokio::join!(tunnel.client.read_to_end(&mut got), answer);
    read.unwrap();
    assert!(got == body);
    assert_eq!(both_ended(tunnel.ends).await, [Ok(()), Ok(())]);
}

#[tokio::test]
async fn a_reset_on_one_side_is_a_reset_on_the_other() {
    let mut tunnel = tunnel(options(Protocol::V2)).await;
    reset(tunnel.client);
    assert_eq!(
        error_of(&mut tunnel.target).await,
        ErrorKind::ConnectionReset
    );
    let [near, far] = both_ended(tunnel.ends).await;
    assert_eq!(near, Err(Cut::Tcp(ErrorKind::ConnectionReset)));
    assert!(matches!(far, Err(Cut::Stream(_))), "{far:?}");
}

#[tokio::test]
async fn a_reset_is_noticed_while_flow_control_holds_the_sender() {
    let mut tunnel = tunnel(options(Protocol::V2)).await;
    let block = vec![0; 1 << 16];
    // The target never reads, so sooner or later nothing moves.
    while tokio::time::timeout(Duration::from_millis(300), tunnel.client.write_all(&block))
        .await
        .is_ok()
    {}
    reset(tunnel.client);
    assert_eq!(
        error_of(&mut tunnel.target).await,
        ErrorKind::ConnectionReset
    );
    assert!(both_ended(tunnel.ends).await.iter().all(Result::is_err));
}

#[tokio::test]
async fn a_client_that_is_gone_after_its_fin_frees_everything() {
    let mut tunnel = tunnel(options(Protocol::V2)).await;
    tunnel.client.shutdown().await.unwrap();
    assert_eq!(tunnel.target.read(&mut [0]).await.unwrap(), 0);
    reset(tunnel.client);
    // After a FIN a reset shows as EPIPE (tcp(7)).
    let cut = socket::error(&tunnel.target).await;
    assert_eq!(cut, Cut::Tcp(ErrorKind::BrokenPipe));
    assert!(both_ended(tunnel.ends).await.iter().all(Result::is_err));
}

#[tokio::test]
async fn the_end_of_the_session_is_a_reset_not_an_end() {
    let mut tunnel = tunnel(options(Protocol::V2)).await;
    tunnel.target.write_all(b"half of it").await.unwrap();
    let mut half = [0; 10];
    tunnel.client.read_exact(&mut half).await.unwrap();
    tunnel
        .pair
        .connector
        .close(crate::wire::close::CloseCode::Closed);
    assert_eq!(
        error_of(&mut tunnel.client).await,
        ErrorKind::ConnectionReset
    );
    assert_eq!(
        error_of(&mut tunnel.target).await,
        ErrorKind::ConnectionReset
    );
    let [_, far] = both_ended(tunnel.ends).await;
    assert_eq!(far, Err(Cut::Stream(StreamError::Session(Closed::Locally))));
}

#[tokio::test]
async fn idle_streams_are_cut_only_when_asked() {
    let mut asked = options(Protocol::V2);
    asked.idle_timeout = Some(Duration::from_millis(50));
    let mut tunnel = tunnel(asked).await;
    assert_eq!(
        error_of(&mut tunnel.client).await,
        ErrorKind::ConnectionReset
    );
    let [near, far] = both_ended(tunnel.ends).await;
    assert!(near == Err(Cut::Idle) || far == Err(Cut::Idle));
}

#[tokio::test]
async fn a_refusal_is_a_reset_with_its_reason() {
    let pair = pair(
        Protocol::V2,
        &TransportSettings {
            max_streams: 9,
            ..Default::default()
        },
    )
    .await;
    let (mut send, recv) = pair.listener.open_stream().await.unwrap();
    send.write("h".into()).await.unwrap();
    let (mut far_send, _far_recv) = pair.connector.accept_stream().await.unwrap();
    let refusal = Refusal {
        code: crate::wire::open::RefusalCode::DialRefused,
        message: "nobody there".to_owned(),
    };
    let answer = Answer::Refused(refusal.clone());
    crate::session::write_frame(&mut far_send, &answer)
        .await
        .unwrap();
    let (mut client, near) = tcp_pair().await;
    let mut options = options(Protocol::V2);
    options.answer = Awaited::Answer(Duration::from_secs(5));
    let ended = splice(near, send, recv, &options, &Meter::default()).await;
    assert_eq!(ended, Err(Cut::Refused(refusal)));
    assert_eq!(error_of(&mut client).await, ErrorKind::ConnectionReset);
}

/// Fault of 1.x: a target that cannot be dialled looks like one that had nothing to say.
#[tokio::test]
async fn in_protocol_1_an_end_before_the_first_byte_is_a_refusal() {
    let pair = pair(
        Protocol::V1,
        &TransportSettings {
            max_streams: 9,
            ..Default::default()
        },
    )
    .await;
    let (mut send, recv) = pair.listener.open_stream().await.unwrap();
    send.write("h".into()).await.unwrap();
    let (mut far_send, _far_recv) = pair.connector.accept_stream().await.unwrap();
    far_send.finish();
    let (mut client, near) = tcp_pair().await;
    let mut options = options(Protocol::V1);
    options.answer = Awaited::FirstByte;
    let ended = splice(near, send, recv, &options, &Meter::default()).await;
    assert!(matches!(ended, Err(Cut::NoAnswer(_))), "{ended:?}");
    assert_eq!(error_of(&mut client).await, ErrorKind::ConnectionReset);
}
