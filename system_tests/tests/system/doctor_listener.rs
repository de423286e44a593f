//! `sw_listener doctor`: what it says of a listener that works, of each thing that it depends on, and of a connector.

use std::{
    fs,
    net::{TcpListener, UdpSocket},
};

use system_tests::{
    binaries,
    doctor::Report,
    listener::{self, Listener},
    pki::Ca,
    ports,
    scep::{Behaviour, Scep},
    site::{Site, set_mode},
    target::nobody,
    world::UID,
};

/// A folder with a certificate for a connector.
fn site() -> Site {
    let site = Site::new();
    site.issue(UID, &site.ca.client(UID));
    site
}

fn examine(site: &Site, settings: &[(&str, &str)]) -> Report {
    Report::of(&mut listener::command(site, settings), &[])
}

/// Whether the connector's certificate would be let in.
fn decide(site: &Site, settings: &[(&str, &str)]) -> Report {
    let file = site.text(&format!("{UID}.crt"));
    let mut command = listener::command(site, settings);
    Report::of(&mut command, &["--certificate", &file])
}

#[test]
fn all_is_well_before_a_listener_runs_and_beside_it() {
    let site = site();
    let (quic, api) = (ports::free(), ports::free());
    let (quic, api, state) = (quic.to_string(), api.to_string(), site.text("state"));
    let settings = [
        ("SWL_PORT", quic.as_str()),
        ("APIS_PORT", api.as_str()),
        ("SWL_STATE_DIR", state.as_str()),
        // What any limit of descriptors is enough for.
        ("SWL_MAX_STREAMS", "16"),
    ];
    let report = examine(&site, &settings);
    assert!(report.well, "{:?}", report.lines);
    for step in ["settings", "files", "dates", "clock", "limits", "lists"] {
        report.expect(step, "ok", &[]);
    }
    report.expect("udp", "ok", &["is free"]);
    report.expect("api", "ok", &["is free"]);
    report.expect("state", "ok", &["not there yet"]);
    report.skipped(&["crl", "ocsp", "scep"]);

    let running = Listener::with(&site, &settings);
    let report = examine(&site, &settings);
    assert!(report.well, "{:?}", report.lines);
    report.expect("udp", "ok", &["the running sw_listener"]);
    report.expect("api", "ok", &["the running sw_listener"]);
    report.expect("state", "ok", &["0 opening(s)"]);
    running.api.call("GET", "/healthz").ok();
    let left = fs::read_dir(site.path("state")).unwrap();
    let mut left = left.filter_map(|entry| entry.unwrap().file_name().into_string().ok());
    assert_eq!(left.find(|name| name.contains("doctor")), None);
}

#[test]
fn ports_that_others_have() {
    let site = site();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    // Takes connections and says nothing: the question ends by its own limit.
    let (quic, api) = (
        udp.local_addr().unwrap().port(),
        tcp.local_addr().unwrap().port(),
    );
    let (quic, api) = (quic.to_string(), api.to_string());
    let report = examine(&site, &[("SWL_PORT", &quic), ("APIS_PORT", &api)]);
    assert!(!report.well);
    report.expect("udp", "fail", &["in use", "ss -ulpn"]);
    report.expect("api", "fail", &["in use", "ss -tlpn"]);
}

#[test]
fn files_that_cannot_be_used() {
    let site = site();
    site.write("allow", "device1\nnot an entry at all\n");
    fs::create_dir(site.path("state")).unwrap();
    site.write("state/openings.json", "{");
    set_mode(&site.path("server.key"), 0o644);
    let settings = [
        ("SWL_ALLOW_LIST_PATH", site.text("allow")),
        ("SWL_STATE_DIR", site.text("state")),
        ("SWL_SERVER_NAMES", "elsewhere.example".to_owned()),
    ];
    let settings: Vec<_> = settings
        .iter()
        .map(|(key, value)| (*key, value.as_str()))
        .collect();
    let report = examine(&site, &settings);
    assert!(!report.well);
    report.expect("lists", "fail", &["allow", "line 2"]);
    report.expect("state", "fail", &["openings.json", "damaged"]);
    let files: Vec<_> = report.all("files").map(ToString::to_string).collect();
    assert!(
        files.iter().any(|line| line.contains("chmod 600")),
        "{files:?}"
    );
    assert!(
        files.iter().any(|line| line.contains("elsewhere.example")),
        "{files:?}"
    );
    report.skipped(&["clock", "crl"]);
    let report = decide(&site, &settings);
    report.skipped(&["decision"]);

    set_mode(&site.path("server.key"), 0o600);
    site.write("allow", "# nobody yet\n");
    let report = examine(&site, &settings[..1]);
    assert!(report.well, "{:?}", report.lines);
    report.expect("lists", "warn", &["no connector may come in"]);
}

