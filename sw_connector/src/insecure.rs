//! What is said of settings for development, at the start and every hour.

use std::time::Duration;

use tracing::warn;

/// How long nobody is reminded.
const INTERVAL: Duration = Duration::from_secs(3600);

/// Warns that listeners are not verified, again and again.
///
/// # Cancel safety
/// Cancel safe.
pub(crate) async fn remind() {
    let mut hours = tokio::time::interval(INTERVAL);
    loop {
        hours.tick().await;
        warn!(
            "insecure_skip_server_verification is set: whoever answers at the listener's address is taken for the \
             listener, and commands this connector; it is for development only"
        );
    }
}
