//! The steps `udp`, `buffers` and `api`: are the ports there, and if not, who has them?

use std::{
    io::{self, ErrorKind},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
};

use common::{
    doctor::{
        Line, Steps,
        udp::{Reach, reach},
    },
    session::quic,
};

use super::servers;
use crate::config::Config;

pub(super) async fn examine(config: &Config, steps: &Steps) {
    // Not one after the other: the socket must be closed before the next is bound.
    let bound = quic::bind(config.quic, config.udp_buffer).map(drop);
    let bound = bound.map_err(|error| error.source);
    let other = match &bound {
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            Some(reach(near(config.quic), rand::random()).await)
        }
        Ok(()) | Err(_) => None,
    };
    steps.tell(udp(config.quic, &bound, other.as_ref())).await;
    let any = SocketAddr::new(config.quic.ip(), 0);
    if let Ok((_, buffers)) = quic::bind(any, config.udp_buffer) {
        let line = match buffers.advice() {
            Some(advice) => Line::warn("buffers", advice, None),
            None => Line::ok(
                "buffers",
                format!("UDP buffers of {} bytes", buffers.wanted),
            ),
        };
        steps.tell(line).await;
    }
    let address = config.api.address;
    let bound = TcpListener::bind(address).map(drop);
    let in_use = bound
        .as_ref()
        .is_err_and(|error| error.kind() == ErrorKind::AddrInUse);
    let health = format!("http://{}/healthz", near(address));
    let answers = in_use && servers::answers_well(&health).await;
    steps
        .tell(api(address, config.api.tokens.len(), &bound, answers))
        .await;
}

/// An address of this machine at which an address that was bound answers.
fn near(address: SocketAddr) -> SocketAddr {
    let ip: IpAddr = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// Step `udp`. `other`: what answers there, if somebody has the port.
fn udp(address: SocketAddr, bound: &io::Result<()>, other: Option<&Reach>) -> Line {
    let step = "udp";
    let error = match (bound, other) {
        (Ok(()), _) => {
            return Line::ok(
                step,
                format!("UDP {address} is free: no listener runs on it"),
            );
        }
        (Err(_), Some(Reach::Quic { .. })) => {
            let what = format!(
                "UDP {address} is in use by something that speaks QUIC: the running sw_listener, probably"
            );
            return Line::ok(step, what);
        }
        (Err(error), _) => error,
    };
    Line::fail(
        step,
        format!("cannot bind UDP {address}: {error}"),
        bind_advice(error, "ss -ulpn", "port"),
    )
}

/// Step `api`. `answers`: whoever has the port says that it is well.
fn api(address: SocketAddr, tokens: usize, bound: &io::Result<()>, answers: bool) -> Line {
    let step = "api";
    let access = match tokens {
        0 => "callers on this machine only, without a token".to_owned(),
        _ => format!("{tokens} token(s)"),
    };
    match bound {
        Ok(()) => Line::ok(step, format!("TCP {address} is free; {access}")),
        Err(_) if answers => Line::ok(
            step,
            format!(
                "TCP {address} is in use and answers /healthz: the running sw_listener, probably; {access}"
            ),
        ),
        Err(error) => {
            let advice = bind_advice(error, "ss -tlpn", "apis_port");
            Line::fail(step, format!("cannot bind TCP {address}: {error}"), advice)
        }
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "io::ErrorKind is non-exhaustive"
)]
fn bind_advice(error: &io::Error, find: &str, key: &str) -> Option<String> {
    match error.kind() {
        ErrorKind::AddrInUse => Some(format!(
            "find out who has it ({find}) and stop it, or change {key}"
        )),
        ErrorKind::AddrNotAvailable => {
            Some("it is not an address of this machine: see ip address".to_owned())
        }
        ErrorKind::PermissionDenied => Some(format!(
            "ports below 1024 need CAP_NET_BIND_SERVICE (AmbientCapabilities of the service); or change {key}"
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use common::doctor::Outcome;

    use super::*;

    fn address() -> SocketAddr {
        "0.0.0.0:11443".parse().unwrap()
    }

    fn failed(kind: ErrorKind) -> io::Result<()> {
        Err(kind.into())
    }

    #[test]
    fn a_port_in_use_is_well_if_a_listener_has_it() {
        let in_use = failed(ErrorKind::AddrInUse);
        let quic = Reach::Quic {
            after: Duration::ZERO,
            version_1: true,
        };
        assert_eq!(udp(address(), &Ok(()), None).outcome, Outcome::Ok);
        assert_eq!(udp(address(), &in_use, Some(&quic)).outcome, Outcome::Ok);
        let other = udp(address(), &in_use, Some(&Reach::Silence));
        assert_eq!(other.outcome, Outcome::Fail);
        assert!(other.advice.unwrap().contains("ss -ulpn"));
        assert_eq!(api(address(), 0, &in_use, true).outcome, Outcome::Ok);
        assert_eq!(api(address(), 0, &in_use, false).outcome, Outcome::Fail);
    }

    #[test]
    fn other_troubles_have_their_advice() {
        for (kind, part) in [
            (ErrorKind::PermissionDenied, "CAP_NET_BIND_SERVICE"),
            (ErrorKind::AddrNotAvailable, "ip address"),
        ] {
            let line = udp(address(), &failed(kind), None);
            assert!(line.advice.unwrap().contains(part), "{kind:?}");
        }
    }

    #[test]
    fn every_address_is_asked_at_one_of_this_machine() {
        assert_eq!(near(address()).to_string(), "127.0.0.1:11443");
        assert_eq!(near("[::]:1".parse().unwrap()).to_string(), "[::1]:1");
        assert_eq!(
            near("192.0.2.1:1".parse().unwrap()).to_string(),
            "192.0.2.1:1"
        );
    }
}
