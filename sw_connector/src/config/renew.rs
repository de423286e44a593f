//! The table `renew`.

use std::time::Duration;

use common::config::{CommandLine, Settings};

use crate::renew::Plan;

/// How the certificate is renewed.
#[derive(Debug, Clone)]
pub struct RenewConfig {
    /// Puts a new certificate into the files.
    pub command: CommandLine,
    /// How long before the certificate's end it runs; `None`: a third of its lifetime.
    pub before: Option<Duration>,
    /// Longest wait between two tries.
    pub retry: Duration,
    /// How long the command may take.
    pub timeout: Duration,
    /// Variables of our own environment that the command gets, too.
    pub pass_environment: Vec<String>,
}

impl RenewConfig {
    pub(crate) fn plan(&self) -> Plan {
        Plan {
            before: self.before,
            retry: self.retry,
        }
    }
}

/// `None` when nothing is to be renewed.
pub(super) fn read(s: &mut Settings) -> Option<RenewConfig> {
    let is_there = s.has_table("renew");
    let has_command = s.has("renew.command");
    let seconds = Duration::from_secs;
    let command = s.command("renew.command");
    let before = s.optional_number("renew.before_days", 1..=3650);
    let retry = s.number("renew.retry_seconds", 1..=604_800, 3600);
    let timeout = s.number("renew.timeout_seconds", 1..=86_400, 300);
    let pass_environment = s.list("renew.pass_environment").unwrap_or_default();
    if is_there && !has_command {
        s.missing(
            "renew.command",
            "what puts a new certificate into the files: a list (program, arguments), or a line for the shell",
        );
    }
    Some(RenewConfig {
        command: command?,
        before: before.map(|days: u64| seconds(days * 86_400)),
        retry: seconds(retry),
        timeout: seconds(timeout),
        pass_environment,
    })
}
