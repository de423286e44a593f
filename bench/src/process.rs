//! Processes of a contender: started in a namespace, with a log, ended by number.

use std::{
    ffi::OsString,
    fs::{self, File},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};

use crate::place::Network;

/// How long a process may take to end after SIGTERM.
const PATIENCE: Duration = Duration::from_secs(10);
/// Time between two looks.
const LOOK: Duration = Duration::from_millis(5);
/// How much of a log an error shows.
const LINES: usize = 5;

/// How to start a process.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// The program, with a slash or to be found in `PATH`.
    pub program: PathBuf,
    /// What it is told that it is called, if that is something else.
    pub name: Option<PathBuf>,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Its environment, besides `PATH`.
    pub environment: Vec<(String, OsString)>,
    /// Its working folder; its log is there, too.
    pub folder: PathBuf,
}

impl Recipe {
    /// A program without arguments.
    pub fn new(program: impl Into<PathBuf>, folder: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            name: None,
            arguments: Vec::new(),
            environment: Vec::new(),
            folder: folder.into(),
        }
    }

    /// Called something else.
    #[must_use]
    pub fn called(mut self, name: &Path) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// With one more argument.
    #[must_use]
    pub fn argument(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// With more arguments, divided by spaces.
    #[must_use]
    pub fn arguments(mut self, arguments: &str) -> Self {
        let words = arguments.split_whitespace().map(OsString::from);
        self.arguments.extend(words);
        self
    }

    /// With one more variable.
    #[must_use]
    pub fn variable(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    fn name(&self) -> &Path {
        self.name.as_ref().unwrap_or(&self.program)
    }

    fn command(&self, output: File, errors: File) -> Command {
        let mut command = Command::new(&self.program);
        command
            .arg0(self.name())
            .args(&self.arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors);
        command
    }
}

/// A running process. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    recipe: Recipe,
    network: Network,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts it; what it says goes to a file in its folder.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn start(network: &Network, recipe: Recipe) -> Result<Self> {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Relaxed);
        let log = recipe.folder.join(format!("process-{number}.log"));
        let child = spawn(network, &recipe, &log)?;
        Ok(Self {
            recipe,
            network: network.clone(),
            child,
            log,
        })
    }

    /// Its number.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// SIGTERM, and SIGKILL when that does not end it in time.
    pub fn end(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        if self.is_running() {
            let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        }
        while self.is_running() && Instant::now() < deadline {
            std::thread::sleep(LOOK);
        }
        self.kill();
    }

    /// Starts it again, as it was started, after it has ended.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn start_again(&mut self) -> Result<()> {
        self.kill();
        self.child = spawn(&self.network, &self.recipe, &self.log)?;
        Ok(())
    }

    /// The end of its log.
    pub fn last_words(&self) -> String {
        let text = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(LINES)..].join(" | ")
    }

    /// Sends SIGKILL; it may take a moment until it has ended.
    pub fn shoot(&mut self) {
        // It fails only when it has ended already.
        let _ = self.child.kill();
    }

    fn kill(&mut self) {
        self.shoot();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn spawn(network: &Network, recipe: &Recipe, log: &Path) -> Result<Child> {
    let mut options = File::options();
    let file = options.create(true).append(true).open(log);
    let file = file.with_context(|| format!("cannot write {}", log.display()))?;
    let mut command = recipe.command(file.try_clone()?, file);
    let started = network.run(|| Ok(command.spawn()?));
    started.with_context(|| format!("cannot start {}", recipe.name().display()))
}
