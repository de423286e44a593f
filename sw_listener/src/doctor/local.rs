//! The steps on this machine that need no port: settings, files, dates, clock, limits.

use std::{sync::Arc, time::SystemTime};

use common::{
    descriptors,
    doctor::{Line, Steps, certificates},
    tls::{CertificateFacts, Demands, Occasion, Role},
};
use time::OffsetDateTime;

use crate::{config::Config, limits::Limits, policy::chain::Authorities};

/// The CAs of connectors, if the files can be used.
pub(super) async fn examine(config: &Config, steps: &Steps) -> Option<Arc<Authorities>> {
    let what = format!("UDP {}, API on TCP {}", config.quic, config.api.address);
    steps.tell(Line::ok("settings", what)).await;
    let demands = Demands {
        role: Role::Listener,
        // A certificate that is over is told by its own step.
        occasion: Occasion::Start,
        names: &config.server_names,
        tls: &config.tls,
    };
    let now = SystemTime::now();
    let loaded = config.files.load(&demands, now);
    steps.tell_all(certificates::files(&loaded)).await;
    let Ok(loaded) = loaded else {
        steps
            .skip(&["dates", "clock"], "the certificates cannot be used")
            .await;
        return None;
    };
    let items = loaded.items(&config.files);
    let now = OffsetDateTime::from(now);
    let days = config.expiry_warning_days;
    steps.tell_all(certificates::dates(&items, days, now)).await;
    let facts: Vec<CertificateFacts> = [loaded.chain_facts.as_slice(), &loaded.ca_facts].concat();
    steps.tell(certificates::clock(&facts, now)).await;
    Some(Arc::new(Authorities {
        roots: loaded.ca,
        certificates: loaded.ca_certificates,
    }))
}

/// Step `limits`: descriptors against `max_streams`.
pub(super) fn limits(max_streams: usize) -> Line {
    let descriptors = descriptors::raise_limit();
    judge_limits(max_streams, Limits::possible(descriptors))
}

fn judge_limits(max_streams: usize, possible: usize) -> Line {
    let step = "limits";
    if possible >= max_streams {
        return Line::ok(
            step,
            format!("descriptors are enough for max_streams ({max_streams})"),
        );
    }
    Line::warn(
        step,
        format!(
            "the limit of open files is enough for {possible} streams, and max_streams is {max_streams}"
        ),
        "raise it (LimitNOFILE of the service, ulimit -Hn), or lower max_streams".to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use common::doctor::Outcome;

    use super::*;

    #[test]
    fn too_few_descriptors_are_a_warning() {
        assert_eq!(judge_limits(100, 100).outcome, Outcome::Ok);
        let few = judge_limits(100, 99);
        assert_eq!(few.outcome, Outcome::Warn);
        assert!(few.advice.unwrap().contains("LimitNOFILE"));
    }
}
