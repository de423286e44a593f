use std::{fs, path::Path};

use super::*;

fn from(name: &str, text: &str) -> (tempfile::TempDir, Settings) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    let mut settings = Settings::default();
    settings.add_file(&path, "swl_");
    (folder, settings)
}

#[test]
fn later_sources_win() {
    let (_folder, mut settings) = from("s.toml", "port = 1\nswl_addrs = \"::1\"");
    settings.add_environment(
        "SWL_",
        &["APIS_PORT"],
        [
            ("SWL_PORT".to_owned(), "2".to_owned()),
            ("APIS_PORT".to_owned(), "4".to_owned()),
            ("APIS_OTHER".to_owned(), "5".to_owned()),
            ("PATH".to_owned(), "/bin".to_owned()),
        ],
    );
    assert_eq!(settings.number("port", 1..=9, 7), 2);
    assert_eq!(settings.or("addrs", String::new()), "::1");
    assert_eq!(settings.number("apis_port", 1..=9, 7), 4);
    settings.add_flag("port", "3".to_owned());
    assert_eq!(settings.number("port", 1..=9, 7), 3);
    settings.finish().unwrap();
}

#[test]
fn all_mistakes_are_told_at_once_with_the_nearest_key() {
    let text = r#"{"service_prot": 1, "service_port": 65536, "flag": "maybe", "list": ["1", "x"], "deep": {"a": 1}, "none": null}"#;
    let (_folder, mut settings) = from("settings.json", text);
    settings.number::<u16>("service_port", 1..=65535, 11443);
    settings.flag("flag", true);
    settings.list::<u8>("list");
    settings.required_path("key_path", "the private key");
    let problems = settings.finish().unwrap_err();
    let text = problems.to_string();
    for expected in [
        "for 7 reasons",
        "settings.json: service_prot: unknown key; did you mean service_port?",
        "settings.json: service_port: must be a number from 1 to 65535, not \"65536\"",
        "settings.json: flag: must be true or false, not \"maybe\"",
        "settings.json: list: \"x\":",
        "settings.json: deep.a: unknown key",
        "settings.json: none: must be a value",
        "key_path: is missing: the private key",
    ] {
        assert!(text.contains(expected), "{expected:?} is not in:\n{text}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let mut settings = Settings::default();
    settings.add_file(Path::new("/nowhere/settings.json"), "");
    let text = settings.finish().unwrap_err().to_string();
    assert!(
        text.contains("/nowhere/settings.json: cannot be read"),
        "{text}"
    );
    let (_folder, settings) = from("settings.json", "{\"a\": ");
    let text = settings.finish().unwrap_err().to_string();
    assert!(text.contains("line 1"), "{text}");
}

#[test]
fn every_path_of_a_list_is_relative_to_the_file_that_says_it() {
    let (folder, mut settings) = from("s.json", r#"{"a": ["x.crl", "/y.crl"], "b": [""]}"#);
    assert_eq!(
        settings.path_list("a"),
        Some(vec![folder.path().join("x.crl"), "/y.crl".into()])
    );
    assert_eq!(settings.path_list("c"), None);
    assert_eq!(settings.path_list("b"), Some(vec![]));
    let text = settings.finish().unwrap_err().to_string();
    assert!(text.contains("none of them empty"), "{text}");
}

#[test]
fn paths_are_relative_to_the_file_that_says_them() {
    let (folder, mut settings) = from("s.json", r#"{"a": "x/y.pem", "b": "/z.pem"}"#);
    assert_eq!(settings.path("a"), Some(folder.path().join("x/y.pem")));
    assert_eq!(settings.path("b"), Some("/z.pem".into()));
    settings.add_flag("a", "x".to_owned());
    assert_eq!(settings.path("a"), Some("x".into()));
}

#[test]
fn home_is_expanded() {
    let origin = Origin::Flag(String::new());
    let home = Some("/home/me".into());
    assert_eq!(origin.resolve("~/k.pem", home), Path::new("/home/me/k.pem"));
}

fn tls_of(json: &str) -> Result<(crate::tls::TlsPolicy, crate::tls::ListenerChecks), String> {
    let (_folder, mut settings) = from("settings.json", json);
    let read = (settings.tls(), settings.listener_checks());
    settings.finish().map_err(|problems| problems.to_string())?;
    Ok(read)
}

#[test]
fn tls_is_as_the_settings_say() {
    let (policy, checks) = tls_of("{}").unwrap();
    assert_eq!((policy.suites.len(), policy.min_rsa_bits), (3, 2048));
    assert!(checks.pins.is_empty() && !checks.insecure_skip);
    let pin = crate::tls::Pin::of_spki(b"key");
    let json = format!(
        r#"{{"tls_cipher_suites": ["TLS_AES_256_GCM_SHA384"], "tls_groups": ["X25519", "P-256"], "min_rsa_bits": 4096,
            "listener_pins": ["{pin}"], "expected_listener_name": "plant"}}"#
    );
    let (policy, checks) = tls_of(&json).unwrap();
    assert_eq!(policy.suites[0].to_string(), "TLS_AES_256_GCM_SHA384");
    let groups: Vec<_> = policy.groups.iter().map(ToString::to_string).collect();
    assert_eq!(groups, ["X25519", "SECP256R1"]);
    assert_eq!((checks.pins, policy.min_rsa_bits), (vec![pin], 4096));
    assert_eq!(checks.expected_name.unwrap().to_string(), "plant");
}

#[test]
fn mistakes_about_tls_are_told_with_what_is_known() {
    let json = r#"{"tls_cipher_suites": ["RC4"], "tls_groups": [], "min_rsa_bits": 1024, "listener_pins": ["x"],
        "expected_listener_name": "a", "insecure_skip_server_verification": true}"#;
    let text = tls_of(json).unwrap_err();
    for part in [
        "for 5 reasons",
        "tls_cipher_suites: \"RC4\": no cipher suite of TLS 1.3; known are TLS_AES_128_GCM_SHA256",
        "tls_groups: must not be an empty list",
        "min_rsa_bits: must be a number from 2048 to 8192",
        "listener_pins: \"x\": must be sha256/ and 44 characters of base64: openssl x509",
        "insecure_skip_server_verification: takes every certificate",
    ] {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
}
#[test]
fn tables_are_dotted_keys_in_every_source() {
    let json = r#"{"swl_renew": {"days": 20, "deep": {"er": "x"}}, "renew.list": ["a", "b"]}"#;
    let toml = "[renew]\ndays = 20\nlist = [\"a\", \"b\"]\n[renew.deep]\ner = \"x\"";
    for (name, text) in [("s.json", json), ("s.toml", toml)] {
        let (_folder, mut settings) = from(name, text);
        assert!(settings.has_table("renew") && !settings.has_table("ren"));
        assert_eq!(settings.number("renew.days", 1..=99, 7), 20, "{name}");
        assert_eq!(settings.or("renew.deep.er", String::new()), "x");
        let list = settings.list::<String>("renew.list").unwrap();
        assert_eq!(list, ["a", "b"]);
        settings.finish().unwrap();
    }
    let (_folder, mut settings) = from("s.json", json);
    let variables = [("SWL_RENEW__DAYS".to_owned(), "21".to_owned())];
    settings.add_environment("SWL_", &[], variables);
    settings.add_flag("renew.deep.er", "y".to_owned());
    assert_eq!(settings.number("renew.days", 1..=99, 7), 21);
    assert_eq!(settings.or("renew.deep.er", String::new()), "y");
}

#[test]
fn mistakes_within_tables_are_told_like_others() {
    let text = r#"{"renew": {"before_day": 1}, "table": 5, "port": {"a": 1}}"#;
    let (_folder, mut settings) = from("s.json", text);
    settings.number("renew.before_days", 1..=99, 7);
    settings.number("table.entry", 1..=99, 7);
    settings.number("port", 1..=99, 7);
    let text = settings.finish().unwrap_err().to_string();
    for expected in [
        "for 3 reasons",
        "renew.before_day: unknown key; did you mean renew.before_days?",
        "table: must be a table: table.entry",
        "port.a: port must be a value or a list of values, not a table",
    ] {
        assert!(text.contains(expected), "{expected:?} is not in:\n{text}");
    }
}

#[test]
fn a_command_is_a_program_or_a_line_for_the_shell() {
    let text = r#"{"a": ["tools/x", "a b", ""], "b": ["step", "ca"], "c": "x, y | z", "d": [], "e": " ", "f": [""]}"#;
    let (folder, mut settings) = from("s.json", text);
    let program = |program: &str, arguments: &[&str]| {
        let arguments = arguments.iter().map(|&text| text.to_owned()).collect();
        Some(CommandLine::Program {
            program: program.into(),
            arguments,
        })
    };
    let beside = folder.path().join("tools/x");
    let expected = program(beside.to_str().unwrap(), &["a b", ""]);
    assert_eq!(settings.command("a"), expected);
    assert_eq!(settings.command("b"), program("step", &["ca"]));
    let shell = Some(CommandLine::Shell("x, y | z".to_owned()));
    assert_eq!(settings.command("c"), shell);
    for key in ["d", "e", "f"] {
        assert_eq!(settings.command(key), None);
    }
    let text = settings.finish().unwrap_err().to_string();
    assert!(text.contains("for 3 reasons"), "{text}");
    assert!(text.contains("d: must be a program"), "{text}");
}
