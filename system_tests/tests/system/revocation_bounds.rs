//! What bad servers may cost the listener: memory and time are bounded, and others go on.

use std::time::{Duration, Instant};

use system_tests::{
    connector::Connector,
    door::{Door, UNAVAILABLE},
    download::Download,
    live::Live,
    peer::Peer,
    scep::{Behaviour, Scep},
    site::Site,
    until,
    web::Web,
    world::UID,
};

/// What the listener may use at most: a CRL may have 32 MiB, and its room doubles while it grows. An answer without a
/// bound would reach it within a second.
const MEMORY: u64 = 192 << 20;

/// The most memory that was seen until `over`.
fn most(door: &Door, mut over: impl FnMut() -> bool) -> u64 {
    let mut most = 0;
    until("it is over", || {
        most = most.max(door.listener.memory());
        over().then_some(())
    });
    most
}

#[test]
fn an_endless_crl_costs_bounded_memory_and_holds_nobody_up() {
    let site = Site::new();
    let (mine, list) = (site.ca.client(UID), site.ca.crl(&[]));
    site.write("list.crl", &list);
    let web = Web::new(Behaviour::Endless);
    let url = web.at("/ca.crl");
    let settings = [("SWL_CRL_PATHS", "list.crl"), ("SWL_CRL_URLS", &url)];
    let door = Door::new(site, &settings);
    let most = most(&door, || {
        door.admits(UID, &mine);
        // More than one, as it is tried again.
        web.questions().len() >= 2 && !door.listener.log().find(&["CRLs not taken"]).is_empty()
    });
    door.listener.wait_log(&["CRLs not taken", "longer than"]);
    assert!(most < MEMORY, "{most} bytes");
}

#[test]
fn endless_answers_about_certificates_cost_bounded_memory() {
    let web = Web::new(Behaviour::Endless);
    let (scep, ocsp) = (web.at("/scep"), web.at("/ocsp"));
    let door = Door::new(
        Site::new(),
        &[
            ("SWL_SCEP_URL", &scep),
            ("SWL_OCSP", "leaf"),
            ("SWL_OCSP_URL", &ocsp),
        ],
    );
    let peers: Vec<_> = (0..40)
        .map(|number| {
            let issued = door.site.ca.client(&format!("device{number}"));
            Peer::connect(&door.site, Some(issued), door.listener.quic)
        })
        .collect();
    let most = most(&door, || {
        door.listener.log().find(&["session refused"]).len() == peers.len()
    });
    assert!(most < MEMORY, "{most} bytes");
    let codes = peers.iter().map(Peer::close_code);
    assert!(codes.into_iter().all(|code| code == UNAVAILABLE));
}

/// Questions that hang take 5 s, and neither new sessions nor live ones wait for those of others.
#[test]
fn others_come_in_and_go_on_while_questions_hang() {
    let scep = Scep::new(Scep::vouches(UID));
    let url = scep.url();
    let live = Live::start(Site::new(), &[("SWL_SCEP_URL", &url)]);
    let before = scep.questions().len();
    scep.behave(Behaviour::Hang);
    let began = Instant::now();
    let hanging: Vec<_> = (0..40)
        .map(|number| {
            let issued = live.site.ca.client(&format!("hanging{number}"));
            Peer::connect(&live.site, Some(issued), live.listener.quic)
        })
        .collect();
    until("all have been asked about", || {
        (scep.questions().len() >= before + hanging.len()).then_some(())
    });
    scep.behave(Scep::vouches("other"));
    let _connector = Connector::start(&live.site, "other", live.listener.quic);
    live.listener.api.wait_connected("other");
    let another = Download::start(&live.listener, "other");
    assert!(another.runs() && live.goes_on());
    for peer in hanging {
        assert_eq!(peer.close_code(), UNAVAILABLE);
    }
    let took = began.elapsed();
    assert!(
        took < Duration::from_secs(15),
        "the last one after {took:?}"
    );
    assert!(another.runs() && live.goes_on());
}

/// What a slow CRL server is asked for holds nobody up whose CA's list is there.
#[test]
fn a_slow_crl_server_holds_nobody_up() {
    for behaviour in [Behaviour::Hang, Behaviour::Drip] {
        let web = Web::new(behaviour);
        let url = web.at("/ca.crl");
        let site = Site::new();
        let (mine, list) = (site.ca.client(UID), site.ca.crl(&[]));
        site.write("list.crl", &list);
        let settings = [("SWL_CRL_PATHS", "list.crl"), ("SWL_CRL_URLS", &url)];
        let door = Door::new(site, &settings);
        until("it is asked", || {
            (!web.questions().is_empty()).then_some(())
        });
        door.admits(UID, &mine);
        // It was still waiting for the list.
        assert!(door.listener.log().find(&["CRLs not taken"]).is_empty());
    }
}
