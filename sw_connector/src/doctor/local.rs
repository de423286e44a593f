//! The steps on this machine: settings, files, dates, clock, UDP buffers.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::SystemTime,
};

use common::{
    config::Problems,
    doctor::{Line, Steps, certificates},
    session::quic::{self, BindError, UdpBuffers},
    tls::{CertificateFacts, Demands, Occasion, Role},
};
use time::OffsetDateTime;

use crate::{config::Config, material::Material};

/// The TLS side of a dial, if the files allow one.
pub(super) type Client = Option<Arc<Material>>;

/// Step `settings`, when they cannot be used.
pub(super) fn bad_settings(problems: &Problems) -> Vec<Line> {
    let problems = problems.0.iter();
    let line =
        |problem: &common::config::Problem| Line::fail("settings", problem.to_string(), None);
    problems.map(line).collect()
}

pub(super) async fn examine(config: &Config, steps: &Steps) -> Client {
    steps.tell_all(settings(config)).await;
    let demands = Demands {
        role: Role::Connector,
        // A certificate that is over is told by its own step, and shown to the listener all the same.
        occasion: Occasion::Start,
        names: &[],
        tls: &config.tls,
    };
    let now = SystemTime::now();
    let loaded = config.files.load(&demands, now);
    steps.tell_all(certificates::files(&loaded)).await;
    let now = OffsetDateTime::from(now);
    match &loaded {
        Ok(loaded) => {
            let items = loaded.items(&config.files);
            let days = config.expiry_warning_days;
            steps.tell_all(certificates::dates(&items, days, now)).await;
            let facts: Vec<CertificateFacts> =
                [loaded.chain_facts.as_slice(), &loaded.ca_facts].concat();
            steps.tell(certificates::clock(&facts, now)).await;
        }
        Err(_) => {
            steps
                .skip(&["dates", "clock"], "the certificates cannot be used")
                .await
        }
    }
    let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let bound = quic::bind(any, config.udp_buffer).map(|(_, buffers)| buffers);
    steps.tell(buffers(bound)).await;
    client(config)
}

/// The TLS side as a dial makes it, but without protocol 1: a 1.x listener takes every connection for a session.
fn client(config: &Config) -> Client {
    let mut config = config.clone();
    config.legacy_protocol = false;
    let loaded = Material::load(&config, Occasion::Start);
    loaded.ok().map(|(material, _)| Arc::new(material))
}

/// The settings with which listeners are dialled: packets long enough to see whether those of an ordinary network come
/// through.
pub(super) fn to_dial(config: &Config) -> Config {
    let mut config = config.clone();
    config.transport.max_udp_payload = config.transport.max_udp_payload.min(ETHERNET);
    config
}

/// UDP payload of 1,500 bytes over IPv6.
const ETHERNET: u16 = 1452;

/// Step `settings`, when they can be used.
fn settings(config: &Config) -> Vec<Line> {
    let step = "settings";
    let mut lines = vec![Line::ok(
        step,
        format!("{} listener(s)", config.listeners.len()),
    )];
    if config.listener_checks.insecure_skip {
        lines.push(Line::warn(
            step,
            "insecure_skip_server_verification is set: whoever answers is taken for the listener",
            "take it out, and put the listener's CA into ca_cert_path".to_owned(),
        ));
    }
    lines
}

/// Step `buffers`: a UDP socket, and what the kernel gives it.
fn buffers(bound: Result<UdpBuffers, BindError>) -> Line {
    let step = "buffers";
    let buffers = match bound {
        Ok(buffers) => buffers,
        Err(error) => {
            let advice = "look at limits and filters of this process (ulimit -n, seccomp, RestrictAddressFamilies)";
            return Line::fail(step, error.to_string(), advice.to_owned());
        }
    };
    match buffers.advice() {
        Some(advice) => Line::warn(step, advice, None),
        None => Line::ok(step, format!("UDP buffers of {} bytes", buffers.wanted)),
    }
}

#[cfg(test)]
mod tests {
    use common::doctor::Outcome;

    use super::*;

    #[test]
    fn small_buffers_are_a_warning_and_no_socket_is_a_failure() {
        let given = |receive| UdpBuffers {
            wanted: 8,
            receive,
            send: 8,
        };
        assert_eq!(buffers(Ok(given(8))).outcome, Outcome::Ok);
        let small = buffers(Ok(given(4)));
        assert_eq!(small.outcome, Outcome::Warn);
        assert!(small.detail.contains("sysctl"), "{small:?}");
        let none = buffers(Err(BindError {
            address: ([0, 0, 0, 0], 0).into(),
            source: std::io::ErrorKind::PermissionDenied.into(),
        }));
        assert_eq!(none.outcome, Outcome::Fail);
    }
}
