//! What was seen of a listener, and what to do about it. Pure.

use std::{net::SocketAddr, time::Duration};

use common::{
    doctor::{Line, udp::Reach},
    session::Closed,
    target::Host,
    tls::CertificateFacts,
    wire::{close::CloseCode, control::Probed},
};
use quinn::{Connection, Endpoint};

use crate::{config::Config, dial::DialError};

/// What every QUIC path carries (RFC 9000, section 14), in bytes of UDP payload.
pub(super) const LEAST_MTU: u16 = 1200;

/// How the handshake with an address went.
pub(super) enum Handshake {
    /// It was made, as far as our side is concerned.
    Done(Box<(Endpoint, Connection)>),
    /// QUIC works, and TLS ends it.
    Tls(String),
    Failed(DialError),
}

impl Handshake {
    /// Whether somebody who speaks QUIC answered.
    pub(super) fn answered(&self) -> bool {
        matches!(self, Self::Done(_) | Self::Tls(_))
    }
}

/// What the listener has shown of itself.
pub(super) struct Shown {
    pub(super) leaf: Option<CertificateFacts>,
    pub(super) certificates: usize,
    pub(super) rtt: Duration,
}

/// The listener's answer to a probe.
pub(super) enum Admission {
    Probed(Probed),
    Closed(Closed),
    /// Something that is no answer.
    Odd(String),
    Silent,
}

/// Step `dns`.
pub(super) fn dns(
    host: &Host,
    resolved: &Result<Vec<SocketAddr>, String>,
    took: Duration,
    most: usize,
) -> Line {
    let step = "dns";
    let advice = || {
        "mend the name (listeners, server_name), or the resolver of this machine (/etc/resolv.conf)"
            .to_owned()
    };
    match (host, resolved) {
        (Host::Ip(ip), _) => Line::ok(step, format!("{ip} is an address already")),
        (Host::Name(_), Err(error)) => Line::fail(step, error, advice()),
        (Host::Name(name), Ok(all)) if all.is_empty() => {
            Line::fail(step, format!("{name} has no address"), advice())
        }
        (Host::Name(name), Ok(all)) => {
            let shown: Vec<_> = all.iter().map(|address| address.ip().to_string()).collect();
            let mut text = format!("{name} → {} in {}", shown.join(", "), millis(took));
            if all.len() > most {
                text += &format!(" (the first {most} are tried)");
            }
            Line::ok(step, text)
        }
    }
}

/// Step `udp`. `works`: another address, or this one, answers.
pub(super) fn udp(address: SocketAddr, reach: &Reach, works: bool) -> Line {
    let step = "udp";
    let line = match reach {
        Reach::Quic { after, version_1: true } => {
            Line::ok(step, format!("{address} speaks QUIC, answer after {}", millis(*after)))
        }
        Reach::Quic { version_1: false, .. } => Line::fail(
            step,
            format!("{address} speaks QUIC, but not version 1"),
            "look what listens there: it is not sw_listener".to_owned(),
        ),
        Reach::NoPort => Line::fail(
            step,
            format!("{address}: nothing listens there (ICMP port unreachable)"),
            "start sw_listener there, or mend the port (listeners, service_port)".to_owned(),
        ),
        Reach::NoWay(error) => Line::fail(
            step,
            format!("{address}: no way there ({error})"),
            "mend the routes and filters of this machine, or leave this address out of the name".to_owned(),
        ),
        Reach::Silence => Line::warn(
            step,
            format!("{address}: no answer"),
            "if QUIC fails too, let UDP to this port through the firewalls on both sides, and look whether the machine is up"
                .to_owned(),
        ),
    };
    line.softened(works)
}

/// Step `quic`. `works`: another address, or this one, answers.
pub(super) fn quic(address: SocketAddr, handshake: &Handshake, works: bool) -> Line {
    let step = "quic";
    let error = match handshake {
        Handshake::Done(connected) => {
            let rtt = millis(connected.1.rtt());
            return Line::ok(step, format!("{address}: handshake, round trip {rtt}"));
        }
        Handshake::Tls(_) => {
            return Line::ok(step, format!("{address}: the handshake comes to TLS"));
        }
        Handshake::Failed(error) => error,
    };
    Line::fail(
        step,
        error.to_string(),
        quic_advice(error).map(str::to_owned),
    )
    .softened(works)
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "most errors say it themselves"
)]
fn quic_advice(error: &DialError) -> Option<&'static str> {
    match error {
        DialError::NoAnswer(_) => Some(
            "start sw_listener, and let UDP to this port through the firewalls on both sides, also packets of 1,200 bytes",
        ),
        DialError::Closed {
            source: Closed::Refused,
            ..
        } => Some("raise max_sessions or handshake_limit of the listener, or try later"),
        DialError::Closed {
            source: Closed::TimedOut,
            ..
        } => Some(
            "packets are lost on the way: look for a firewall that lets only some of them through",
        ),
        DialError::Closed {
            source: Closed::Transport(_),
            ..
        } => Some("look what listens there: it may not be sw_listener"),
        _ => None,
    }
}

