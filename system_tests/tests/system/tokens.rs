//! Who may call the API.

use serde_json::json;
use system_tests::{
    PATIENCE,
    daemon::Daemon,
    http,
    listener::{self, Listener},
    noise::sha256,
    site::Site,
    target,
};

fn tokens() -> String {
    let (read, write) = (sha256(b"looks"), sha256(b"changes"));
    format!("auditor:read:{read},operator:write:{write}")
}

#[test]
fn a_token_may_do_what_its_role_says() {
    let site = Site::new();
    let listener = Listener::with(&site, &[("SWL_API_TOKENS", &tokens())]);
    let api = &listener.api;
    api.call("GET", "/healthz").ok();
    api.call("GET", "/readyz").ok();
    for path in ["/list", "/connectors", "/no-such-path"] {
        let reply = api.call("GET", path);
        reply.problem(401, "no_token");
        assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
        api.with_token("wrong")
            .call("GET", path)
            .problem(401, "wrong_token");
    }
    let (reads, writes) = (api.with_token("looks"), api.with_token("changes"));
    assert!(reads.list().is_empty() && writes.list().is_empty());
    let refused = reads.open("device1", 0, target::nobody());
    refused.problem(403, "token_may_only_read");
    reads.close(1).problem(403, "token_may_only_read");
    let kick = reads.call("DELETE", "/connectors/device1");
    kick.problem(403, "token_may_only_read");
    let allowed = writes.open("device1", 0, target::nobody());
    allowed.problem(404, "uid_not_connected");
    // The digest itself opens nothing.
    let digest = api.with_token(&sha256(b"changes"));
    digest.call("GET", "/list").problem(401, "wrong_token");
}

#[test]
fn the_token_comes_in_one_header_only() {
    let site = Site::new();
    let listener = Listener::with(&site, &[("SWL_API_TOKENS", &tokens())]);
    let address = listener.api.address;
    for header in [
        "Authorization: Basic looks",
        "Authorization: looks",
        "Authorization: Bearer ",
        "X-Token: looks",
    ] {
        let request =
            format!("GET /list HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{header}\r\n\r\n");
        let replies = http::raw(address, request.as_bytes());
        assert_eq!(replies[0].status, 401, "{header}");
    }
    let request = "GET /list?token=looks HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    assert_eq!(http::raw(address, request.as_bytes())[0].status, 401);
}

#[test]
fn no_secret_stands_in_the_log() {
    let site = Site::new();
    let settings = [
        ("SWL_API_TOKENS", tokens()),
        ("SWL_LOG_LEVEL", "trace".to_owned()),
    ];
    let settings: Vec<_> = settings
        .iter()
        .map(|(key, value)| (*key, value.as_str()))
        .collect();
    let listener = Listener::with(&site, &settings);
    listener
        .api
        .with_token("a-secret-guess")
        .call("GET", "/list");
    listener.wait_log(&["API call denied"]);
    assert!(listener.log().find(&["a-secret-guess"]).is_empty());
    assert!(listener.log().find(&[&sha256(b"changes")]).is_empty());
}

/// Fault 4: the API without authentication on 0.0.0.0.
#[test]
fn an_api_for_everyone_needs_tokens() {
    let site = Site::new();
    let everywhere = ("APIS_ADDRS", "0.0.0.0");
    let mut refused = Daemon::start("sw_listener", listener::command(&site, &[everywhere]));
    assert!(!refused.wait_exit(PATIENCE).success());
    refused.wait_log(&["api_tokens"]);
    let listener = Listener::with(&site, &[everywhere, ("SWL_API_TOKENS", &tokens())]);
    let port = listener.api.address.port();
    let api = system_tests::api::Api::new(([127, 0, 0, 1], port).into());
    api.call("GET", "/list").problem(401, "no_token");
    let body = json!({"port": 1});
    let reply = api.with_token("changes").json("DELETE", "/close", &body);
    reply.problem(404, "no_such_opening");
}
