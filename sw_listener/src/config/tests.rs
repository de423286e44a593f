use super::*;

fn load(pairs: &[(&str, &str)]) -> Result<Config, Problems> {
    let variables = pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::load(&Flags::default(), variables)
}

const MINIMAL: [(&str, &str); 3] = [
    ("SWL_CERT_PATH", "server.crt"),
    ("SWL_KEY_PATH", "server.key"),
    ("SWL_CA_PATH", "ca.crt"),
];

#[test]
fn the_variables_of_1x_work_and_their_defaults_hold() {
    let config = load(&MINIMAL).unwrap();
    assert_eq!(config.quic.to_string(), "0.0.0.0:11443");
    assert_eq!(config.api.address.to_string(), "127.0.0.1:8080");
    let mut all = MINIMAL.to_vec();
    all.extend([
        ("SWL_ADDRS", "127.0.0.1"),
        ("SWL_PORT", "4433"),
        ("SWL_SCEP_URL", "http://127.0.0.1:3000/api/cert/verify"),
        ("SWL_LOG_LEVEL", "debug"),
        ("APIS_ADDRS", "localhost"),
        ("APIS_PORT", "8081"),
    ]);
    let config = load(&all).unwrap();
    assert_eq!(config.quic.to_string(), "127.0.0.1:4433");
    assert_eq!(config.api.address.port(), 8081);
    assert!(config.api.address.ip().is_loopback());
}

#[test]
fn an_open_api_needs_a_token() {
    let mut all = MINIMAL.to_vec();
    all.push(("APIS_ADDRS", "0.0.0.0"));
    let text = load(&all).unwrap_err().to_string();
    assert!(text.contains("api_tokens"), "{text}");
}

#[test]
fn mistakes_come_together() {
    let text = load(&[("SWL_PROT", "1"), ("SWL_PORT", "x"), ("SWL_KEY_PATH", "k")])
        .unwrap_err()
        .to_string();
    for expected in [
        "for 4 reasons",
        "cert_path: is missing",
        "ca_path: is missing",
        "environment variable SWL_PROT: prot: unknown key; did you mean port?",
        "environment variable SWL_PORT: port: must be a number",
    ] {
        assert!(text.contains(expected), "{expected:?} is not in:\n{text}");
    }
}

#[test]
fn help_lists_exactly_the_keys_that_are_read() {
    let mut flags = Flags::default();
    for (key, _, _) in keys::KEYS {
        flags.set.push(((*key).to_owned(), "\u{1}".to_owned()));
    }
    let Err(Problems(problems)) = Config::load(&flags, []) else {
        panic!("nonsense was taken");
    };
    let unknown: Vec<_> = problems
        .iter()
        .filter(|problem| problem.what.contains("unknown"))
        .collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn revocation_and_lists_are_off_until_they_are_set() {
    let policy = load(&MINIMAL).unwrap().policy;
    assert!(!policy.crl.is_on());
    assert_eq!(policy.crl.refresh, Duration::from_secs(45));
    let mut all = MINIMAL.to_vec();
    all.extend([
        ("SWL_CRL_PATHS", "a.crl, b.pem"),
        (
            "SWL_CRL_URLS",
            "http://127.0.0.1:3000/scep?operation=GetCRL",
        ),
        ("SWL_CRL_REFRESH_SECONDS", "60"),
        ("SWL_CRL_SCOPE", "leaf"),
        ("SWL_ALLOW", "plant-*,sha256:zz"),
        ("SWL_DENY", ""),
    ]);
    let text = load(&all).unwrap_err().to_string();
    assert!(text.contains("allow: \"sha256:zz\": a SHA-256"), "{text}");
    all.push(("SWL_ALLOW", "plant-*"));
    let policy = load(&all).unwrap().policy;
    assert!(policy.crl.is_on());
    assert_eq!((policy.crl.paths.len(), policy.crl.urls.len()), (2, 1));
    assert_eq!(policy.lists.allow.len(), 1);
    all.push(("SWL_ALLOW", ""));
    let text = load(&all).unwrap_err().to_string();
    assert!(text.contains("allow: must name who may connect"), "{text}");
}

#[test]
fn a_grace_that_would_be_over_at_once_is_a_mistake() {
    let with = |recheck, grace| {
        let mut all = MINIMAL.to_vec();
        all.extend([
            ("SWL_RECHECK_SECONDS", recheck),
            ("SWL_VERIFY_GRACE_SECONDS", grace),
        ]);
        load(&all).map(|config| config.policy.rules.grace)
    };
    for (recheck, grace) in [("3600", "900"), ("40", "40"), ("5", "1")] {
        let text = with(recheck, grace).unwrap_err().to_string();
        let expected = "verify_grace_seconds: must be longer than recheck_seconds";
        assert!(text.contains(expected), "{text}");
    }
    assert_eq!(with("40", "41").unwrap(), Duration::from_secs(41));
    assert_eq!(with("3600", "0").unwrap(), Duration::ZERO);
}
