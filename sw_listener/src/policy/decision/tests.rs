//! The fail matrix, row by row: what a finding means for a new session, and for a live one.

use std::time::SystemTime;

use common::wire::close::CloseCode;
use reqwest::StatusCode;
use x509_parser::x509::ReasonCode;

use super::*;
use crate::policy::{chain::ChainError, fetch::FetchError, ocsp::Whose};

const GRACE: Duration = Duration::from_secs(900);

fn fine() -> Findings {
    Findings {
        lists: Ok(()),
        crl: Ok(()),
        ocsp: Ok(()),
        scep: Ok(()),
    }
}

fn crl_revoked() -> CrlFinding {
    CrlFinding::Revoked {
        issuer: "Plant CA".to_owned(),
        date: SystemTime::UNIX_EPOCH + Duration::from_secs(1_793_577_600),
        reason: ReasonCode::Unspecified,
        serial: "01".to_owned(),
        leaf: true,
    }
}

fn ocsp_revoked() -> OcspFinding {
    OcspFinding::Revoked {
        whose: Whose::Leaf,
        when: SystemTime::UNIX_EPOCH,
        reason: None,
        responder: "http://ocsp.example/".to_owned(),
    }
}

fn crl_missing() -> CrlFinding {
    CrlFinding::Missing {
        issuer: "Plant CA".to_owned(),
    }
}

fn ocsp_unavailable() -> OcspFinding {
    OcspFinding::Unavailable {
        whose: Whose::Leaf,
        responder: "http://ocsp.example/".to_owned(),
        why: "no answer".to_owned(),
    }
}

