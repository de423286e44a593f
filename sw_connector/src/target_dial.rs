//! Dialling a target: resolve, ask the policy about each address, connect.

use std::{
    io::{self, ErrorKind},
    net::SocketAddr,
};

use common::{
    splice::socket,
    target::{Host, Target},
    wire::open::{Refusal, RefusalCode},
};
use tokio::{
    net::{TcpSocket, TcpStream, lookup_host},
    time::{Instant, timeout_at},
};

use crate::{config::Config, target_policy::Verdict};

/// Connects to a target within the limit, name resolution included: every allowed address in turn.
///
/// # Errors
/// The [`Refusal`] for the listener; with several addresses, that of the last one tried.
///
/// # Cancel safety
/// Cancel safe: the connection attempt is given up.
pub(crate) async fn dial(target: &Target, config: &Config) -> Result<TcpStream, Refusal> {
    let limit = config.dial_timeout;
    let deadline = Instant::now() + limit;
    let timed_out = || {
        refusal(
            RefusalCode::DialTimeout,
            format!("{target} within {limit:?}"),
        )
    };
    let addresses = timeout_at(deadline, resolve(target))
        .await
        .map_err(|_| timed_out())??;
    let mut allowed = Vec::new();
    let mut last = refusal(RefusalCode::DnsFailed, format!("{target} has no address"));
    for address in addresses {
        match config.targets.judge(target, address) {
            Verdict::Allow => allowed.push(address),
            Verdict::Deny { reason } => last = refusal(RefusalCode::TargetDenied, reason),
        }
    }
    for (index, address) in allowed.iter().enumerate() {
        // An address that swallows packets must leave time for the ones after it.
        let left = deadline.saturating_duration_since(Instant::now());
        let share = left / u32::try_from(allowed.len() - index).unwrap_or(u32::MAX);
        match timeout_at(
            Instant::now() + share,
            connect(*address, config.target_receive_buffer),
        )
        .await
        {
            Ok(Ok(tcp)) => return Ok(tcp),
            Ok(Err(error)) => last = refused(*address, &error),
            Err(_) => last = timed_out(),
        }
    }
    Err(last)
}

async fn resolve(target: &Target) -> Result<Vec<SocketAddr>, Refusal> {
    match target.host() {
        Host::Ip(ip) => Ok(vec![SocketAddr::new(*ip, target.port())]),
        Host::Name(name) => match lookup_host((name.as_str(), target.port())).await {
            Ok(addresses) => Ok(addresses.collect()),
            Err(error) => Err(refusal(RefusalCode::DnsFailed, format!("{name}: {error}"))),
        },
    }
}

async fn connect(address: SocketAddr, receive_buffer: u32) -> io::Result<TcpStream> {
    let tcp = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    if receive_buffer > 0 {
        tcp.set_recv_buffer_size(receive_buffer)?;
    }
    let tcp = tcp.connect(address).await?;
    socket::prepare(&tcp)?;
    Ok(tcp)
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "io::ErrorKind is non-exhaustive"
)]
fn refused(address: SocketAddr, error: &io::Error) -> Refusal {
    /// EMFILE and ENFILE have no kind of their own.
    const NO_DESCRIPTORS: [i32; 2] = [24, 23];
    let code = match error.kind() {
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset => RefusalCode::DialRefused,
        ErrorKind::TimedOut => RefusalCode::DialTimeout,
        _ if error
            .raw_os_error()
            .is_some_and(|number| NO_DESCRIPTORS.contains(&number)) =>
        {
            RefusalCode::Limit
        }
        _ => RefusalCode::DialUnreachable,
    };
    refusal(code, format!("{address}: {error}"))
}

fn refusal(code: RefusalCode, message: String) -> Refusal {
    Refusal { code, message }
}
