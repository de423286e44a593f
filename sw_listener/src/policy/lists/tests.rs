use std::fs;

use common::reload::Cause;

use super::*;
use crate::config::ListsConfig;

fn identity(uid: &str) -> Identity {
    Identity {
        not_before: 0,
        uid: uid.parse().unwrap(),
        serial: "00:ab:cd".to_owned(),
        not_after: 0,
        fingerprint: "12".repeat(32),
    }
}

/// Where the certificate itself does not matter.
fn decide(lists: &Lists, identity: &Identity) -> Result<(), ListFinding> {
    super::decide(lists, identity, b"")
}

fn entries(texts: &[&str]) -> Vec<Entry> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn lists(allow: &[&str], deny: &[&str]) -> Arc<Lists> {
    let config = ListsConfig {
        allow: entries(allow),
        deny: entries(deny),
        ..ListsConfig::default()
    };
    ListFiles::open(config).unwrap().1
}

#[test]
fn without_lists_everyone_may() {
    assert_eq!(decide(&lists(&[], &[]), &identity("plant-7")), Ok(()));
}

#[test]
fn each_kind_of_entry_allows_and_denies() {
    let digest = format!("sha256:{}", "12".repeat(32));
    for entry in [
        "plant-7",
        "uid:plant-*",
        &digest,
        "serial:abcd",
        "serial:AB:CD",
    ] {
        assert_eq!(decide(&lists(&[entry], &[]), &identity("plant-7")), Ok(()));
        let finding = decide(&lists(&[], &[entry]), &identity("plant-7")).unwrap_err();
        assert_eq!(finding.code(), "denied_by_list", "{entry}");
        assert!(finding.to_string().contains("setting deny"), "{finding}");
    }
    let other = format!("sha256:{}", "13".repeat(32));
    for entry in ["plant-8", "uid:plant-", &other, "serial:abce", "serial:ab"] {
        assert_eq!(decide(&lists(&[], &[entry]), &identity("plant-7")), Ok(()));
        let finding = decide(&lists(&[entry], &[]), &identity("plant-7")).unwrap_err();
        assert_eq!(finding.code(), "not_on_allow_list", "{entry}");
    }
}

#[test]
fn deny_wins() {
    let finding = decide(&lists(&["plant-7"], &["*"]), &identity("plant-7")).unwrap_err();
    assert_eq!(finding.to_string(), "denied by uid:* (setting deny)");
}

#[test]
fn a_file_names_its_lines() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deny");
    let text = "\u{feff}# stolen\r\n\r\nplant-7 # in May\r\nserial:ff\r\n";
    fs::write(&path, text).unwrap();
    let config = ListsConfig {
        deny_path: Some(path.clone()),
        ..ListsConfig::default()
    };
    let (_files, lists) = ListFiles::open(config).unwrap();
    let finding = decide(&lists, &identity("plant-7"))
        .unwrap_err()
        .to_string();
    assert_eq!(
        finding,
        format!("denied by uid:plant-7 ({}, line 3)", path.display())
    );
    assert_eq!(decide(&lists, &identity("plant-8")), Ok(()));
}

#[test]
fn a_bad_file_keeps_its_last_good_contents() {
    let folder = tempfile::tempdir().unwrap();
    let (allow, deny) = (folder.path().join("allow"), folder.path().join("deny"));
    fs::write(&allow, "plant-7\nplant-8\n").unwrap();
    fs::write(&deny, "plant-8\n").unwrap();
    let config = ListsConfig {
        allow_path: Some(allow.clone()),
        deny_path: Some(deny.clone()),
        ..ListsConfig::default()
    };
    let (mut files, lists) = ListFiles::open(config.clone()).unwrap();
    assert!(decide(&lists, &identity("plant-7")).is_ok());
    assert!(decide(&lists, &identity("plant-8")).is_err());

    // The deny list is broken, the allow list is new: only the latter changes.
    fs::write(&deny, "plant-9\nmd5:00\n").unwrap();
    fs::write(&allow, "plant-*\n").unwrap();
    let (lists, problems) = files.reload(Cause::Changed);
    assert!(decide(&lists, &identity("plant-9")).is_ok());
    assert!(decide(&lists, &identity("plant-8")).is_err());
    let [problem] = problems.as_slice() else {
        panic!("{problems:?}");
    };
    let expected = format!("{}, line 2: \"md5\" is not known", deny.display());
    assert!(problem.to_string().starts_with(&expected), "{problem}");

    fs::remove_file(&deny).unwrap();
    let (lists, problems) = files.reload(Cause::Changed);
    assert!(decide(&lists, &identity("plant-8")).is_err());
    assert!(matches!(problems[..], [ListProblem::Io { .. }]));
    assert!(ListFiles::open(config).is_err());

    fs::write(&deny, b"plant-7\n\xff\n").unwrap();
    let (_, problems) = files.reload(Cause::Changed);
    assert!(matches!(
        problems[..],
        [ListProblem::NotText { line: 2, .. }]
    ));
}

#[test]
fn an_empty_allow_file_lets_nobody_in() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("allow");
    fs::write(&path, "# nobody yet\n").unwrap();
    let config = ListsConfig {
        allow_path: Some(path),
        ..ListsConfig::default()
    };
    let (_files, lists) = ListFiles::open(config).unwrap();
    assert_eq!(
        decide(&lists, &identity("plant-7")),
        Err(ListFinding::NotAllowed)
    );
}

/// Truncated by a full disk or an editor, it denied nobody, without a word.
#[test]
fn a_deny_file_does_not_become_empty_by_accident() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deny");
    fs::write(&path, "plant-7 # stolen\nplant-8\n").unwrap();
    let config = ListsConfig {
        deny_path: Some(path.clone()),
        ..ListsConfig::default()
    };
    let (mut files, _) = ListFiles::open(config.clone()).unwrap();
    let mut reload = |text, cause| {
        fs::write(&path, text).unwrap();
        let (lists, problems) = files.reload(cause);
        let denied = decide(&lists, &identity("plant-7")).is_err();
        let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
        (denied, problems)
    };
    let fine: Vec<String> = Vec::new();
    for cause in [Cause::Changed, Cause::Retried] {
        for text in ["", "\n \r\n", "\u{feff}"] {
            let (denied, problems) = reload(text, cause);
            assert!(denied, "{text:?}");
            let [problem] = problems.as_slice() else {
                panic!("{problems:?}")
            };
            assert!(problem.contains("had 2 entries"), "{problem}");
        }
    }
    assert_eq!(reload("# nobody\n", Cause::Changed), (false, fine.clone()));
    assert_eq!(reload("", Cause::Changed), (false, fine.clone()));
    assert_eq!(reload("plant-7\n", Cause::Changed), (true, fine.clone()));
    assert_eq!(reload("", Cause::Asked), (false, fine));
    assert!(ListFiles::open(config).is_ok());
}
