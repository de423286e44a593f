use common::config::CommandLine;

use super::*;

fn load(json: &str, pairs: &[(&str, &str)]) -> Result<Config, Problems> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("settings.json");
    std::fs::write(&path, json).unwrap();
    let flags = Flags {
        config: Some(path),
        set: Vec::new(),
    };
    let variables = pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::load(&flags, variables)
}

const OF_1X: &str = r#"{
    "client_cert_path": "cert.pem", "client_key_path": "key.pem", "ca_cert_path": "ca.crt",
    "server_name": "hostname.example.com", "service_port": 11443
}"#;

#[test]
fn the_settings_of_1x_work_as_they_are() {
    let config = load(OF_1X, &[]).unwrap();
    let [listener] = config.listeners.as_slice() else {
        panic!("one listener");
    };
    assert_eq!(listener.address.to_string(), "hostname.example.com:11443");
    assert_eq!(listener.name, "hostname.example.com");
    assert!(config.files.chain.ends_with("cert.pem"));
    assert!(config.targets.is_open());
}

#[test]
fn several_listeners_have_their_own_names() {
    let variables = [
        ("SWC_LISTENERS", "a.example:1, [::1]:2"),
        ("SWC_SERVER_NAME", "tunnel.example"),
    ];
    let config = load(OF_1X, &variables).unwrap();
    assert_eq!(config.listeners.len(), 2);
    assert_eq!(config.listeners[1].name, "tunnel.example");
    let without_name = OF_1X.replace("\"server_name\": \"hostname.example.com\", ", "");
    let config = load(&without_name, &[("SWC_LISTENERS", "a.example:1")]).unwrap();
    assert_eq!(config.listeners[0].name, "a.example");
}

#[test]
fn mistakes_come_together() {
    let text = load(
        r#"{"servername": "x", "allowed_targets": ["10.0.0.0/99"]}"#,
        &[],
    )
    .unwrap_err()
    .to_string();
    for expected in [
        "servername: unknown key; did you mean server_name?",
        "server_name: is missing",
        "client_key_path: is missing",
        "allowed_targets: \"10.0.0.0/99\"",
    ] {
        assert!(text.contains(expected), "{expected:?} is not in:\n{text}");
    }
}

#[test]
fn help_lists_exactly_the_keys_that_are_read() {
    let set = keys::KEYS
        .iter()
        .map(|(key, _, _)| ((*key).to_owned(), "\u{1}".to_owned()));
    let flags = Flags {
        config: Some("/dev/null".into()),
        set: set.collect(),
    };
    let Err(Problems(problems)) = Config::load(&flags, []) else {
        panic!("nonsense was taken");
    };
    assert!(
        problems
            .iter()
            .all(|problem| !problem.what.contains("unknown")),
        "{problems:?}"
    );
}

#[test]
fn renewal_is_a_table() {
    let with = |table: &str, pairs: &[(&str, &str)]| {
        let text = OF_1X.replace('}', &format!(", \"renew\": {table}}}"));
        load(&text, pairs)
    };
    assert!(load(OF_1X, &[]).unwrap().renew.is_none());
    let table = r#"{"before_days": 20, "command": ["/usr/bin/x", "a b"], "retry_seconds": 60}"#;
    let renew = with(table, &[("SWC_RENEW__BEFORE_DAYS", "21")]).unwrap();
    let renew = renew.renew.unwrap();
    assert_eq!(renew.before, Some(Duration::from_secs(21 * 86_400)));
    assert_eq!(renew.retry, Duration::from_secs(60));
    assert_eq!(renew.timeout, Duration::from_secs(300));
    let program = CommandLine::Program {
        program: "/usr/bin/x".into(),
        arguments: vec!["a b".to_owned()],
    };
    assert_eq!(renew.command, program);
    let shell = with(table, &[("SWC_RENEW__COMMAND", "a, b; c")]).unwrap();
    let shell = shell.renew.unwrap().command;
    assert_eq!(shell, CommandLine::Shell("a, b; c".to_owned()));
    for (table, expected) in [
        (r#"{"before_days": 20}"#, "renew.command: is missing"),
        (r#"{"command": []}"#, "renew.command: must be a program"),
        (r#"{"comand": "x"}"#, "did you mean renew.command?"),
        (
            r#"{"command": "x", "before_days": 0}"#,
            "renew.before_days: must be a number from 1",
        ),
        ("true", "renew: must be a table: renew.command, "),
    ] {
        let text = with(table, &[]).unwrap_err().to_string();
        assert!(text.contains(expected), "{expected:?} is not in:\n{text}");
    }
}
