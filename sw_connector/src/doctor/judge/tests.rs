use std::io::ErrorKind;

use common::doctor::Outcome;

use super::*;
use crate::config::Flags;

fn address() -> SocketAddr {
    "192.0.2.1:11443".parse().unwrap()
}

fn config(more: &[(&str, &str)]) -> Config {
    let basic = [
        ("client_cert_path", "c"),
        ("client_key_path", "k"),
        ("ca_cert_path", "a"),
        ("server_name", "tunnel.example"),
    ];
    let all = basic.iter().chain(more);
    let set = all.map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    let flags = Flags {
        config: None,
        set: set.collect(),
    };
    Config::load(&flags, []).unwrap()
}

#[test]
fn names_and_addresses() {
    let name = Host::Name("tunnel.example".to_owned());
    let took = Duration::from_micros(1500);
    let two = Ok(vec![address(), "[2001:db8::5]:11443".parse().unwrap()]);
    let line = dns(&name, &two, took, 8);
    assert_eq!(line.outcome, Outcome::Ok);
    assert_eq!(
        line.detail,
        "tunnel.example → 192.0.2.1, 2001:db8::5 in 1.5 ms"
    );
    assert!(dns(&name, &two, took, 1).detail.contains("first 1"));
    for bad in [Ok(Vec::new()), Err("it cannot be resolved".to_owned())] {
        let line = dns(&name, &bad, took, 8);
        assert_eq!(line.outcome, Outcome::Fail);
        assert!(line.advice.unwrap().contains("resolv.conf"));
    }
}

#[test]
fn an_address_that_fails_matters_only_if_none_works() {
    let refused = |works| udp(address(), &Reach::NoPort, works);
    assert_eq!(refused(false).outcome, Outcome::Fail);
    assert_eq!(refused(true).outcome, Outcome::Warn);
    assert!(refused(false).advice.unwrap().contains("start sw_listener"));
    let way = Reach::NoWay(ErrorKind::NetworkUnreachable.into());
    assert!(
        udp(address(), &way, false)
            .advice
            .unwrap()
            .contains("routes")
    );
    assert_eq!(
        udp(address(), &Reach::Silence, false).outcome,
        Outcome::Warn
    );
    let error = || Handshake::Failed(DialError::NoAnswer(address()));
    assert_eq!(quic(address(), &error(), false).outcome, Outcome::Fail);
    assert_eq!(quic(address(), &error(), true).outcome, Outcome::Warn);
    assert_eq!(
        quic(address(), &Handshake::Tls(String::new()), false).outcome,
        Outcome::Ok
    );
}

#[test]
fn tls_says_whose_side_must_act() {
    let config = config(&[]);
    for (why, part) in [
        ("invalid peer certificate: UnknownIssuer", "ca_cert_path"),
        (
            "certificate not valid for name \"a\"; certificate is only valid for b",
            "server_name",
        ),
        (
            "invalid peer certificate: certificate expired: verification time 1",
            "listener's operator",
        ),
        (
            "invalid peer certificate: certificate not valid yet: x",
            "this machine's clock",
        ),
        (
            "the peer says: unknown_ca: our certificate is not from a CA that it trusts",
            "ca_path of the listener",
        ),
        (
            "the peer says: certificate_expired: our certificate has expired",
            "client_cert_path",
        ),
        ("the peer says: alert 80 \"\"", "listener's log"),
    ] {
        let line = tls(&Err(why.to_owned()), &config);
        assert_eq!(line.outcome, Outcome::Fail, "{why}");
        assert!(line.detail.contains(why), "{line:?}");
        let advice = line.advice.unwrap();
        assert!(advice.contains(part), "{why}: {advice}");
    }
}

#[test]
fn a_listener_of_1_x_is_no_failure_unless_it_is_not_wanted() {
    let why = "the peer says: no_application_protocol: it speaks none of our protocol versions";
    let outcome = |config| tls(&Err(why.to_owned()), &config).outcome;
    assert_eq!(outcome(config(&[])), Outcome::Warn);
    assert_eq!(
        outcome(config(&[("legacy_protocol", "false")])),
        Outcome::Fail
    );
}

#[test]
fn the_listeners_verdict() {
    let probed = |live| {
        let uid = "device1".parse().unwrap();
        let software = "2.0.0".to_owned();
        admission(&Admission::Probed(Probed {
            uid,
            live,
            software,
        }))
    };
    assert_eq!(probed(false).outcome, Outcome::Ok);
    assert!(probed(true).detail.contains("a session of it is live"));
    let closed = |code| admission(&Admission::Closed(Closed::ByPeer { code, detail: None }));
    assert_eq!(closed(CloseCode::ProtocolError).outcome, Outcome::Warn);
    for (code, part) in [
        (CloseCode::CertificateRevoked, "ask the operator of the CA"),
        (CloseCode::PolicyDenied, "doctor --certificate"),
        (CloseCode::VerifierUnavailable, "SCEP"),
        (CloseCode::Limit, "at its limit"),
    ] {
        let line = closed(code);
        assert_eq!(line.outcome, Outcome::Fail);
        let text = format!("{} {}", line.detail, line.advice.unwrap_or_default());
        assert!(text.contains(part), "{text}");
    }
    assert_eq!(admission(&Admission::Silent).outcome, Outcome::Fail);
}

#[test]
fn a_path_that_carries_the_least_is_warned_of() {
    assert_eq!(mtu(LEAST_MTU).outcome, Outcome::Warn);
    assert_eq!(mtu(1452).outcome, Outcome::Ok);
}
