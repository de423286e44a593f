//! Certificate files that change under running daemons, in all the ways in which they are replaced.

use std::{
    os::unix::fs::symlink,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use system_tests::{
    connector::Connector,
    listener::Listener,
    peer::Peer,
    pki::{Ca, Issued},
    site::Site,
    target::Target,
    until,
    world::{UID, World},
};

use system_tests::rotation::{errors, renew, session, under_load, wait_shown};

/// The leaf that the listener shows.
fn shown_by(site: &Site, listener: &Listener) -> Vec<u8> {
    let peer = Peer::connect(site, Some(site.ca.client("somebody")), listener.quic);
    peer.listener_leaf()
}

fn wait_listener_shows(site: &Site, listener: &Listener, issued: &Issued) {
    until("the listener shows its new certificate", || {
        (shown_by(site, listener) == issued.chain[0].to_vec()).then_some(())
    });
}

#[test]
fn the_listeners_certificate_is_replaced_in_every_way() {
    let site = Site::new();
    // As Kubernetes lays out a secret.
    let secret = |version: &str, issued: &Issued| {
        std::fs::create_dir(site.path(version)).unwrap();
        site.write(&format!("{version}/tls.crt"), &issued.chain_pem());
        site.write(&format!("{version}/tls.key"), &issued.key_pem());
    };
    secret("..v1", &site.ca.server());
    symlink("..v1", site.path("..data")).unwrap();
    let (certificate, key) = (site.text("tls.crt"), site.text("tls.key"));
    symlink("..data/tls.crt", &certificate).unwrap();
    symlink("..data/tls.key", &key).unwrap();
    let settings = [
        ("SWL_CERT_PATH", certificate.as_str()),
        ("SWL_KEY_PATH", key.as_str()),
    ];
    let listener = Listener::with(&site, &settings);
    let connector = Connector::start(&site, UID, listener.quic);
    listener.api.wait_connected(UID);
    let world = World {
        connector,
        listener,
        site,
    };
    let (site, listener) = (&world.site, &world.listener);
    let echo = Target::echo();
    let before = session(listener);
    under_load(world.open(echo.address), || {
        let issued = site.ca.server();
        secret_v2(site, &issued);
        symlink("..v2", site.path("..next")).unwrap();
        std::fs::rename(site.path("..next"), site.path("..data")).unwrap();
        wait_listener_shows(site, listener, &issued);

        // In place, one file after the other.
        let issued = site.ca.server();
        site.issue("..v2/tls", &issued);
        wait_listener_shows(site, listener, &issued);

        // By renames over the links.
        let issued = site.ca.server();
        site.issue("new", &issued);
        std::fs::rename(site.path("new.crt"), site.path("tls.crt")).unwrap();
        std::fs::rename(site.path("new.key"), site.path("tls.key")).unwrap();
        wait_listener_shows(site, listener, &issued);
    });
    assert_eq!(before["session"], session(listener)["session"]);
}

fn secret_v2(site: &Site, issued: &Issued) {
    std::fs::create_dir(site.path("..v2")).unwrap();
    site.issue("..v2/tls", issued);
}

#[test]
fn a_pair_that_is_written_slowly_alarms_nobody() {
    let world = World::new();
    let (site, listener) = (&world.site, &world.listener);
    let issued = site.ca.server();
    site.write("server.crt", &issued.chain_pem());
    // Long enough for the listener to have tried the half of it.
    let began = Instant::now();
    until("time passes", || {
        shown_by(site, listener);
        (began.elapsed() > Duration::from_secs(2)).then_some(())
    });
    site.write("server.key", &issued.key_pem());
    wait_listener_shows(site, listener, &issued);
    listener.wait_log(&["certificates reloaded"]);
    assert_eq!(errors(listener), 0);
}

#[test]
fn bad_files_keep_the_old_in_force_and_are_named_once() {
    let mut world = World::new();
    world.listener.allow("certificates not reloaded");
    world.connector.allow("certificate files cannot be used");
    let before = session(&world.listener);
    world.site.write("server.crt", "nonsense");
    world.site.write(&format!("{UID}.crt"), "nonsense");
    let line = world.listener.wait_log(&["certificates not reloaded"]);
    assert!(
        line.is_error() && line.has(&["server.crt", "PEM"]),
        "{line}"
    );
    let line = world.connector.wait_log(&["cannot be used"]);
    assert!(
        line.is_error() && line.has(&["device1.crt", "PEM"]),
        "{line}"
    );
    // The old ones serve a new session.
    let site = &world.site;
    let mut peer = Peer::connect(site, Some(site.ca.client("device2")), world.listener.quic);
    assert_eq!(peer.hello().expect("a welcome")["uid"], "device2");
    let good = site.ca.server();
    site.issue("server", &good);
    wait_listener_shows(site, &world.listener, &good);
    let issued = renew(&world);
    let after = wait_shown(&world.listener, &issued);
    assert_ne!(before["session"], after["session"]);
    assert_eq!((errors(&world.listener), errors(&world.connector)), (1, 1));
}

#[test]
fn a_new_ca_alone_moves_no_session() {
    let mut world = World::new();
    let before = session(&world.listener);
    let both = format!("{}{}", world.site.ca.pem(), Ca::root("another CA").pem());
    world.site.write("ca.crt", &both);
    let line = world.connector.wait_log(&["CA bundle has changed"]);
    assert_eq!(line.level(), Some("INFO"), "{line}");
    let line = world.listener.wait_log(&["certificates reloaded"]);
    assert!(line.has(&["\"other_authorities\":true"]), "{line}");
    world.connector.signal(Signal::HUP);
    world.connector.wait_log(&["the same as before"]);
    assert_eq!(before["session"], session(&world.listener)["session"]);
    assert!(world.listener.log().find(&["hands over"]).is_empty());
}
