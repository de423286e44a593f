//! A daemon as a process that cannot outlive its test, with its log.

use std::{
    fmt::Write,
    process::{Child, Command, ExitStatus, Stdio},
    sync::Arc,
    thread::JoinHandle,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{
    PATIENCE,
    log::{Line, Log},
    until_within,
};

/// The process. Dropping it kills it, and panics when it has logged an ERROR that was not [allowed](Self::allow), or has
/// ended without being told to.
#[derive(Debug)]
pub struct Daemon {
    name: String,
    child: Child,
    log: Arc<Log>,
    reader: Option<JoinHandle<()>>,
    allowed: Vec<String>,
    told: bool,
}

impl Daemon {
    /// Starts a command; its environment is what the command says and nothing else.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(name: &str, mut command: Command) -> Self {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let log = Arc::new(Log::default());
        let (filled, from) = (log.clone(), child.stderr.take().unwrap());
        let reader = std::thread::spawn(move || filled.fill(from));
        Self {
            name: name.to_owned(),
            child,
            log,
            reader: Some(reader),
            allowed: Vec::new(),
            told: false,
        }
    }

    /// Its log.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// An ERROR line with this text is part of the test.
    pub fn allow(&mut self, text: &str) {
        self.allowed.push(text.to_owned());
    }

    /// The first line, from the start on, that has all these texts.
    ///
    /// # Panics
    /// When none comes in time.
    pub fn wait_log(&self, parts: &[&str]) -> Line {
        self.wait_log_after(0, parts)
    }

    /// As [`Self::wait_log`], from a [mark](Log::mark) on.
    ///
    /// # Panics
    /// When none comes in time.
    pub fn wait_log_after(&self, mark: usize, parts: &[&str]) -> Line {
        let found = self.log.wait(mark, parts, PATIENCE);
        found.unwrap_or_else(|why| panic!("{}: {why}\n{}", self.name, self.tail()))
    }

    /// Its number.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    ///
    /// # Panics
    /// When there is no such process any more.
    pub fn signal(&mut self, signal: Signal) {
        if matches!(signal, Signal::TERM | Signal::INT | Signal::KILL) {
            self.told = true;
        }
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// `kill -9`, and waits until it is gone.
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.child.wait().unwrap();
    }

    /// Waits for it to end by itself.
    ///
    /// # Panics
    /// When it does not within the limit.
    pub fn wait_exit(&mut self, limit: Duration) -> ExitStatus {
        self.told = true;
        let what = format!("{} ends", self.name);
        until_within(limit, &what, || self.child.try_wait().unwrap())
    }

    /// SIGTERM, and waits until it has said goodbye and ended well.
    ///
    /// # Panics
    /// When it does not, or ends with an error.
    pub fn stop(&mut self) {
        self.signal(Signal::TERM);
        let status = self.wait_exit(PATIENCE);
        assert!(status.success(), "{}: {status}", self.name);
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Resident memory, in bytes.
    ///
    /// # Panics
    /// When it has ended.
    pub fn memory(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().nth(1));
        number.unwrap().parse::<u64>().unwrap() * 1024
    }

    /// How many descriptors it has open.
    ///
    /// # Panics
    /// When it has ended.
    pub fn descriptors(&self) -> usize {
        let path = format!("/proc/{}/fd", self.child.id());
        std::fs::read_dir(path).unwrap().count()
    }

    fn tail(&self) -> String {
        let lines = self.log.lines();
        let mut text = format!(
            "log of {} (the last of {} lines):\n",
            self.name,
            lines.len()
        );
        for line in &lines[lines.len().saturating_sub(40)..] {
            let _ = writeln!(text, "  {line}");
        }
        text
    }

    fn complaint(&self, ended: Option<ExitStatus>) -> Option<String> {
        if let Some(status) = ended
            && !self.told
        {
            return Some(format!("{} has ended by itself: {status}", self.name));
        }
        let lines = self.log.lines();
        let unexpected = lines.iter().find(|line| {
            line.is_error() && !self.allowed.iter().any(|text| line.has(&[text.as_str()]))
        })?;
        Some(format!("{} logged an error: {unexpected}", self.name))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let ended = self.child.try_wait().ok().flatten();
        // It fails only when it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        if std::thread::panicking() {
            eprintln!("{}", self.tail());
        } else if let Some(complaint) = self.complaint(ended) {
            panic!("{complaint}\n{}", self.tail());
        }
    }
}
