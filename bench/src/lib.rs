//! How fast socket-warp is, beside direct TCP and other tunnels that are installed.
//!
//! The release binaries run as separate processes in network namespaces of their own; clients and targets are threads of
//! this program. It reports and never judges: no figure makes it fail, only something that does not work.

pub mod contender;
pub mod house;
pub mod http;
pub mod load;
pub mod measure;
pub mod options;
pub mod place;
pub mod ports;
pub mod process;
pub mod program;
pub mod report;
pub mod run;
pub mod scenario;
pub mod site;

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Time between two looks at something that cannot be waited for.
const LOOK: Duration = Duration::from_millis(10);

/// Looks until it is so.
///
/// # Errors
/// When it is not within `limit`, or looking fails.
pub fn until(limit: Duration, mut is_so: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + limit;
    while !is_so()? {
        if Instant::now() > deadline {
            bail!("not within {} s", limit.as_secs());
        }
        std::thread::sleep(LOOK);
    }
    Ok(())
}
