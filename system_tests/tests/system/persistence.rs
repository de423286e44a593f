//! Openings outlive the listener: fault 12 (everything was lost at a restart).

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
};

use rustix::process::Signal;
use serde_json::json;
use system_tests::{
    PATIENCE, client,
    connector::Connector,
    daemon::Daemon,
    listener::{self, Listener},
    ports,
    site::Site,
    target::Target,
    world::UID,
};

/// A site with a state folder, and the settings that name it.
struct Kept {
    site: Site,
    port: String,
    state: String,
}

impl Kept {
    fn new() -> Self {
        let site = Site::new();
        let state = site.text("state");
        let port = ports::free().to_string();
        Self { site, port, state }
    }

    fn settings(&self) -> [(&str, &str); 2] {
        [("SWL_PORT", &self.port), ("SWL_STATE_DIR", &self.state)]
    }

    fn listener(&self) -> Listener {
        Listener::with(&self.site, &self.settings())
    }

    fn connector(&self, listener: &Listener) -> Connector {
        let connector = Connector::start(&self.site, UID, listener.quic);
        listener.api.wait_connected(UID);
        connector
    }

    /// Starts a listener that must refuse to, for this reason.
    fn expect_refusal(&self, reason: &str) {
        let command = listener::command(&self.site, &self.settings());
        let mut daemon = Daemon::start("sw_listener", command);
        let status = daemon.wait_exit(PATIENCE);
        assert!(!status.success(), "{status}");
        daemon.wait_log(&[reason]);
    }

    fn openings_file(&self) -> std::path::PathBuf {
        self.site.path("state/openings.json")
    }
}

fn at(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

#[test]
fn openings_survive_every_kind_of_end() {
    let kept = Kept::new();
    let target = Target::greeter("hello");
    let mut listener = kept.listener();
    let mut connector = kept.connector(&listener);
    let (port, gone) = (ports::free(), ports::free());
    let first = listener.api.open(UID, port, target.address).ok();
    listener.api.open(UID, gone, target.address).ok();
    listener.api.close(gone).ok();
    for signal in [Signal::KILL, Signal::TERM] {
        connector.signal(Signal::TERM);
        connector.wait_exit(PATIENCE);
        listener.signal(signal);
        listener.wait_exit(PATIENCE);
        listener = kept.listener();
        let view = listener.api.opening(port).expect("the opening is back");
        assert_eq!(
            (&view["id"], &view["state"]),
            (&first["id"], &json!("waiting"))
        );
        assert_eq!(listener.api.list().len(), 1);
        client::wait_refused(at(port));
        connector = kept.connector(&listener);
        listener.api.wait_state(port, "listening");
        client::expect(&mut client::connect(at(port)), b"hello");
    }
}

#[test]
fn an_opening_is_kept_before_its_answer_goes_out() {
    let kept = Kept::new();
    let target = Target::echo();
    let mut listener = kept.listener();
    let _connector = kept.connector(&listener);
    let ports: Vec<_> = (0..5).map(|_| ports::free()).collect();
    for port in &ports {
        listener.api.open(UID, *port, target.address).ok();
    }
    listener.kill();
    let listener = kept.listener();
    let mut found: Vec<_> = listener
        .api
        .list()
        .iter()
        .map(|v| v["port"].clone())
        .collect();
    let mut expected: Vec<_> = ports.iter().map(|port| json!(port)).collect();
    found.sort_by_key(|port| port.as_u64());
    expected.sort_by_key(|port| port.as_u64());
    assert_eq!(found, expected);
}

#[test]
fn files_that_cannot_be_understood_are_refused_and_left_alone() {
    let kept = Kept::new();
    fs::create_dir(kept.site.path("state")).unwrap();
    let future = r#"{"format": 99, "openings": {"new": "things"}}"#;
    for (content, reason) in [
        ("{\"format\": 1, \"open", "is damaged"),
        ("", "is damaged"),
        ("not json", "is damaged"),
        (r#"{"format": 1, "openings": [{"port": 1}]}"#, "is damaged"),
        (future, "has format 99"),
    ] {
        fs::write(kept.openings_file(), content).unwrap();
        kept.expect_refusal(reason);
        assert_eq!(fs::read_to_string(kept.openings_file()).unwrap(), content);
    }
    fs::remove_file(kept.openings_file()).unwrap();
    assert!(kept.listener().api.list().is_empty());
}

/// A folder stands where the temporary file should: nobody can write there, not even root.
#[test]
fn a_change_that_cannot_be_kept_is_refused_as_a_whole() {
    let kept = Kept::new();
    let target = Target::greeter("hello");
    let mut listener = kept.listener();
    listener.allow("cannot be kept");
    let _connector = kept.connector(&listener);
    let (kept_port, other) = (ports::free(), ports::free());
    listener.api.open(UID, kept_port, target.address).ok();
    let before = fs::read_to_string(kept.openings_file()).unwrap();
    let blocked = kept.site.path("state/openings.json.new");
    fs::create_dir(&blocked).unwrap();

    let reply = listener.api.open(UID, other, target.address);
    reply.problem(507, "state_not_writable");
    client::wait_refused(at(other));
    listener
        .api
        .close(kept_port)
        .problem(507, "state_not_writable");
    client::expect(&mut client::connect(at(kept_port)), b"hello");
    assert_eq!(listener.api.list().len(), 1);
    assert_eq!(fs::read_to_string(kept.openings_file()).unwrap(), before);

    fs::remove_dir(&blocked).unwrap();
    listener.api.open(UID, other, target.address).ok();
    listener.api.close(kept_port).ok();
    assert_eq!(listener.api.list().len(), 1);
}

#[test]
fn a_state_folder_has_one_listener() {
    let kept = Kept::new();
    let _first = kept.listener();
    let other_port = ports::free().to_string();
    let settings = [
        ("SWL_PORT", other_port.as_str()),
        ("SWL_STATE_DIR", &kept.state),
    ];
    let mut second = Daemon::start("sw_listener", listener::command(&kept.site, &settings));
    assert!(!second.wait_exit(PATIENCE).success());
    second.wait_log(&["another listener"]);
}

#[test]
fn a_port_that_was_taken_meanwhile_is_tried_until_it_is_free() {
    let kept = Kept::new();
    let target = Target::greeter("hello");
    let mut listener = kept.listener();
    let mut connector = kept.connector(&listener);
    let port = ports::free();
    listener.api.open(UID, port, target.address).ok();
    connector.kill();
    listener.kill();
    let thief = TcpListener::bind(at(port)).unwrap();
    let listener = kept.listener();
    let _connector = kept.connector(&listener);
    let view = listener.api.wait_state(port, "failed");
    assert!(view["error"].as_str().unwrap().contains("in use"), "{view}");
    let line = listener.wait_log(&["opening cannot listen", &port.to_string()]);
    assert_eq!(line.level(), Some("WARN"), "{line}");
    drop(thief);
    listener.api.wait_state(port, "listening");
    client::expect(&mut client::connect(at(port)), b"hello");
}

#[test]
fn without_a_state_folder_the_listener_says_so_once() {
    let site = Site::new();
    let listener = Listener::start(&site);
    assert_eq!(listener.log().find(&["gone after a restart"]).len(), 1);
}
