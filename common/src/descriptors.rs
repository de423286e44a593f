//! The limit of open descriptors: every client and every target is one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::{debug, warn};

/// Raises the soft limit to the hard one, and returns what is in force; `None`: unlimited. The low soft limit is for
/// programs that use select(2); tokio does not.
pub fn raise_limit() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => {
            debug!(limit = ?limit.maximum, "limit of open descriptors");
            limit.maximum
        }
        Err(error) => {
            warn!(%error, limit = ?limit.current, "cannot raise the limit of open descriptors");
            limit.current
        }
    }
}
