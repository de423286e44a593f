//! New certificates for a connector, with its clients at work.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    thread,
};

use crate::{
    client::{self, End},
    daemon::Daemon,
    listener::Listener,
    pki::Issued,
    until,
    world::{UID, World},
};
use rustix::process::Signal;
use serde_json::Value;

/// Short requests without end, from a few clients; every failure ends the test.
pub fn load(opening: SocketAddr, stop: &AtomicBool, done: &AtomicUsize) {
    while !stop.load(Relaxed) {
        let mut tcp = client::connect(opening);
        client::echo(&mut tcp, &[7; 1024]);
        client::finish(&tcp);
        let rest = client::read_all(&tcp);
        assert_eq!((rest.bytes, rest.end), (0, End::Eof));
        done.fetch_add(1, Relaxed);
    }
}

/// Runs `body` beside the load, and says how many requests there were.
pub fn under_load(opening: SocketAddr, body: impl FnOnce()) -> usize {
    struct Stop<'a>(&'a AtomicBool);
    impl Drop for Stop<'_> {
        fn drop(&mut self) {
            self.0.store(true, Relaxed);
        }
    }
    let (stop, done) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| load(opening, &stop, &done));
        }
        let _stop = Stop(&stop);
        until("the load runs", || (done.load(Relaxed) > 8).then_some(()));
        body();
    });
    done.load(Relaxed)
}

/// The session of the UID, as the API shows it.
pub fn session(listener: &Listener) -> Value {
    listener.api.connector(UID).expect("a session")
}

/// Waits until the session of the UID shows this certificate.
pub fn wait_shown(listener: &Listener, issued: &Issued) -> Value {
    let fingerprint = issued.fingerprint();
    until("the session with the new certificate", || {
        let session = listener.api.connector(UID)?;
        (session["certificate_sha256"] == fingerprint).then_some(session)
    })
}

/// Waits until the UID has so many retired sessions.
pub fn wait_retired(listener: &Listener, count: usize) {
    until(&format!("{count} retired sessions"), || {
        (session(listener)["retired"] == count).then_some(())
    });
}

/// How many ERROR lines there are.
pub fn errors(daemon: &Daemon) -> usize {
    let lines = daemon.log().lines();
    lines.iter().filter(|line| line.is_error()).count()
}

/// Gives the connector a certificate, by its files.
pub fn renew(world: &World) -> Issued {
    let issued = world.site.ca.client(UID);
    world.site.issue(UID, &issued);
    issued
}

/// Makes the connector move, and waits for it.
pub fn rotate(world: &mut World, at_once: bool) {
    let issued = renew(world);
    if at_once {
        world.connector.signal(Signal::HUP);
    }
    wait_shown(&world.listener, &issued);
}
