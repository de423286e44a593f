//! Which files there are, who may read them, and what is never overwritten.

use super::*;

#[test]
fn modes_are_narrow() {
    let site = Site::with_ca();
    site.run(&["client", "a"]).unwrap();
    assert_eq!(mode(&site.dir()), 0o700);
    for (name, expected) in [
        ("ca.key", 0o600),
        ("client-a.key", 0o600),
        ("ca.crt", 0o644),
        ("client-a.crt", 0o644),
    ] {
        assert_eq!(mode(&site.file(name)), expected, "{name}");
    }
}

#[test]
fn nothing_temporary_is_left() {
    let site = Site::with_ca();
    site.run(&["client", "a"]).unwrap();
    site.run(&["client", "a"]).unwrap_err();
    site.run(&["client", "a", "--force"]).unwrap();
    assert_eq!(
        site.names(),
        [
            ".lock",
            "ca.crt",
            "ca.key",
            "client-a.crt",
            "client-a.key",
            "issued.tsv"
        ]
    );
}

#[test]
fn a_ca_is_never_overwritten() {
    let site = Site::with_ca();
    let before = (
        site.text("ca.crt"),
        site.text("ca.key"),
        site.text("issued.tsv"),
    );
    let error = site.run(&["init"]).unwrap_err();
    assert!(
        matches!(&error, PkiError::Store(StoreError::CaExists { path }) if *path == site.file("ca.crt"))
    );
    fs::remove_file(site.file("ca.crt")).unwrap();
    let error = site.run(&["init"]).unwrap_err();
    assert!(error.to_string().contains("ca.key"), "{error}");
    fs::write(site.file("ca.crt"), &before.0).unwrap();
    assert_eq!(
        before,
        (
            site.text("ca.crt"),
            site.text("ca.key"),
            site.text("issued.tsv")
        )
    );
}

#[test]
fn certificates_are_overwritten_with_force_alone() {
    let site = Site::with_ca();
    let first = site.run(&["server", "localhost"]).unwrap();
    assert!(!first.contains("replaces"));
    let before = (site.text("server.crt"), site.text("server.key"));
    let error = site.run(&["server", "localhost"]).unwrap_err();
    assert!(
        error.to_string().contains("server.crt") && error.to_string().contains("--force"),
        "{error}"
    );
    assert_eq!(before, (site.text("server.crt"), site.text("server.key")));
    let text = site.run(&["server", "localhost", "--force"]).unwrap();
    assert!(
        text.contains("still valid") && text.contains("issued.tsv"),
        "{text}"
    );
    assert_ne!(before, (site.text("server.crt"), site.text("server.key")));
    verify_server(&site, "server.crt", "localhost").unwrap();
}

/// What a crash between the two renames leaves.
#[test]
fn a_key_without_a_certificate_is_not_overwritten_either() {
    let site = Site::with_ca();
    fs::write(site.file("server.key"), "precious").unwrap();
    let error = site.run(&["server", "localhost"]).unwrap_err();
    assert!(error.to_string().contains("server.key"), "{error}");
    assert_eq!(site.text("server.key"), "precious");
    site.run(&["server", "localhost", "--force"]).unwrap();
    assert_eq!(mode(&site.file("server.key")), 0o600);
}

#[test]
fn two_runs_at_once_make_one_ca() {
    let site = Site::new();
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let runs: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| site.run(&["init"])))
            .collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert_eq!(site.names(), [".lock", "ca.crt", "ca.key", "issued.tsv"]);
    site.run(&["client", "a"]).unwrap();
}

#[test]
fn names_that_leave_the_folder_are_refused() {
    for words in [["client", "../x"], ["client", "/tmp/x"], ["server", "../x"]] {
        assert!(
            Cli::try_parse_from(["pki"].iter().chain(&words)).is_err(),
            "{words:?}"
        );
    }
    for stem in ["../server", "/tmp/server", "ca", "ca-x", "client-a", "."] {
        assert!(
            Cli::try_parse_from(["pki", "server", "localhost", "--out", stem]).is_err(),
            "{stem}"
        );
    }
    let site = Site::with_ca();
    site.run(&["client", "..x"]).unwrap();
    assert!(site.file("client-..x.crt").exists());
    let above = fs::read_dir(site.0.path()).unwrap().count();
    assert_eq!(above, 1, "the folder and nothing beside it");
}

#[test]
fn the_index_keeps_what_was_replaced() {
    let site = Site::with_ca();
    site.run(&["client", "a"]).unwrap();
    site.run(&["client", "a", "--force"]).unwrap();
    let index = site.text("issued.tsv");
    let lines: Vec<Vec<&str>> = index
        .lines()
        .map(|line| line.split('\t').collect())
        .collect();
    assert_eq!(
        lines[0],
        [
            "issued",
            "kind",
            "name",
            "serial",
            "not_after",
            "sha256",
            "file",
            "issuer"
        ]
    );
    assert_eq!(lines[1][1..3], ["ca", "socket-warp CA"]);
    assert_eq!(lines[2][..3], ["2026-11-20T13:00:00Z", "client", "a"]);
    assert_eq!(lines[3][..3], lines[2][..3]);
    assert_ne!(lines[3][3], lines[2][3]);
    assert_eq!(lines.len(), 4);
}
