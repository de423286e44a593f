//! What the service manager sees (sd_notify(3)), and reloads.

use rustix::process::Signal;
use serde_json::json;
use system_tests::{
    PATIENCE,
    connector::{self, Connector},
    daemon::Daemon,
    listener::{self, Listener},
    notify::Notify,
    peer::Peer,
    pki::Ca,
    site::Site,
    world::UID,
};

fn follow(daemon: &mut Daemon, notify: &Notify) {
    notify.wait("READY=1");
    notify.wait("WATCHDOG=1");
    daemon.signal(Signal::HUP);
    let message = notify.wait("RELOADING=1");
    assert!(message.contains("MONOTONIC_USEC="), "{message}");
    notify.wait("READY=1");
    notify.wait("WATCHDOG=1");
    daemon.signal(Signal::TERM);
    notify.wait("STOPPING=1");
    let status = daemon.wait_exit(PATIENCE);
    assert!(status.success(), "{status}");
}

#[test]
fn the_listener_tells_the_service_manager() {
    let site = Site::new();
    let notify = Notify::new(&site);
    let settings = [
        ("NOTIFY_SOCKET", notify.path.to_str().unwrap()),
        ("WATCHDOG_USEC", "300000"),
    ];
    let mut listener = Listener::with(&site, &settings);
    follow(&mut listener, &notify);
}

#[test]
fn the_connector_tells_the_service_manager() {
    let site = Site::new();
    let notify = Notify::new(&site);
    let listener = Listener::start(&site);
    site.issue(UID, &site.ca.client(UID));
    let mut command = connector::command(&site, UID, listener.quic, &json!({}));
    command
        .env("NOTIFY_SOCKET", &notify.path)
        .env("WATCHDOG_USEC", "300000");
    let mut connector = Connector::run(UID, command);
    connector.wait_session();
    follow(&mut connector, &notify);
}

/// A stopped data plane must not be fed for.
#[test]
fn without_a_watchdog_nothing_is_fed() {
    let site = Site::new();
    let notify = Notify::new(&site);
    let path = notify.path.to_str().unwrap().to_owned();
    let mut command = listener::command(&site, &[("NOTIFY_SOCKET", &path)]);
    command
        .env("WATCHDOG_PID", "1")
        .env("WATCHDOG_USEC", "1000");
    let mut listener = Listener::run(command);
    notify.wait("READY=1");
    listener.signal(Signal::TERM);
    let stopping = notify.wait("STOPPING=1");
    assert!(!stopping.contains("WATCHDOG"), "{stopping}");
}

#[test]
fn sighup_takes_a_new_ca_and_keeps_running_sessions() {
    let site = Site::new();
    let mut listener = Listener::start(&site);
    let _connector = Connector::start(&site, UID, listener.quic);
    let before = listener.api.wait_connected(UID);
    let other = Ca::root("another CA");
    let mut stranger = Peer::connect(&site, Some(other.client("device2")), listener.quic);
    assert!(stranger.hello().is_none());
    site.write("ca.crt", &format!("{}{}", site.ca.pem(), other.pem()));
    listener.signal(Signal::HUP);
    listener.wait_log(&["certificates reloaded"]);
    let mut friend = Peer::connect(&site, Some(other.client("device2")), listener.quic);
    assert_eq!(friend.hello().expect("a welcome")["uid"], "device2");
    let after = listener.api.connector(UID).unwrap();
    assert_eq!(before["session"], after["session"]);
}

#[test]
fn sighup_with_a_bad_file_keeps_the_old_ones() {
    let site = Site::new();
    let mut listener = Listener::start(&site);
    listener.allow("certificates not reloaded");
    for (file, content) in [("server.crt", "nonsense"), ("ca.crt", "")] {
        let good = std::fs::read_to_string(site.path(file)).unwrap();
        site.write(file, content);
        let mark = listener.log().mark();
        listener.signal(Signal::HUP);
        let line = listener.wait_log_after(mark, &["certificates not reloaded"]);
        assert!(line.has(&[file]), "{line}");
        let mut peer = Peer::connect(&site, Some(site.ca.client("device2")), listener.quic);
        assert!(peer.hello().is_some(), "{file}");
        drop(peer);
        listener.api.wait_gone("device2");
        site.write(file, &good);
    }
}
