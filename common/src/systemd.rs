//! What the service manager is told (sd_notify(3)). Outside systemd every call does nothing.

use std::{future::Future, time::Duration};

use sd_notify::NotifyState;
use tracing::warn;

/// The daemon serves.
pub fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// The daemon drains.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// The daemon re-reads its files; [`ready`] follows.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => warn!(%error, "cannot tell the service manager"),
    }
}

/// Feeds the watchdog for as long as `turn`, a turn of the control loop, completes in time; for ever.
pub async fn feed_watchdog<F: Future<Output = ()>>(turn: impl Fn() -> F) {
    let Some(interval) = sd_notify::watchdog_enabled() else {
        return std::future::pending().await;
    };
    let pause = interval / 3;
    loop {
        turn().await;
        tell(&[NotifyState::Watchdog]);
        tokio::time::sleep(pause.max(Duration::from_millis(1))).await;
    }
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        warn!(%error, "cannot tell the service manager");
    }
}
