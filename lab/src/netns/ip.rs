//! The program `ip` of iproute2.

use std::{
    io,
    path::Path,
    process::{Command, ExitStatus},
};

/// Why a call of `ip` has failed.
#[derive(Debug, thiserror::Error)]
pub enum IpError {
    /// It cannot be started.
    #[error("cannot run {program} (iproute2)")]
    Run {
        /// What was started.
        program: &'static str,
        /// Why it was not.
        source: io::Error,
    },
    /// It says no.
    #[error("ip {arguments}: {status}: {complaint}")]
    Failed {
        /// Its arguments.
        arguments: String,
        /// How it ended.
        status: ExitStatus,
        /// What it says about it.
        complaint: String,
    },
}

/// Where it is. PATH is not enough: users often lack the folders of system programs.
pub(super) fn program() -> &'static str {
    let places = ["/usr/sbin/ip", "/sbin/ip", "/usr/bin/ip", "/bin/ip"];
    let found = places.into_iter().find(|place| Path::new(place).exists());
    found.unwrap_or("ip")
}

/// Runs it to its end.
pub(super) fn run(arguments: &[&str]) -> Result<(), IpError> {
    let program = program();
    let output = Command::new(program).args(arguments).output();
    let output = output.map_err(|source| IpError::Run { program, source })?;
    if output.status.success() {
        return Ok(());
    }
    Err(IpError::Failed {
        arguments: arguments.join(" "),
        status: output.status,
        complaint: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}
