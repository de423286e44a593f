//! The table.

use super::*;

#[test]
fn the_list_is_read_from_the_certificates() {
    let site = Site::with_ca();
    site.run(&["server", "tunnel.example", "10.0.0.1"]).unwrap();
    site.run(&["client", "a", "--days", "1"]).unwrap();
    fs::remove_file(site.file("issued.tsv")).unwrap();
    let text = site.run_at(NOW + 2 * DAY, &["list"]).unwrap();
    let lines: Vec<Vec<&str>> = text
        .lines()
        .map(|line| {
            line.split("  ")
                .filter(|c| !c.is_empty())
                .map(str::trim)
                .collect()
        })
        .collect();
    assert_eq!(
        lines[0],
        ["KIND", "NAME", "SERIAL", "NOT AFTER", "SHA-256", "FILE"]
    );
    assert_eq!(lines[1][..2], ["ca", "socket-warp CA"]);
    assert_eq!(lines[2][..2], ["client", "a"]);
    assert_eq!(lines[2][3], "2026-11-21T13:00:00Z (expired)");
    assert_eq!(lines[3][..2], ["server", "tunnel.example,10.0.0.1"]);
    assert_eq!(lines[3][3], "2027-11-20T13:00:00Z");
    assert_eq!(
        (lines[3][2].len(), lines[3][4].len(), lines[3][5]),
        (32, 64, "server.crt")
    );
    assert_eq!(lines.len(), 4);
}

#[test]
fn a_broken_file_is_a_row_of_the_list() {
    let site = Site::with_ca();
    site.run(&["client", "a"]).unwrap();
    let whole = site.text("client-a.crt");
    fs::write(site.file("cut.crt"), &whole[..whole.len() / 2]).unwrap();
    fs::write(site.file("empty.crt"), "").unwrap();
    fs::write(
        site.file("noise.crt"),
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    )
    .unwrap();
    fs::write(site.file("large.crt"), vec![b'x'; (1 << 20) + 1]).unwrap();
    fs::create_dir(site.file("folder.crt")).unwrap();
    std::os::unix::fs::symlink("nowhere", site.file("link.crt")).unwrap();
    let text = site.run(&["list"]).unwrap();
    for (file, reason) in [
        ("cut.crt", "its PEM text is damaged"),
        ("empty.crt", "there is no PEM certificate in it"),
        ("noise.crt", "it is not an X.509 certificate"),
        ("large.crt", "it is larger than 1048576 bytes"),
        ("folder.crt", "it is not a regular file"),
        ("link.crt", "it cannot be read"),
    ] {
        let line = text.lines().find(|line| line.ends_with(file)).unwrap();
        assert!(
            line.starts_with("unreadable") && line.contains(reason),
            "{line}"
        );
    }
    assert!(
        text.lines()
            .any(|line| line.starts_with("client ") && line.ends_with("client-a.crt")),
        "{text}"
    );
}

#[test]
fn listing_nothing_says_how_to_start() {
    let site = Site::new();
    let error = site.run(&["list"]).unwrap_err();
    assert!(
        matches!(error, PkiError::Ca(CaError::Missing { .. })),
        "{error}"
    );
    fs::create_dir(site.dir()).unwrap();
    assert!(
        site.run(&["list"])
            .unwrap()
            .contains("sw_listener pki init --dir")
    );
}
