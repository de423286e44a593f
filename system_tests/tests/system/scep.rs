//! The SCEP server's word on a certificate: fault 9, and the fail matrix.

use system_tests::{
    PATIENCE,
    connector::Connector,
    listener::Listener,
    peer::Peer,
    scep::{Behaviour, Scep},
    site::Site,
    target::nobody,
    world::UID,
};

/// Numbers of close codes.
const POLICY_DENIED: u64 = 0x5704;
const VERIFIER_UNAVAILABLE: u64 = 0x5705;

struct Checked {
    listener: Listener,
    scep: Scep,
    site: Site,
}

impl Checked {
    fn new(behaviour: Behaviour) -> Self {
        let site = Site::new();
        let scep = Scep::new(behaviour);
        let listener = Listener::with(&site, &[("SWL_SCEP_URL", &scep.url())]);
        Self {
            listener,
            scep,
            site,
        }
    }

    /// What a connector of this UID gets: a close code, or nothing with a session.
    fn verdict(&self) -> Option<u64> {
        let certificate = self.site.ca.client(UID);
        let mut peer = Peer::connect(&self.site, Some(certificate), self.listener.quic);
        match peer.hello() {
            Some(welcome) => {
                assert_eq!(welcome["uid"], UID);
                drop(peer);
                self.listener.api.wait_gone(UID);
                None
            }
            None => Some(peer.close_code()),
        }
    }
}

#[test]
fn only_the_right_uid_gives_a_session() {
    let mut checked = Checked::new(Scep::vouches(UID));
    checked.listener.allow("scep_other_uid");
    assert_eq!(checked.verdict(), None);
    for other in ["device2", "", "Device1", "device1 ", "DEVICE1"] {
        checked.scep.behave(Scep::vouches(other));
        assert_eq!(checked.verdict(), Some(POLICY_DENIED), "{other:?}");
    }
    checked
        .listener
        .wait_log(&["session refused", "ERROR", "device2", "not the UID"]);
    checked.scep.behave(Behaviour::Answer(401, "{}".into()));
    assert_eq!(checked.verdict(), Some(POLICY_DENIED));
    checked.listener.wait_log(&["session refused", "401"]);
    assert!(checked.listener.api.connectors().is_empty());
    checked.scep.behave(Scep::vouches(UID));
    assert_eq!(checked.verdict(), None);
}

/// At a handshake it was an ERROR, on a live session a WARN.
#[test]
fn a_live_session_of_somebody_else_ends_with_an_alarm() {
    let site = Site::new();
    let scep = Scep::new(Scep::vouches(UID));
    let settings = [("SWL_SCEP_URL", &*scep.url()), ("SWL_RECHECK_SECONDS", "5")];
    let mut listener = Listener::with(&site, &settings);
    listener.allow("scep_other_uid");
    let mut peer = Peer::connect(&site, Some(site.ca.client(UID)), listener.quic);
    peer.hello().expect("a welcome");
    scep.behave(Scep::vouches("device2"));
    assert_eq!(peer.close_code(), POLICY_DENIED);
    let line = listener.wait_log(&["the session is closed", "device2"]);
    assert_eq!(line.level(), Some("ERROR"), "{line}");
}

#[test]
fn a_recheck_that_comes_late_is_said_at_the_start() {
    for (seconds, said) in [("60", false), ("61", true)] {
        let listener = Listener::with(&Site::new(), &[("SWL_RECHECK_SECONDS", seconds)]);
        let lines = listener.log().find(&["recheck_seconds is above 60"]);
        assert_eq!(!lines.is_empty(), said, "{seconds}");
    }
}

