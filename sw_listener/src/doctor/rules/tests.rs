use common::doctor::Outcome;

use super::*;
use crate::policy::{ScepError, chain::ChainError, crl::SourceStatus, lists::ListFinding};

const DAY: Duration = Duration::from_secs(86_400);

fn fact(next_update: SystemTime) -> CrlFact {
    CrlFact {
        issuer: "Plant CA".to_owned(),
        this_update: next_update - 7 * DAY,
        next_update,
        revoked: 4,
        source: "plant.crl".into(),
    }
}

fn source(good: bool, error: Option<&str>) -> SourceStatus {
    SourceStatus {
        source: "plant.crl".into(),
        last_good: good.then_some(SystemTime::UNIX_EPOCH),
        last_error: error.map(str::to_owned),
    }
}

#[test]
fn a_list_that_is_over_or_missing_is_told() {
    let now = SystemTime::UNIX_EPOCH + 30 * DAY;
    let status = |fact, source| CrlStatus {
        reloads: 0,
        facts: vec![fact],
        sources: vec![source],
    };
    let well = judge_crls(&status(fact(now + 2 * DAY), source(true, None)), &[], now);
    assert_eq!(well.len(), 1);
    assert_eq!(well[0].outcome, Outcome::Ok);
    assert!(well[0].detail.contains("4 revoked") && well[0].detail.contains("in 2 days"));
    let bad = status(
        fact(now - DAY),
        source(true, Some("cannot read plant.crl: gone")),
    );
    let bad = judge_crls(&bad, &["Other CA".to_owned()], now);
    let outcomes: Vec<_> = bad.iter().map(|line| line.outcome).collect();
    assert_eq!(outcomes, [Outcome::Fail, Outcome::Fail, Outcome::Warn]);
    assert_eq!(bad[0].detail, "cannot read plant.crl: gone");
    let silent = judge_crls(&status(fact(now), source(false, None)), &[], now);
    assert!(
        silent[0].detail.contains("plant.crl: no answer in time"),
        "{silent:?}"
    );
}

#[test]
fn a_refusal_has_its_code_and_both_sides_words() {
    let scep = judge_decision("device1", Err(ScepError::Refused.into()));
    assert_eq!(scep.outcome, Outcome::Fail);
    assert!(
        scep.detail.contains("[scep_refused]") && scep.detail.contains("401"),
        "{scep:?}"
    );
    let chain = judge_decision("device1", Err(ChainError::Expired.into()));
    assert!(chain.detail.contains("has expired"), "{chain:?}");
    let list = judge_decision("device1", Err(ListFinding::NotAllowed.into()));
    assert!(list.detail.contains("[not_on_allow_list]"), "{list:?}");
}

#[test]
fn lists_are_counted() {
    let lists = |allow: &[&str], deny: &[&str]| {
        let parse = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        let config = ListsConfig {
            allow: parse(allow),
            deny: parse(deny),
            ..ListsConfig::default()
        };
        judge_lists(&ListFiles::open(config).map(|(_, lists)| lists))
    };
    assert!(lists(&[], &[]).detail.contains("whoever the CA"));
    let counted = lists(&["device1", "plant-*"], &["device9"]);
    assert_eq!(counted.detail, "2 entries allow, 1 deny");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("allow");
    std::fs::write(&path, "# nobody\n").unwrap();
    let config = ListsConfig {
        allow_path: Some(path),
        ..ListsConfig::default()
    };
    let empty = judge_lists(&ListFiles::open(config).map(|(_, lists)| lists));
    assert_eq!(empty.outcome, Outcome::Warn);
}
