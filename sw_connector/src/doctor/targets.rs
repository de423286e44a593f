//! The step `target`: are they there? Those of `allowed_targets` that name one host and one port, and those asked for.

use std::time::Duration;

use common::{
    doctor::{Line, Steps},
    target::Target,
    wire::open::{Refusal, RefusalCode},
};
use tokio::task::JoinSet;

use crate::{config::Config, target_dial};

const STEP: &str = "target";
/// How many are dialled; all at once.
const MOST: usize = 16;
/// How long each may take.
const DIAL_LIMIT: Duration = Duration::from_secs(5);

pub(super) async fn examine(config: &Config, wanted: Vec<Target>, steps: &Steps) {
    let (listed, wider) = config.targets.literals();
    steps
        .tell_all(overview(config.targets.is_open(), listed.len(), wider))
        .await;
    let mut targets = wanted;
    for target in listed {
        if !targets.contains(&target) {
            targets.push(target);
        }
    }
    let left_out = targets.len().saturating_sub(MOST);
    targets.truncate(MOST);
    let mut config = config.clone();
    config.dial_timeout = config.dial_timeout.min(DIAL_LIMIT);
    let mut dialling = JoinSet::new();
    for target in targets {
        let config = config.clone();
        dialling.spawn(async move {
            let dialled = target_dial::dial(&target, &config).await;
            judge(&target, dialled.map(drop))
        });
    }
    while let Some(Ok(line)) = dialling.join_next().await {
        steps.tell(line).await;
    }
    if left_out > 0 {
        let why = format!("{left_out} more were not dialled: name them with --target");
        steps.skip(&[STEP], &why).await;
    }
}

/// What there is to dial.
fn overview(open: bool, listed: usize, wider: usize) -> Option<Line> {
    match (open, listed, wider) {
        (true, _, _) => Some(Line::warn(
            STEP,
            "allowed_targets is not set: whoever commands the listener reaches everything that this machine can reach",
            "list what may be dialled, such as [\"127.0.0.1:22\"]".to_owned(),
        )),
        (false, 0, 0) => Some(Line::warn(
            STEP,
            "allowed_targets is empty: nothing can be reached",
            "list what may be dialled, such as [\"127.0.0.1:22\"]".to_owned(),
        )),
        (false, _, 0) => None,
        (false, _, wider) => Some(Line::skipped(
            STEP,
            format!(
                "{wider} of allowed_targets name a network, a range of ports or every port: --target HOST:PORT dials one \
                 of them"
            ),
        )),
    }
}

/// What dialling one has come to.
fn judge(target: &Target, dialled: Result<(), Refusal>) -> Line {
    let Refusal { code, message } = match dialled {
        Ok(()) => return Line::ok(STEP, format!("{target} takes connections")),
        Err(refusal) => refusal,
    };
    let advice = match code {
        RefusalCode::TargetDenied => "add it to allowed_targets if it shall be reachable",
        RefusalCode::DialRefused => "start the program there, or mend the port",
        RefusalCode::DialTimeout => "look for a firewall between, and whether the machine is up",
        RefusalCode::DialUnreachable => "mend the way there (routes, cables, firewalls)",
        RefusalCode::DnsFailed => "mend the name, or the resolver of this machine",
        RefusalCode::Limit => "raise the limit of open files (ulimit -n, LimitNOFILE)",
        RefusalCode::GrantInvalid | RefusalCode::ShuttingDown | RefusalCode::Other => {
            "look at the log of sw_connector"
        }
    };
    let named = message.starts_with(&target.to_string());
    let detail = match named {
        true => message,
        false => format!("{target}: {message}"),
    };
    Line::fail(STEP, detail, advice.to_owned())
}

#[cfg(test)]
mod tests {
    use common::doctor::Outcome;

    use super::*;

    #[test]
    fn every_refusal_has_its_advice() {
        let target: Target = "db.example:5432".parse().unwrap();
        assert_eq!(judge(&target, Ok(())).outcome, Outcome::Ok);
        for (code, part) in [
            (RefusalCode::TargetDenied, "allowed_targets"),
            (RefusalCode::DialRefused, "start the program"),
            (RefusalCode::DialTimeout, "firewall"),
            (RefusalCode::DnsFailed, "resolver"),
        ] {
            let message = "x".to_owned();
            let line = judge(&target, Err(Refusal { code, message }));
            assert_eq!(line.outcome, Outcome::Fail);
            assert!(line.detail.contains("db.example:5432"), "{line:?}");
            assert!(line.advice.unwrap().contains(part), "{code:?}");
        }
    }

    #[test]
    fn what_cannot_be_dialled_is_said() {
        assert_eq!(overview(true, 0, 0).unwrap().outcome, Outcome::Warn);
        assert_eq!(overview(false, 0, 0).unwrap().outcome, Outcome::Warn);
        assert_eq!(overview(false, 1, 0), None);
        assert_eq!(overview(false, 1, 2).unwrap().outcome, Outcome::Skipped);
    }
}