#[test]
fn too_few_descriptors() {
    let site = site();
    let mut command = listener::limited(&site, "-n 64", &[]);
    let report = Report::of(&mut command, &[]);
    report.expect("limits", "warn", &["16 streams", "LimitNOFILE"]);
}

#[test]
fn settings_come_all_at_once() {
    let site = site();
    let report = examine(&site, &[("SWL_PORT", "x"), ("SWL_NONSENSE", "1")]);
    assert!(!report.well);
    assert_eq!(report.all("settings").count(), 2, "{:?}", report.lines);
    report.skipped(&["files", "udp", "scep"]);
}

#[test]
fn what_the_scep_server_says_of_a_connector() {
    let site = site();
    let scep = Scep::new(Scep::vouches(UID));
    let url = scep.url();
    let settings = [("SWL_SCEP_URL", url.as_str())];
    let report = decide(&site, &settings);
    assert!(report.well, "{:?}", report.lines);
    report.expect("decision", "ok", &["would be let in, as UID device1"]);
    for (behaviour, parts) in [
        (
            Behaviour::Answer(401, "{}".into()),
            ["[scep_refused]", "401"],
        ),
        (
            Behaviour::Answer(500, "{}".into()),
            ["500", "SCEP server's log"],
        ),
        (Scep::vouches("device2"), ["device2", "not the UID"]),
    ] {
        scep.behave(behaviour);
        let report = decide(&site, &settings);
        report.expect("decision", "fail", &parts);
        report.skipped(&["scep"]);
    }
    // Without a certificate, only whether it is there.
    scep.behave(Behaviour::Answer(401, "{}".into()));
    examine(&site, &settings).expect("scep", "ok", &["401"]);
    scep.behave(Behaviour::Answer(503, "{}".into()));
    examine(&site, &settings).expect("scep", "fail", &["503"]);
    let away = format!("http://{}/verify", nobody());
    examine(&site, &[("SWL_SCEP_URL", &away)]).expect("scep", "fail", &["no answer"]);
}

#[test]
fn other_reasons_against_a_connector() {
    let site = site();
    let report = decide(&site, &[("SWL_DENY", "device*")]);
    report.expect(
        "decision",
        "fail",
        &["denied_by_list", "device*", "the connector is told"],
    );
    site.issue(UID, &site.ca.expired_client(UID));
    let report = decide(&site, &[]);
    report.expect("decision", "fail", &["has expired"]);
    site.issue(UID, &Ca::root("another CA").client(UID));
    let report = decide(&site, &[]);
    report.expect("decision", "fail", &["no CA of the bundle"]);
    let mut command = listener::command(&site, &[]);
    let report = Report::of(&mut command, &["--certificate", &site.text("nowhere")]);
    report.expect("decision", "fail", &["nowhere"]);
}

/// With lists and certificates of `sw_listener pki`.
#[test]
fn revocation_lists() {
    let site = Site::new();
    let pki = |words: &[&str]| {
        let mut command = std::process::Command::new(binaries::folder().join("sw_listener"));
        command.current_dir(site.path("")).arg("pki").args(words);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{words:?}: {output:?}");
    };
    pki(&["init"]);
    pki(&["server", "localhost"]);
    pki(&["client", UID]);
    pki(&["client", "device2"]);
    pki(&["crl"]);
    let files = [
        "pki/server.crt",
        "pki/server.key",
        "pki/ca.crt",
        "pki/ca.crl",
    ]
    .map(|name| site.text(name));
    let [crt, key, ca, crl] = files.each_ref().map(String::as_str);
    let settings = [
        ("SWL_CERT_PATH", crt),
        ("SWL_KEY_PATH", key),
        ("SWL_CA_PATH", ca),
        ("SWL_CRL_PATHS", crl),
    ];
    let examine = |name: &str| {
        let file = site.text(&format!("pki/client-{name}.crt"));
        let mut command = listener::command(&site, &settings);
        Report::of(&mut command, &["--certificate", &file])
    };
    let report = examine(UID);
    report.expect("crl", "ok", &["0 revoked", "next update"]);
    report.expect("decision", "ok", &[UID]);
    pki(&["revoke", UID]);
    let report = examine(UID);
    report.expect("crl", "ok", &["1 revoked"]);
    report.expect("decision", "fail", &["revoked"]);
    examine("device2").expect("decision", "ok", &["device2"]);
    fs::write(site.path("pki/ca.crl"), "nonsense").unwrap();
    let report = examine(UID);
    let lines: Vec<_> = report
        .all("crl")
        .map(|line| line["outcome"].clone())
        .collect();
    assert_eq!(lines, ["fail", "warn"], "{:?}", report.lines);
    report.expect("decision", "fail", &["CRL"]);
}