/// Whatever says nothing about the certificate lets nobody in.
#[test]
fn what_is_no_verdict_is_no_permission() {
    let checked = Checked::new(Behaviour::Garbage);
    let elsewhere = Scep::new(Scep::vouches(UID));
    let vouched = r#"{"uid": "device1"}"#;
    let long = format!(r#"{{"uid": "device1", "x": "{}"}}"#, "x".repeat(100_000));
    for behaviour in [
        Behaviour::Garbage,
        Behaviour::Endless,
        Behaviour::Redirect(elsewhere.url()),
        Behaviour::Answer(500, vouched.into()),
        Behaviour::Answer(404, vouched.into()),
        Behaviour::Answer(204, String::new()),
        Behaviour::Answer(200, String::new()),
        Behaviour::Answer(200, "[]".into()),
        Behaviour::Answer(200, "{}".into()),
        Behaviour::Answer(200, r#"{"uid": null}"#.into()),
        Behaviour::Answer(200, r#"{"uid": ["device1"]}"#.into()),
        Behaviour::Answer(200, long),
    ] {
        let shown = format!("{behaviour:?}")
            .chars()
            .take(80)
            .collect::<String>();
        checked.scep.behave(behaviour);
        assert_eq!(checked.verdict(), Some(VERIFIER_UNAVAILABLE), "{shown}");
    }
    assert!(elsewhere.questions().is_empty(), "a redirect was followed");
    assert!(checked.listener.api.connectors().is_empty());
}

/// Fault 9: no time limit.
#[test]
fn a_scep_server_that_hangs_or_is_away_holds_nobody_up_for_long() {
    let checked = Checked::new(Behaviour::Hang);
    assert_eq!(checked.verdict(), Some(VERIFIER_UNAVAILABLE));
    let site = Site::new();
    let away = format!("http://{}/verify", nobody());
    let listener = Listener::with(&site, &[("SWL_SCEP_URL", &away)]);
    let certificate = site.ca.client(UID);
    let mut peer = Peer::connect(&site, Some(certificate), listener.quic);
    assert!(peer.hello().is_none());
    assert_eq!(peer.close_code(), VERIFIER_UNAVAILABLE);
}

#[test]
fn the_connector_logs_which_kind_it_was_and_comes_back() {
    let checked = Checked::new(Behaviour::Answer(500, "{}".into()));
    let mut connector = Connector::start(&checked.site, UID, checked.listener.quic);
    let line = connector.wait_log(&["no session", "could not check the certificate"]);
    assert_eq!(line.level(), Some("WARN"), "{line}");
    checked.scep.behave(Scep::vouches(UID));
    connector.wait_session();
    connector.stop();
    checked.listener.api.wait_gone(UID);
    checked.scep.behave(Behaviour::Answer(401, "{}".into()));
    let connector = Connector::start(&checked.site, UID, checked.listener.quic);
    connector.wait_log(&["no session", "(401): ask the operator"]);
}

/// The header is what procube-open/scep reads: the leaf as PEM, every byte but letters and digits percent-encoded.
#[test]
fn the_leaf_travels_percent_encoded_in_the_header() {
    let checked = Checked::new(Scep::vouches(UID));
    let issued = checked
        .site
        .ca
        .client(UID)
        .followed_by(checked.site.ca.der());
    let leaf = issued.chain[0].clone();
    let mut peer = Peer::connect(&checked.site, Some(issued), checked.listener.quic);
    peer.hello().expect("a welcome");
    let questions = checked.scep.questions();
    let [question] = questions.as_slice() else {
        panic!("one question expected, not {questions:?}");
    };
    assert!(
        question.starts_with("GET /api/cert/verify HTTP/1.1\r\n"),
        "{question}"
    );
    let header = question.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("X-Mtls-Clientcert")
            .then_some(value)
    });
    let decoded = percent_decode(header.expect("the header"));
    assert!(
        decoded.starts_with("-----BEGIN CERTIFICATE-----\n"),
        "{decoded}"
    );
    let parsed = pem::parse_many(&decoded).unwrap();
    assert_eq!(parsed.len(), 1, "only the leaf");
    assert_eq!(parsed[0].contents(), leaf.as_ref());
}

fn percent_decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                let digits = std::str::from_utf8(&digits).unwrap();
                bytes.push(u8::from_str_radix(digits, 16).unwrap());
            }
            letter => {
                assert!(
                    letter.is_ascii_alphanumeric(),
                    "{} as it is",
                    char::from(letter)
                );
                bytes.push(letter);
            }
        }
    }
    String::from_utf8(bytes).unwrap()
}

/// Fault 9: proxy variables were honoured.
#[test]
fn proxy_variables_do_not_divert_the_question() {
    let proxy = Scep::new(Scep::vouches(UID));
    let site = Site::new();
    let scep = Scep::new(Behaviour::Answer(401, "{}".into()));
    let through = format!("http://{}", proxy.address());
    let settings = [
        ("SWL_SCEP_URL", scep.url()),
        ("http_proxy", through.clone()),
        ("HTTP_PROXY", through.clone()),
        ("ALL_PROXY", through),
    ];
    let settings: Vec<_> = settings
        .iter()
        .map(|(key, value)| (*key, value.as_str()))
        .collect();
    let listener = Listener::with(&site, &settings);
    let connector = Connector::start(&site, UID, listener.quic);
    connector.wait_log(&["(401): ask the operator"]);
    assert!(proxy.questions().is_empty());
    assert_eq!(scep.questions().len(), 1);
}

/// Many sessions wait for a slow server; the API answers meanwhile.
#[test]
fn a_slow_server_does_not_hold_up_the_api() {
    let checked = Checked::new(Behaviour::Hang);
    let peers: Vec<_> = (0..20)
        .map(|n| {
            let certificate = checked.site.ca.client(&format!("device{n}"));
            Peer::connect(&checked.site, Some(certificate), checked.listener.quic)
        })
        .collect();
    system_tests::until_within(PATIENCE, "all questions are asked", || {
        (checked.scep.questions().len() == 20).then_some(())
    });
    checked.listener.api.call("GET", "/healthz").ok();
    assert!(checked.listener.api.connectors().is_empty());
    for peer in peers {
        assert_eq!(peer.close_code(), VERIFIER_UNAVAILABLE);
    }
}
