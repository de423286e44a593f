//! One try: the command, and then whether there is a newer certificate that can be used.

use std::{
    io,
    path::PathBuf,
    process::{Command, ExitStatus},
    time::Duration,
};

use common::{
    config::CommandLine,
    shutdown::Shutdown,
    tls::{CertificateFacts, CertificateFiles, Occasion},
};
use thiserror::Error;
use time::OffsetDateTime;

use super::{
    environment::{Subject, environment},
    run::{Ending, Limits, Ran, run},
    schedule::{Reason, Validity},
};
use crate::{
    config::{Config, RenewConfig},
    material::{Material, MaterialError},
};

/// Between SIGTERM and SIGKILL.
pub(super) const GRACE: Duration = Duration::from_secs(10);

/// Why there is no new certificate.
#[derive(Debug, Error)]
pub(super) enum RenewError {
    #[error("cannot run {program} (renew.command): {source}")]
    Run { program: PathBuf, source: io::Error },
    #[error("renew.command failed: {status}")]
    Exit { status: ExitStatus, ran: Ran },
    #[error("renew.command did not end within {limit:?} (renew.timeout_seconds) and was ended")]
    TimeLimit { limit: Duration, ran: Ran },
    #[error(
        "renew.command ended well, but {path} holds the same certificate as before; it must put the new one there \
         (SOCKET_WARP_CERT_PATH)"
    )]
    Unchanged { path: PathBuf, ran: Ran },
    #[error(
        "renew.command ended well, but the certificate that it put into {path} ends on {not_after}, which is not later \
         than before"
    )]
    NotNewer {
        path: PathBuf,
        not_after: OffsetDateTime,
        ran: Ran,
    },
    #[error("renew.command ended well, but what it made cannot be used: {source}")]
    Unusable {
        source: Box<MaterialError>,
        ran: Ran,
    },
    #[error("{path}: it cannot be told when the new certificate ends")]
    Unreadable { path: PathBuf, ran: Ran },
    #[error("the connector stops")]
    Stopped,
}

impl RenewError {
    /// The end of what the command wrote, and how many bytes came before it.
    pub(super) fn output(&self) -> (&str, u64) {
        match self {
            Self::Exit { ran, .. }
            | Self::TimeLimit { ran, .. }
            | Self::Unchanged { ran, .. }
            | Self::NotNewer { ran, .. }
            | Self::Unusable { ran, .. }
            | Self::Unreadable { ran, .. } => (&ran.output, ran.left_out),
            Self::Run { .. } | Self::Stopped => ("", 0),
        }
    }
}

/// What the certificate files hold.
#[derive(Debug)]
pub(super) struct Seen {
    /// The leaf, if it can be read.
    pub(super) facts: Option<CertificateFacts>,
    leaf: Option<Vec<u8>>,
    /// Why a session cannot use them.
    trouble: Option<MaterialError>,
}

impl Seen {
    /// Reads them.
    pub(super) fn read(config: &Config) -> Self {
        let leaf = config.files.leaf();
        Self {
            trouble: Material::load(config, Occasion::Start).err(),
            leaf: leaf.as_ref().map(|(leaf, _)| leaf.to_vec()),
            facts: leaf.map(|(_, facts)| facts),
        }
    }

    /// Whether a session can use them, their dates aside.
    pub(super) fn is_usable(&self) -> bool {
        self.trouble.is_none() && self.facts.is_some()
    }

    /// The dates of what can be used.
    pub(super) fn validity(&self) -> Option<Validity> {
        let facts = self.facts.as_ref().filter(|_| self.is_usable())?;
        Some(Validity {
            not_before: facts.not_before,
            not_after: facts.not_after,
        })
    }
}

/// A try.
#[derive(Debug)]
pub(super) struct Attempt<'a> {
    renew: &'a RenewConfig,
    config: &'a Config,
    /// What was there before.
    pub(super) seen: Seen,
    reason: Reason,
    now: OffsetDateTime,
}

impl<'a> Attempt<'a> {
    /// It runs the command for what was seen.
    pub(super) fn new(
        renew: &'a RenewConfig,
        config: &'a Config,
        seen: Seen,
        reason: Reason,
        now: OffsetDateTime,
    ) -> Self {
        Self {
            renew,
            config,
            seen,
            reason,
            now,
        }
    }

    /// Runs the command, and reads the new certificate.
    ///
    /// # Errors
    /// [`RenewError`]; [`RenewError::Stopped`] is no failure.
    pub(super) async fn run(&self, shutdown: &Shutdown) -> Result<CertificateFacts, RenewError> {
        let limits = Limits {
            time: self.renew.timeout,
            grace: GRACE,
        };
        let ran = run(self.command(), limits, shutdown).await;
        let ran = ran.map_err(|source| RenewError::Run {
            program: self.program(),
            source,
        })?;
        match ran.ending {
            Ending::Exited(status) if status.success() => {
                judge(&self.config.files, &self.seen, Seen::read(self.config), ran)
            }
            Ending::Exited(status) => Err(RenewError::Exit { status, ran }),
            Ending::TimeLimit => Err(RenewError::TimeLimit {
                limit: self.renew.timeout,
                ran,
            }),
            Ending::Stopped => Err(RenewError::Stopped),
        }
    }

    fn program(&self) -> PathBuf {
        match &self.renew.command {
            CommandLine::Program { program, .. } => program.clone(),
            CommandLine::Shell(_) => "/bin/sh".into(),
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(self.program());
        match &self.renew.command {
            CommandLine::Program { arguments, .. } => command.args(arguments),
            CommandLine::Shell(text) => command.arg("-c").arg(text),
        };
        let subject = Subject {
            files: &self.config.files,
            facts: self.seen.facts.as_ref(),
            reason: self.reason,
            now: self.now,
        };
        let own = std::env::vars_os();
        let environment = environment(own, &self.renew.pass_environment, &subject);
        command.env_clear().envs(environment);
        command
    }
}

/// Whether the command has done what it is there for.
fn judge(
    files: &CertificateFiles,
    before: &Seen,
    after: Seen,
    ran: Ran,
) -> Result<CertificateFacts, RenewError> {
    let path = files.chain.clone();
    if let Some(source) = after.trouble {
        let source = Box::new(source);
        return Err(RenewError::Unusable { source, ran });
    }
    // The same certificate counts where only its key or the CAs were in the way.
    if after.leaf == before.leaf && before.is_usable() {
        return Err(RenewError::Unchanged { path, ran });
    }
    let Some(facts) = after.facts else {
        return Err(RenewError::Unreadable { path, ran });
    };
    let not_after = facts.not_after;
    let older = before
        .validity()
        .is_some_and(|old| not_after <= old.not_after);
    if older || not_after <= OffsetDateTime::now_utc() {
        return Err(RenewError::NotNewer {
            path,
            not_after,
            ran,
        });
    }
    Ok(facts)
}
