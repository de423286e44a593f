//! The steps `lists`, `crl` and `decision`: the rules as a listener would put them into force, and what they say of a
//! certificate.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use common::{
    doctor::{Line, Steps},
    tls::{CertificateFacts, load_certificates},
};
use rustls::pki_types::CertificateDer;
use time::OffsetDateTime;
use tokio::{sync::watch, task::JoinSet, time::timeout};

use super::servers;
use crate::{
    config::{Config, ListsConfig, PolicyConfig},
    policy::{
        self, Denial, Permit, Policy, PolicyError, Started,
        chain::{self, Authorities},
        crl::{CrlFact, CrlHandle, CrlStatus},
        lists::{ListFiles, ListProblem, Lists},
    },
};

/// How long all lists together may take; one takes 5 s at most.
const CRL_LIMIT: Duration = Duration::from_secs(7);

pub(super) async fn examine(
    config: &Config,
    authorities: Option<Arc<Authorities>>,
    certificate: Option<PathBuf>,
    steps: &Steps,
) {
    let lists = ListFiles::open(config.policy.lists.clone()).map(|(_, lists)| lists);
    steps.tell(judge_lists(&lists)).await;
    let Some(authorities) = authorities else {
        steps.skip(&["crl"], "ca_path cannot be used").await;
        steps
            .tell_all(servers::examine(&config.policy, false).await)
            .await;
        return decision_skipped(certificate, "ca_path cannot be used", steps).await;
    };
    // What is bad was told; the rest is looked at all the same.
    let mut policy = config.policy.clone();
    if lists.is_err() {
        policy.lists = ListsConfig::default();
    }
    let started = start(config, policy, authorities.clone()).await;
    let mut keepers = JoinSet::new();
    let (policy, crl, _keeper) = match started {
        Ok(Started {
            policy,
            keeper,
            crl_keeper,
            crl,
        }) => {
            if let Some(task) = crl_keeper {
                keepers.spawn(task.run());
            }
            (policy, crl, keeper)
        }
        Err(error) => {
            steps.skip(&["crl"], &error.to_string()).await;
            steps
                .tell_all(servers::examine(&config.policy, false).await)
                .await;
            return decision_skipped(certificate, &error.to_string(), steps).await;
        }
    };
    steps.tell_all(crls(crl, &authorities).await).await;
    let later = certificate.is_some();
    steps
        .tell_all(servers::examine(&config.policy, later).await)
        .await;
    match (certificate, lists) {
        (Some(file), Ok(_)) => steps.tell(decide(&file, &policy).await).await,
        (certificate, _) => decision_skipped(certificate, "a list cannot be read", steps).await,
    }
}

/// The rules without what a running listener has kept: `state_dir` is its own.
async fn start(
    config: &Config,
    policy: PolicyConfig,
    authorities: Arc<Authorities>,
) -> Result<Started, PolicyError> {
    let (_, authorities) = watch::channel(authorities);
    policy::start(policy, None, &config.tls, authorities).await
}

/// Step `lists`.
fn judge_lists(lists: &Result<Arc<Lists>, ListProblem>) -> Line {
    let step = "lists";
    match lists.as_ref().map(|lists| lists.counts()) {
        Err(problem) => Line::fail(
            step,
            problem.to_string(),
            "mend it: sw_listener does not start with it, and a running one keeps what the file held before".to_owned(),
        ),
        Ok((Some(0), _)) => Line::warn(
            step,
            "the allow list is empty: no connector may come in",
            "add who may connect to allow_list_path, or take that setting out".to_owned(),
        ),
        Ok((None, 0)) => Line::ok(step, "no allow list, and nobody is denied: whoever the CA vouches for"),
        Ok((None, deny)) => Line::ok(step, format!("no allow list; {deny} entries deny")),
        Ok((Some(allow), deny)) => Line::ok(step, format!("{allow} entries allow, {deny} deny")),
    }
}

