//! Renewal: runs a command before the certificate ends, and looks at what it made.
//!
//! [`schedule`] says when, [`run`] runs it, and this task joins the two: it reads the files anew each time, so that it
//! does not matter who replaces them.

mod attempt;
mod environment;
mod output;
mod run;
mod schedule;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use common::tls::{CertificateFacts, expiry::days_left};
use time::OffsetDateTime;
use tokio::{sync::watch, time::sleep};
use tracing::{error, info, warn};

pub(crate) use self::schedule::Plan;
use self::{
    attempt::{Attempt, RenewError, Seen},
    schedule::{Reason, Schedule, Step, until},
};
use crate::{config::RenewConfig, daemon::Context};

/// How long the task may take to end once the connector stops.
pub(crate) const END_LIMIT: Duration = attempt::GRACE.saturating_add(Duration::from_secs(2));

/// Files that cannot be used are looked at again after this time: they may just be being replaced.
const SETTLE: Duration = Duration::from_secs(2);

/// Renews until the connector stops. `renewed` is called after each success, once the certificate is valid; `reloads`
/// changes when files may have changed.
pub(crate) async fn run(
    renew: RenewConfig,
    context: Arc<Context>,
    renewed: impl Fn(),
    mut reloads: watch::Receiver<()>,
) {
    let Context {
        config, shutdown, ..
    } = &*context;
    let in_force = || context.material.borrow().clone();
    let mut schedule = Schedule::new(renew.plan(), rand::random());
    let mut told = None;
    let mut valid_from = None;
    loop {
        let Some(seen) = look(&context).await else {
            return;
        };
        doubt_days(&renew, &seen, &mut told);
        let now = OffsetDateTime::now_utc();
        match schedule.next(now, Instant::now(), seen.validity()) {
            Step::Wait(wait) => {
                let until_valid = valid_from.map(|from| until(now, from));
                tokio::select! {
                    () = sleep(until_valid.map_or(wait, |other| wait.min(other))) => {}
                    Ok(()) = reloads.changed() => {}
                    () = shutdown.draining() => return,
                }
                if valid_from.take_if(is_past).is_some() {
                    renewed();
                }
            }
            Step::Run(reason) => {
                let attempt = Attempt::new(&renew, config, seen, reason, now);
                match attempt.run(in_force().as_deref(), shutdown).await {
                    Ok(new) => {
                        schedule.succeeded(Instant::now());
                        tell_success(&attempt.seen, &new);
                        if shutdown.is_draining() {
                            return;
                        }
                        valid_from = Some(new.not_before);
                        if valid_from.take_if(is_past).is_some() {
                            renewed();
                        }
                    }
                    Err(RenewError::Stopped) => return,
                    Err(error) => {
                        let retry_in = schedule.failed(Instant::now(), rand::random());
                        tell_failure(&attempt.seen, reason, &error, retry_in);
                    }
                }
            }
        }
    }
}

/// Whether this moment has come.
fn is_past(moment: &mut OffsetDateTime) -> bool {
    *moment <= OffsetDateTime::now_utc()
}

/// What the files hold; `None` when the connector stops meanwhile.
async fn look(context: &Context) -> Option<Seen> {
    let read = async || {
        let in_force = context.material.borrow().clone();
        let now = OffsetDateTime::now_utc();
        Seen::read(&context.config, in_force.as_deref(), now).await
    };
    let looking = async {
        let seen = read().await;
        if seen.is_usable() {
            return seen;
        }
        sleep(SETTLE).await;
        read().await
    };
    tokio::select! {
        seen = looking => Some(seen),
        () = context.shutdown.draining() => None,
    }
}

/// Says once for each certificate that `renew.before_days` does not fit it.
fn doubt_days(renew: &RenewConfig, seen: &Seen, told: &mut Option<String>) {
    let Some((facts, validity)) = seen.facts.as_ref().zip(seen.validity()) else {
        return;
    };
    if renew.plan().exceeds(validity) && told.as_ref() != Some(&facts.serial) {
        warn!(
            "renew.before_days is more than the lifetime of the certificate: it is renewed when a third of it is left"
        );
        *told = Some(facts.serial.clone());
    }
}

fn tell_success(old: &Seen, new: &CertificateFacts) {
    let CertificateFacts {
        subject,
        serial,
        not_after,
        ..
    } = new;
    info!(%subject, serial, %not_after, "certificate renewed");
    let not_before = new.not_before;
    if not_before > OffsetDateTime::now_utc() {
        info!(%not_before, "the new certificate is not valid yet: until then the old one stays in force");
    }
    if let Some(old) = &old.facts
        && old.common_name != new.common_name
    {
        warn!(
            before = old.subject,
            now = new.subject,
            "the new certificate has another name: the listener may take this for another connector"
        );
    }
}

fn tell_failure(seen: &Seen, reason: Reason, error: &RenewError, retry_in: Duration) {
    let (output, left_out) = error.output();
    let (reason, retry_in) = (reason.word(), retry_in.as_secs_f32());
    let now = OffsetDateTime::now_utc();
    let left = seen.facts.as_ref().map(|f| days_left(now, f.not_after));
    error!(
        reason, %error, output = ?output, output_left_out = left_out, days_left = left, retry_in_seconds = retry_in,
        "the certificate was not renewed"
    );
}
