//! One try: the command, and then whether there is a newer certificate that can be used.

use std::{
    io,
    path::PathBuf,
    process::{Command, ExitStatus},
    time::Duration,
};

use common::{
    blocking,
    config::CommandLine,
    shutdown::Shutdown,
    tls::{CertificateFacts, CertificateFiles, Finding, Occasion, Weight},
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
    #[error("renew.command ended well, but what it made is not valid now: {what}")]
    NotValid { what: String, ran: Ran },
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
            | Self::NotValid { ran, .. }
            | Self::Unreadable { ran, .. } => (&ran.output, ran.left_out),
            Self::Run { .. } | Self::Stopped => ("", 0),
        }
    }
}

/// A certificate that becomes valid within this time is waited for: the CA's clock may be ahead of ours. The reloader
/// tries it every minute.
const SOON: Duration = Duration::from_secs(300);

/// Whether the reloader takes what the files hold.
#[derive(Debug)]
enum Fitness {
    /// Now, or soon.
    Fit,
    /// Not for its dates; what a session uses stays in force.
    NotValid(String),
    /// Not at all.
    Broken(MaterialError),
}

/// What the certificate files hold.
#[derive(Debug)]
pub(super) struct Seen {
    /// The certificate that is to be renewed, if there is one: that of the files if it is in force, or will be soon, and
    /// else the one that sessions use.
    pub(super) facts: Option<CertificateFacts>,
    leaf: Option<Vec<u8>>,
    fitness: Fitness,
    /// Whether sessions have something to go on with.
    has_material: bool,
}

impl Seen {
    /// Reads them. `in_force`: what sessions use, which may be something else.
    pub(super) async fn read(
        config: &Config,
        in_force: Option<&Material>,
        now: OffsetDateTime,
    ) -> Self {
        let (own, used) = (config.clone(), in_force.and_then(Material::leaf).cloned());
        // Their file system may not answer.
        blocking::run(move || Self::read_now(&own, used, now)).await
    }

    fn read_now(config: &Config, in_force: Option<CertificateFacts>, now: OffsetDateTime) -> Self {
        let (leaf, facts) = config.files.leaf().unzip();
        let fitness = Fitness::of(config, now);
        let has_material = in_force.is_some();
        Self {
            facts: match &fitness {
                Fitness::NotValid(_) => in_force.or(facts),
                Fitness::Fit | Fitness::Broken(_) => facts,
            },
            leaf: leaf.map(|leaf| leaf.to_vec()),
            fitness,
            has_material,
        }
    }

    /// Whether a session can use them, their dates aside.
    pub(super) fn is_usable(&self) -> bool {
        !matches!(self.fitness, Fitness::Broken(_)) && self.facts.is_some()
    }

    /// The dates of the certificate that is to be renewed; `None` when there is no use for what there is.
    pub(super) fn validity(&self) -> Option<Validity> {
        let useless = match self.fitness {
            Fitness::Fit => false,
            Fitness::NotValid(_) => !self.has_material,
            Fitness::Broken(_) => true,
        };
        let facts = self.facts.as_ref().filter(|_| !useless)?;
        Some(Validity {
            not_before: facts.not_before,
            not_after: facts.not_after,
        })
    }
}

impl Fitness {
    /// Judges as the reloader will, which replaces nothing by what is not valid.
    fn of(config: &Config, now: OffsetDateTime) -> Self {
        let (material, warnings) = match Material::load(config, Occasion::Start) {
            Ok(loaded) => loaded,
            Err(error) => return Self::Broken(error),
        };
        if material.is_valid_at(now) || material.is_valid_at(now + SOON) {
            return Self::Fit;
        }
        let date = |finding: &&Finding| finding.weight == Weight::Date;
        let what = warnings.iter().filter(date).map(Finding::to_string);
        Self::NotValid(what.collect::<Vec<_>>().join("; "))
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

    /// Runs the command, and reads the new certificate. `in_force`: what sessions use.
    ///
    /// # Errors
    /// [`RenewError`]; [`RenewError::Stopped`] is no failure.
    pub(super) async fn run(
        &self,
        in_force: Option<&Material>,
        shutdown: &Shutdown,
    ) -> Result<CertificateFacts, RenewError> {
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
                let now = OffsetDateTime::now_utc();
                let after = Seen::read(self.config, in_force, now).await;
                judge(&self.config.files, &self.seen, after, now, ran)
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
    now: OffsetDateTime,
    ran: Ran,
) -> Result<CertificateFacts, RenewError> {
    let path = files.chain.clone();
    let not_valid = match after.fitness {
        Fitness::Fit => None,
        Fitness::NotValid(what) => Some(what),
        Fitness::Broken(source) => {
            let source = Box::new(source);
            return Err(RenewError::Unusable { source, ran });
        }
    };
    // The same certificate counts where only its key or the CAs were in the way.
    if after.leaf == before.leaf && before.is_usable() {
        return Err(RenewError::Unchanged { path, ran });
    }
    if let Some(what) = not_valid {
        return Err(RenewError::NotValid { what, ran });
    }
    let Some(facts) = after.facts else {
        return Err(RenewError::Unreadable { path, ran });
    };
    let not_after = facts.not_after;
    let older = before
        .validity()
        .is_some_and(|old| not_after <= old.not_after);
    if older || not_after <= now {
        return Err(RenewError::NotNewer {
            path,
            not_after,
            ran,
        });
    }
    Ok(facts)
}