/// Step `crl`: waits until every source has been read or fetched once.
async fn crls(crl: Option<CrlHandle>, authorities: &Authorities) -> Vec<Line> {
    let Some(crl) = crl else {
        return vec![Line::skipped(
            "crl",
            "neither crl_paths nor crl_urls is set: no revocation list is looked up",
        )];
    };
    let mut status = crl.status();
    let all = |status: &Arc<CrlStatus>| {
        let mut sources = status.sources.iter();
        sources.all(|source| source.last_good.is_some() || source.last_error.is_some())
    };
    // Whoever has not answered by then is told below.
    let _ = timeout(CRL_LIMIT, status.wait_for(all)).await;
    let status = status.borrow().clone();
    let snapshot = crl.snapshots().borrow().clone();
    let covered =
        |der: &CertificateDer<'_>| chain::issuer(der).is_some_and(|ca| snapshot.covers(&ca));
    let missing = authorities.certificates.iter().filter(|der| !covered(der));
    let missing = missing.filter_map(|der| CertificateFacts::from_der(der).ok());
    let missing: Vec<_> = missing.map(|facts| facts.name().to_owned()).collect();
    judge_crls(&status, &missing, SystemTime::now())
}

fn judge_crls(status: &CrlStatus, missing: &[String], now: SystemTime) -> Vec<Line> {
    let step = "crl";
    let mut lines = Vec::new();
    for source in &status.sources {
        let name = &source.source;
        let (what, advice) = match (&source.last_error, source.last_good) {
            (Some(error), _) => (
                error.as_str(),
                "mend it: a running listener goes on with the newest list that it has",
            ),
            (None, None) => ("no answer in time", "look at the server"),
            (None, Some(_)) => continue,
        };
        // Most errors of files name the file.
        let detail = match what.contains(&**name) {
            true => what.to_owned(),
            false => format!("{name}: {what}"),
        };
        lines.push(Line::fail(step, detail, advice.to_owned()));
    }
    lines.extend(status.facts.iter().map(|fact| judge_fact(fact, now)));
    lines.extend(missing.iter().map(|ca| {
        Line::warn(
            step,
            format!("there is no list of the CA {ca:?}: connectors with a certificate that it has issued are refused"),
            "add its list to crl_paths or crl_urls".to_owned(),
        )
    }));
    lines
}

fn judge_fact(fact: &CrlFact, now: SystemTime) -> Line {
    let step = "crl";
    let CrlFact {
        issuer,
        revoked,
        source,
        ..
    } = fact;
    let end = OffsetDateTime::from(fact.next_update);
    let days = common::tls::expiry::days_left(now.into(), end);
    let what = format!(
        "{issuer:?} in {source}: {revoked} revoked, next update due on {}",
        end.date()
    );
    match days {
        0.. => Line::ok(step, format!("{what} (in {days} days)")),
        _ => Line::fail(
            step,
            format!(
                "{what}, which has passed: connectors with a certificate of this CA are refused"
            ),
            "get the current list from the CA (sw_listener pki crl)".to_owned(),
        ),
    }
}

async fn decision_skipped(certificate: Option<PathBuf>, why: &str, steps: &Steps) {
    if certificate.is_some() {
        steps.skip(&["decision"], why).await;
    }
}

/// Step `decision`: what the listener would say to a connector with the certificate in this file.
async fn decide(file: &Path, policy: &Policy) -> Line {
    match load_certificates(file) {
        Ok(chain) => {
            let name = chain
                .first()
                .and_then(|leaf| CertificateFacts::from_der(leaf).ok());
            let name = name
                .map(|facts| facts.name().to_owned())
                .unwrap_or_default();
            judge_decision(&name, policy.evaluate(&chain).await)
        }
        Err(error) => Line::fail("decision", error.to_string(), None),
    }
}

fn judge_decision(name: &str, decision: Result<Permit, Denial>) -> Line {
    let step = "decision";
    let denial = match decision {
        Ok(permit) => {
            let uid = &permit.identity().uid;
            return Line::ok(step, format!("{name:?} would be let in, as UID {uid}"));
        }
        Err(denial) => denial,
    };
    let advice = match denial {
        Denial::Identity(_) => {
            Some("have it issued with one UID in the place that uid_source names")
        }
        Denial::Chain(_) => {
            Some("the file must hold the leaf first, then its intermediates; ca_path their CA")
        }
        Denial::Scep(_) if !denial.is_definite() => Some("look at the SCEP server's log"),
        Denial::Ocsp(_) if !denial.is_definite() => Some("look at the responder"),
        Denial::List(_) | Denial::Crl(_) | Denial::Ocsp(_) | Denial::Scep(_) => None,
    };
    let detail = format!(
        "{name:?} would be refused [{}]: {denial} (the connector is told: {})",
        denial.code(),
        denial.told()
    );
    Line::fail(step, detail, advice.map(str::to_owned))
}

#[cfg(test)]
mod tests;
