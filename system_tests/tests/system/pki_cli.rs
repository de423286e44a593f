//! `sw_listener pki` as an operator runs it: the real binary, a folder, and the real openssl.

use std::{
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output, Stdio},
};

use system_tests::binaries;
use tempfile::TempDir;

fn run(command: &mut Command) -> (bool, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.success(), text(stdout), text(stderr))
}

fn command(folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(binaries::folder().join("sw_listener"));
    command
        .env_clear()
        .current_dir(folder)
        .arg("pki")
        .args(words);
    command
}

/// The output of a command that succeeds.
fn pki(folder: &Path, words: &[&str]) -> String {
    let (success, stdout, stderr) = run(&mut command(folder, words));
    assert!(success, "{words:?}: {stderr}");
    stdout
}

/// What openssl says of a client's certificate, with every list checked.
fn verify(folder: &Path, name: &str) -> (bool, String) {
    let name = format!("pki/{name}.crt");
    let words = [
        "verify",
        "-purpose",
        "sslclient",
        "-CAfile",
        "pki/ca.crt",
        "-untrusted",
        &name,
    ];
    let lists = ["-crl_check_all", "-CRLfile", "pki/crl.pem", &name];
    let mut openssl = Command::new("openssl");
    let (good, stdout, stderr) = run(openssl.args(words).args(lists).current_dir(folder));
    (good, stdout + &stderr)
}

fn site() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    pki(folder.path(), &["init"]);
    folder
}

#[test]
fn a_plant_from_the_root_to_a_revoked_device() {
    let folder = site();
    let folder = folder.path();
    pki(folder, &["intermediate", "plant"]);
    for uid in ["device-1", "device-2"] {
        pki(folder, &["client", uid, "--issuer", "plant"]);
    }
    pki(folder, &["crl"]);
    let (good, said) = verify(folder, "client-device-1");
    assert!(good, "{said}");
    pki(folder, &["revoke", "device-1", "--reason", "keyCompromise"]);
    let again = pki(folder, &["revoke", "device-1"]);
    assert!(again.contains("already revoked since"), "{again}");
    let (good, said) = verify(folder, "client-device-1");
    assert!(!good && said.contains("certificate revoked"), "{said}");
    let (good, said) = verify(folder, "client-device-2");
    assert!(good, "{said}");
    pki(folder, &["renew", "device-1"]);
    let (good, said) = verify(folder, "client-device-1");
    assert!(good, "{said}");
    let shown = pki(folder, &["show", "pki/client-device-1.crt"]);
    assert!(shown.contains("pki/client-device-1.key match"), "{shown}");
    for key in [
        "ca.key",
        "ca-plant.key",
        "client-device-1.key",
        "client-device-1.key.old",
    ] {
        let mode = folder
            .join("pki")
            .join(key)
            .metadata()
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{key}");
    }
}

#[test]
fn fingerprints_are_two_lines_for_scripts() {
    let folder = site();
    let text = pki(folder.path(), &["fingerprint", "pki/ca.crt"]);
    let lines: Vec<_> = text.lines().collect();
    let [sha256, pin] = lines.as_slice() else {
        panic!("{text}");
    };
    let digits = sha256.strip_prefix("sha256:").unwrap();
    assert!(
        digits.len() == 64 && digits.bytes().all(|b| b.is_ascii_hexdigit()),
        "{sha256}"
    );
    assert_eq!(pin.strip_prefix("sha256/").unwrap().len(), 44, "{pin}");
}

#[test]
fn mistakes_end_with_the_way_out() {
    let folder = site();
    let folder = folder.path();
    pki(folder, &["client", "device-1"]);
    for (words, parts) in [
        (
            &["revoke", "devise-1"][..],
            &["did you mean device-1?", "pki list"][..],
        ),
        (&["renew", "devise-1"], &["did you mean device-1?"]),
        (&["revoke", "ca"], &["root", "ca_path"]),
        (
            &["crl", "--issuer", "nowhere"],
            &["ca-nowhere.crt is missing", "pki intermediate nowhere"],
        ),
        (&["show", "nowhere.pem"], &["nowhere.pem"]),
        (
            &["fingerprint", "pki/ca.key"],
            &["a private key", "pki show"],
        ),
        (
            &["revoke", "device-1", "--reason", "boredom"],
            &["keyCompromise"],
        ),
    ] {
        let (success, _, stderr) = run(&mut command(folder, words));
        assert!(!success, "{words:?} was taken");
        for part in parts {
            assert!(stderr.contains(part), "{part:?} is not in:\n{stderr}");
        }
    }
}

#[test]
fn the_help_leads_to_every_command() {
    let folder = tempfile::tempdir().unwrap();
    let help = pki(folder.path(), &["--help"]);
    for name in [
        "init",
        "intermediate",
        "server",
        "client",
        "renew",
        "revoke",
        "crl",
        "list",
        "show",
        "fingerprint",
    ] {
        assert!(
            help.contains(&format!("pki {name}")),
            "{name} has no example in:\n{help}"
        );
    }
}

/// Eight processes at once: no revocation is lost, and no list is signed twice under one number.
#[test]
fn commands_at_once_wait_for_each_other() {
    let folder = site();
    let folder = folder.path();
    let uids: Vec<String> = (0..8).map(|n| format!("device-{n}")).collect();
    for uid in &uids {
        pki(folder, &["client", uid]);
    }
    let children: Vec<_> = uids
        .iter()
        .map(|uid| {
            command(folder, &["revoke", uid])
                .stdout(Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    for uid in &uids {
        let (good, said) = verify(folder, &format!("client-{uid}"));
        assert!(
            !good && said.contains("certificate revoked"),
            "{uid}: {said}"
        );
    }
}
