//! One question to one responder over HTTP.

use std::time::SystemTime;

use reqwest::{StatusCode, Url, header};
use rustls::crypto::WebPkiSupportedAlgorithms;

use super::{
    request::{self, NONCE_LENGTH, Travel},
    response::Refusal,
    subject::Subject,
    verify::{self, AnswerError, Question, Statement},
};
use crate::{
    config::{NonceUse, OcspConfig},
    policy::fetch::{FetchError, Fetcher, Limits},
};

/// Longest answer that is read, in bytes. Real ones have 0.3 to 5 KB.
const MAX_BODY: usize = 64 * 1024;

/// Why a question has not led to a statement.
#[derive(Debug)]
pub(super) enum Failure {
    /// The responder is not well: others need not ask it now.
    Unwell(String),
    /// It will not answer this question, though it may answer others.
    Refused(String),
    /// What it said does not count.
    BadAnswer(String),
}

/// Asks. The type of the body is not looked at: what counts is the signature.
pub(super) async fn ask(
    fetcher: &Fetcher,
    supported: &WebPkiSupportedAlgorithms,
    config: &OcspConfig,
    subject: &Subject,
    responder: &Url,
    now: SystemTime,
) -> Result<Statement, Failure> {
    let nonce: [u8; NONCE_LENGTH] = rand::random();
    let nonce = (config.nonce != NonceUse::Off).then_some(&nonce[..]);
    let question = request::encode(&subject.id, nonce);
    let request = match request::travel(responder, question, nonce.is_some()) {
        Travel::Get(url) => fetcher.get(url),
        Travel::Post(body) => fetcher
            .post(responder.clone())
            .header(header::CONTENT_TYPE, "application/ocsp-request")
            .body(body),
    }
    .header(header::ACCEPT, "application/ocsp-response");
    let answer = match fetcher.send(request, Limits::short(MAX_BODY)).await {
        Ok(answer) => answer,
        Err(error @ FetchError::TooLong(_)) => return Err(Failure::BadAnswer(error.to_string())),
        Err(error) => return Err(Failure::Unwell(error.to_string())),
    };
    match answer.status {
        StatusCode::OK => {}
        status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
            return Err(Failure::Unwell(format!("it answered with status {status}")));
        }
        status => {
            return Err(Failure::Refused(format!(
                "it answered with status {status}"
            )));
        }
    }
    let question = Question {
        id: &subject.id,
        issuer: &subject.issuer,
        nonce,
        nonce_use: config.nonce,
        max_age: config.max_age,
    };
    verify::verify(supported, &question, &answer.body, now).map_err(failure)
}

fn failure(error: AnswerError) -> Failure {
    let why = error.to_string();
    if let AnswerError::Refusal(Refusal::TryLater | Refusal::InternalError) = error {
        Failure::Unwell(why)
    } else if let AnswerError::Refusal(_) = error {
        Failure::Refused(why)
    } else {
        Failure::BadAnswer(why)
    }
}
