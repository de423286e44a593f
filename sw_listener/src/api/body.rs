//! Request bodies: JSON of at most 16 KiB, in which every mistake is named.

use std::time::Duration;

use axum::{
    body::{Body, to_bytes},
    http::{HeaderMap, Request, StatusCode, header},
};
use http_body_util::LengthLimitError;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::problem::Problem;

/// Longest body, in bytes.
const MAX_BODY: usize = 16 * 1024;
/// How long a body may take.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// Reads a JSON body.
///
/// # Errors
/// 415 without `Content-Type: application/json`, 413 above [`MAX_BODY`], 408 past [`TIME_LIMIT`], 400 with the field at
/// fault.
pub(super) async fn read<T: DeserializeOwned>(request: Request<Body>) -> Result<T, Problem> {
    if !is_json(request.headers()) {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "not_json",
            "the request needs the header Content-Type: application/json",
        ));
    }
    let reading = timeout(TIME_LIMIT, to_bytes(request.into_body(), MAX_BODY));
    let read = reading.await.map_err(|_| {
        let detail = format!("the body did not come within {TIME_LIMIT:?}");
        Problem::new(StatusCode::REQUEST_TIMEOUT, "body_too_slow", detail)
    })?;
    let bytes = read.map_err(|error| {
        let too_long =
            std::error::Error::source(&error).is_some_and(|source| source.is::<LengthLimitError>());
        if too_long {
            let detail = format!("the body has more than {MAX_BODY} bytes");
            return Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail);
        }
        Problem::new(
            StatusCode::BAD_REQUEST,
            "body_incomplete",
            "the body ended early",
        )
    })?;
    parse(&bytes)
}

fn is_json(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // serde would take a list as the fields in their order.
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        let detail = "the body must be a JSON object";
        return Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "invalid_field",
            detail,
        ));
    }
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        if !inner.is_data() {
            return not_json(&inner);
        }
        // For a missing or unknown field the path is that of the object around it; the message names the field.
        let text = without_position(&inner.to_string());
        if path == "." {
            let field = text.split('`').nth(1).map(str::to_owned);
            let problem = Problem::new(StatusCode::BAD_REQUEST, "invalid_field", text);
            return match field {
                Some(field) => problem.with("field", field),
                None => problem,
            };
        }
        Problem::field(&path, text)
    })?;
    json.end().map_err(|error| not_json(&error))?;
    Ok(value)
}

fn not_json(error: &serde_json::Error) -> Problem {
    let detail = format!("the body is not JSON: {error}");
    Problem::new(StatusCode::BAD_REQUEST, "not_json", detail)
}

/// Positions in a body that fits on one line help nobody.
fn without_position(text: &str) -> String {
    text.split(" at line ").next().unwrap_or(text).to_owned()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only parsed")]
    struct Sample {
        uid: String,
        port: u16,
    }

    fn problem(text: &str) -> String {
        let problem = parse::<Sample>(text.as_bytes()).unwrap_err();
        serde_json::to_string(&problem).unwrap()
    }

    #[test]
    fn every_mistake_names_its_field() {
        for (text, expected) in [
            (
                r#"{"uid":"a","port":65536}"#,
                r#""detail":"port: invalid value: integer `65536`"#,
            ),
            (r#"{"uid":"a","port":"1"}"#, r#""field":"port""#),
            (r#"{"uid":"a","port":-1}"#, r#""field":"port""#),
            (r#"{"uid":"a","port":1.5}"#, r#""field":"port""#),
            (r#"{"uid":7,"port":1}"#, r#""field":"uid""#),
            (r#"{"uid":null,"port":1}"#, r#""field":"uid""#),
            (r#"{"port":1}"#, r#"missing field `uid`"#),
            (r#"{"uid":"a","prot":1}"#, r#""field":"prot""#),
            (
                r#"{"uid":"a","uid":"b","port":1}"#,
                r#"duplicate field `uid`"#,
            ),
            (r#"{"uid":"a","port":1} x"#, r#""code":"not_json""#),
            (r#"{"uid":"a""#, r#""code":"not_json""#),
            ("", r#""code":"not_json""#),
            ("[]", r#""code":"invalid_field""#),
            ("\u{0}", r#""code":"not_json""#),
        ] {
            let problem = problem(text);
            assert!(problem.contains(expected), "{text}: {problem}");
        }
    }

    #[test]
    fn deep_nesting_is_an_error_not_a_crash() {
        let text = format!("{{\"uid\":{}", "[".repeat(8000));
        assert!(problem(&text).contains("\"status\":400"));
    }
}