/// A finding, the code that a new session is refused with (`None`: let in), and whether a live one ends at once.
type Row = (Findings, Option<(&'static str, CloseCode)>, bool);

fn matrix() -> Vec<Row> {
    use CloseCode::{CertificateRevoked, PolicyDenied, VerifierUnavailable};
    let lists = |finding| Findings {
        lists: Err(finding),
        ..fine()
    };
    let crl = |finding| Findings {
        crl: Err(finding),
        ..fine()
    };
    let ocsp = |finding| Findings {
        ocsp: Err(finding),
        ..fine()
    };
    let scep = |error| Findings {
        scep: Err(error),
        ..fine()
    };
    let issuer = || "Plant CA".to_owned();
    let responder = || "http://ocsp.example/".to_owned();
    let whose = Whose::Leaf;
    let since = SystemTime::UNIX_EPOCH;
    let unavailable = |code| Some((code, VerifierUnavailable));
    vec![
        (fine(), None, false),
        (
            scep(ScepError::Refused),
            Some(("scep_refused", PolicyDenied)),
            true,
        ),
        (
            scep(ScepError::OtherUid("x".to_owned())),
            Some(("scep_other_uid", PolicyDenied)),
            true,
        ),
        (
            crl(crl_revoked()),
            Some(("crl_revoked", CertificateRevoked)),
            true,
        ),
        (
            ocsp(ocsp_revoked()),
            Some(("ocsp_revoked", CertificateRevoked)),
            true,
        ),
        (
            lists(ListFinding::NotAllowed),
            Some(("not_on_allow_list", PolicyDenied)),
            true,
        ),
        (
            scep(ScepError::Status(StatusCode::INTERNAL_SERVER_ERROR)),
            unavailable("scep_unavailable"),
            false,
        ),
        (
            scep(ScepError::Answer("garbage".to_owned())),
            unavailable("scep_unavailable"),
            false,
        ),
        (
            scep(ScepError::Fetch(FetchError::GivenUp)),
            unavailable("scep_unavailable"),
            false,
        ),
        (crl(crl_missing()), unavailable("crl_missing"), false),
        (
            crl(CrlFinding::Expired {
                issuer: issuer(),
                since,
            }),
            unavailable("crl_expired"),
            false,
        ),
        (
            crl(CrlFinding::NotYetValid {
                issuer: issuer(),
                from: since,
            }),
            unavailable("crl_not_yet_valid"),
            false,
        ),
        (
            crl(CrlFinding::BadSignature {
                issuer: issuer(),
                why: "x".to_owned(),
            }),
            unavailable("crl_bad_signature"),
            false,
        ),
        (
            ocsp(OcspFinding::Unknown {
                whose: whose.clone(),
                responder: responder(),
            }),
            unavailable("ocsp_unknown"),
            false,
        ),
        (
            ocsp(ocsp_unavailable()),
            unavailable("ocsp_unavailable"),
            false,
        ),
        (
            ocsp(OcspFinding::BadAnswer {
                whose: whose.clone(),
                responder: responder(),
                why: "x".to_owned(),
            }),
            unavailable("ocsp_bad_answer"),
            false,
        ),
        (
            ocsp(OcspFinding::NoResponder { whose }),
            unavailable("ocsp_no_responder"),
            false,
        ),
        // A verdict is not hidden by a check that could not be made, wherever it stands.
        (
            Findings {
                crl: Err(crl_missing()),
                scep: Err(ScepError::Refused),
                ..fine()
            },
            Some(("scep_refused", PolicyDenied)),
            true,
        ),
        (
            Findings {
                crl: Err(crl_missing()),
                ocsp: Err(ocsp_revoked()),
                ..fine()
            },
            Some(("ocsp_revoked", CertificateRevoked)),
            true,
        ),
        (
            Findings {
                crl: Err(crl_missing()),
                ocsp: Err(ocsp_unavailable()),
                ..fine()
            },
            unavailable("crl_missing"),
            false,
        ),
    ]
}

#[test]
fn no_row_tells_peers_of_servers() {
    for (findings, ..) in matrix() {
        let told = decide(findings).err().map(|denial| denial.told());
        assert!(!told.unwrap_or_default().contains("ocsp.example"));
    }
}

#[test]
fn new_sessions() {
    for (findings, refused, _) in matrix() {
        let text = format!("{findings:?}");
        let decided = decide(findings).err();
        let got = decided.map(|denial| (denial.code(), denial.close_code()));
        assert_eq!(got, refused, "{text}");
    }
}

#[test]
fn live_sessions() {
    let start = Instant::now();
    for (findings, refused, at_once) in matrix() {
        let text = format!("{findings:?}");
        let mut standing = Standing::new(start);
        let sentence = standing.judge(decide(findings), Depth::Full, start, GRACE);
        match (refused, at_once) {
            (None, _) => assert!(matches!(sentence, Sentence::Keep), "{text}"),
            (Some(_), false) => assert!(matches!(sentence, Sentence::Tolerate(_)), "{text}"),
            (Some(_), true) => assert!(matches!(sentence, Sentence::Close(_)), "{text}"),
        }
    }
}

#[test]
fn what_cannot_be_checked_is_kept_for_the_grace_and_told_once() {
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let trouble = || {
        decide(Findings {
            ocsp: Err(ocsp_unavailable()),
            ..fine()
        })
    };
    let mut standing = Standing::new(start);
    let mut judge = |outcome, depth, seconds| standing.judge(outcome, depth, at(seconds), GRACE);
    assert!(matches!(
        judge(trouble(), Depth::Full, 40),
        Sentence::Tolerate(_)
    ));
    assert!(matches!(judge(trouble(), Depth::Full, 80), Sentence::Keep));
    assert!(matches!(judge(Ok(()), Depth::Full, 120), Sentence::Keep));
    assert!(matches!(
        judge(trouble(), Depth::Full, 160),
        Sentence::Tolerate(_)
    ));
    // What is known here does not make up for the servers.
    assert!(matches!(judge(Ok(()), Depth::Local, 600), Sentence::Keep));
    assert!(matches!(
        judge(trouble(), Depth::Full, 1019),
        Sentence::Keep
    ));
    assert!(matches!(
        judge(trouble(), Depth::Full, 1020),
        Sentence::Close(_)
    ));
}

/// With a check an hour, 15 minutes of grace became an hour.
#[test]
fn the_end_of_the_grace_is_not_slept_through() {
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let mut standing = Standing::new(start);
    assert_eq!(standing.due(at(3600), GRACE), at(3600));
    standing.judge(Err(ocsp_unavailable().into()), Depth::Full, at(100), GRACE);
    assert_eq!(standing.due(at(3700), GRACE), at(900));
    assert_eq!(standing.due(at(140), GRACE), at(140));
    standing.judge(Ok(()), Depth::Full, at(140), GRACE);
    assert_eq!(standing.due(at(3740), GRACE), at(3740));
}

/// A clock that was set back ended all sessions at once.
#[test]
fn a_clock_that_was_set_back_has_the_grace() {
    let start = Instant::now();
    let early = || Denial::from(ChainError::NotYetValid);
    for depth in [Depth::Local, Depth::Full] {
        let mut standing = Standing::new(start);
        let at_once = standing.judge(Err(early()), depth, start, GRACE);
        assert!(matches!(at_once, Sentence::Tolerate(_)));
        let later = standing.judge(Err(early()), depth, start + GRACE, GRACE);
        assert!(matches!(later, Sentence::Close(_)));
        let over = Err(ChainError::Expired.into());
        let over = Standing::new(start).judge(over, depth, start, GRACE);
        assert!(matches!(over, Sentence::Close(_)));
    }
    assert_eq!(
        early().close_code(),
        CloseCode::PolicyDenied,
        "a new session is refused"
    );
}

#[test]
fn nobody_is_asked_about_a_certificate_that_is_refused_anyway() {
    assert!(!fine().are_final());
    assert!(
        !Findings {
            crl: Err(crl_missing()),
            ..fine()
        }
        .are_final()
    );
    assert!(
        Findings {
            crl: Err(crl_revoked()),
            ..fine()
        }
        .are_final()
    );
    assert!(
        Findings {
            lists: Err(ListFinding::NotAllowed),
            ..fine()
        }
        .are_final()
    );
}

#[test]
fn peers_are_told_what_they_can_act_on_and_nothing_else() {
    let denial = Denial::from(crl_revoked());
    assert_eq!(
        denial.told(),
        "certificate revoked on 2026-11-02 (CRL of \"Plant CA\"): ask the operator for a new one"
    );
    assert_eq!(
        Denial::from(ocsp_revoked()).told(),
        "certificate revoked on 1970-01-01 (OCSP): ask the operator for a new one"
    );
    assert!(ocsp_revoked().to_string().contains("http://ocsp.example/"));
    let hidden = Denial::from(ocsp_unavailable()).told();
    assert!(!hidden.contains("ocsp.example"), "{hidden}");
    let place = crate::policy::lists::Place::Setting("deny");
    let entry = "uid:x".parse().unwrap();
    let told = Denial::from(ListFinding::Denied { entry, place }).told();
    assert!(!told.contains("uid:x"), "{told}");
    assert!(Denial::from(ScepError::OtherUid("x".to_owned())).is_alarming());
    assert!(Denial::from(ChainError::Expired).is_definite());
}