/// Step `tls`: what the listener has shown, or why there is no TLS.
pub(super) fn tls(shown: &Result<Shown, String>, config: &Config) -> Line {
    let step = "tls";
    let shown = match shown {
        Ok(shown) => shown,
        Err(why) if why.contains("no_application_protocol") && config.legacy_protocol => {
            return Line::warn(
                step,
                "the listener knows protocol 1 only (socket-warp 1.x): sw_connector works with it, but to ask it anything \
                 more would be a session",
                "stop sw_connector and start it with log_level debug to see more".to_owned(),
            );
        }
        Err(why) => return Line::fail(step, why, tls_advice(why)),
    };
    let Shown {
        leaf, certificates, ..
    } = shown;
    let Some(leaf) = leaf else {
        return Line::warn(step, "the listener's certificate cannot be read", None);
    };
    let checks = &config.listener_checks;
    let verified = match (checks.insecure_skip, checks.pins.is_empty()) {
        (true, _) => "NOT verified (insecure_skip_server_verification)",
        (false, true) => "verified",
        (false, false) => "verified, and pinned",
    };
    let detail = format!(
        "TLS 1.3; the listener's certificate {:?} ({}, valid until {}, {certificates} sent) is {verified}; round trip {}",
        leaf.name(),
        leaf.key,
        leaf.not_after.date(),
        millis(shown.rtt)
    );
    match checks.insecure_skip {
        true => Line::warn(step, detail, None),
        false => Line::ok(step, detail),
    }
}

/// What a text of rustls, or the listener's alert, asks for. Texts that are not here say it themselves.
fn tls_advice(why: &str) -> Option<String> {
    const ADVICE: [(&str, &str); 12] = [
        (
            "the peer says: unknown_ca",
            "add the CA of client_cert_path to ca_path of the listener, with its intermediates in client_cert_path",
        ),
        (
            "the peer says: certificate_expired",
            "put a new certificate into client_cert_path, or mend the listener's clock",
        ),
        (
            "the peer says: certificate_revoked",
            "put a new certificate into client_cert_path",
        ),
        (
            "the peer says: certificate_required",
            "look at client_cert_path: the listener has seen no certificate",
        ),
        (
            "the peer says: unsupported_certificate",
            "get a certificate for clients (extended key usage clientAuth)",
        ),
        (
            "the peer says: no_application_protocol",
            "set legacy_protocol, or look what listens there",
        ),
        ("the peer says: ", "look at the listener's log: it refuses"),
        (
            "BadSignature",
            "the CA in ca_cert_path has the same name as that of the listener's certificate, but another key: it was made anew, \
             or somebody else answers",
        ),
        (
            "UnknownIssuer",
            "put the CA of the listener's certificate into ca_cert_path, and the intermediates into the listener's cert_path",
        ),
        (
            "not valid for name",
            "set server_name to a name of the listener's certificate, or have it made with this one (sw_listener pki server)",
        ),
        (
            "not valid yet",
            "set this machine's clock, or mend the one of the CA",
        ),
        (
            "certificate expired",
            "the listener's operator must put a new certificate into cert_path; or set this machine's clock",
        ),
    ];
    let found = ADVICE.iter().find(|(part, _)| why.contains(part));
    found.map(|(_, advice)| (*advice).to_owned())
}

/// Step `admission`: whether the listener would take a session.
pub(super) fn admission(admission: &Admission) -> Line {
    let step = "admission";
    match admission {
        Admission::Probed(Probed {
            uid,
            live: false,
            software,
        }) => Line::ok(
            step,
            format!("the listener ({software}) would let UID {uid} in"),
        ),
        Admission::Probed(Probed {
            uid,
            live: true,
            software,
        }) => Line::ok(
            step,
            format!(
                "the listener ({software}) would let UID {uid} in; a session of it is live, which is probably that of this \
                 machine's sw_connector (if it does not run, the certificate is in use elsewhere)"
            ),
        ),
        Admission::Closed(Closed::ByPeer {
            code: CloseCode::ProtocolError,
            ..
        }) => Line::warn(
            step,
            "the listener lets the certificate in, but is too old to say whether it would take a session",
            "update sw_listener, or look at the log of sw_connector".to_owned(),
        ),
        Admission::Closed(closed) => Line::fail(step, closed.to_string(), admission_advice(closed)),
        Admission::Odd(what) => Line::fail(
            step,
            what,
            "look what listens there: it does not speak protocol 2".to_owned(),
        ),
        Admission::Silent => Line::fail(
            step,
            "the listener gave no verdict in time",
            "look at its log: the servers that it asks (SCEP, OCSP) may not answer".to_owned(),
        ),
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "most causes say it themselves"
)]
fn admission_advice(closed: &Closed) -> Option<String> {
    let advice = match closed {
        Closed::ByPeer {
            code: CloseCode::PolicyDenied,
            ..
        } => {
            "its log says which rule; there, sw_listener doctor --certificate FILE shows every check"
        }
        Closed::ByPeer {
            code: CloseCode::VerifierUnavailable,
            ..
        } => {
            "its operator should look at the SCEP server, OCSP responder and CRLs: sw_listener doctor shows them"
        }
        Closed::ByPeer { .. } => return None,
        Closed::TimedOut => "packets are lost on the way: try again",
        _ => "look at the listener's log",
    };
    Some(advice.to_owned())
}

/// Step `mtu`: the longest UDP payload that has come through.
pub(super) fn mtu(found: u16) -> Line {
    let step = "mtu";
    if found > LEAST_MTU {
        return Line::ok(
            step,
            format!("packets with {found} bytes of UDP payload come through"),
        );
    }
    Line::warn(
        step,
        format!("nothing longer than {LEAST_MTU} bytes of UDP payload has come through"),
        "transfers work, but cost more: look for a tunnel (VPN, PPPoE) with a small MTU on the way, or much loss".to_owned(),
    )
}

fn millis(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

#[cfg(test)]
mod tests;
