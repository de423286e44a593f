//! What a daemon has logged so far, and waiting for more.

use std::{
    fmt,
    io::{BufRead, BufReader, Read},
    sync::{Condvar, Mutex},
    time::{Duration, Instant},
};

use serde_json::Value;

/// One line of standard error.
#[derive(Debug, Clone)]
pub struct Line {
    raw: String,
    json: Option<Value>,
}

impl Line {
    fn new(raw: String) -> Self {
        let json = serde_json::from_str(&raw).ok();
        Self { raw, json }
    }

    /// Whether all of these texts stand in it.
    pub fn has(&self, parts: &[&str]) -> bool {
        parts.iter().all(|part| self.raw.contains(part))
    }

    /// A field as text.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.json.as_ref()?.get(name)?.as_str()
    }

    /// ERROR, WARN, …; nothing for what the daemon did not log but print.
    pub fn level(&self) -> Option<&str> {
        self.field("level")
    }

    /// Whether the daemon is broken: an ERROR, or a panic's message.
    pub fn is_error(&self) -> bool {
        self.level() == Some("ERROR") || self.raw.contains("panicked at")
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.raw)
    }
}

/// All lines so far.
#[derive(Debug, Default)]
pub struct Log {
    lines: Mutex<(Vec<Line>, bool)>,
    more: Condvar,
}

impl Log {
    /// Takes lines until the writer closes.
    pub(crate) fn fill(&self, from: impl Read) {
        for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            self.lines.lock().unwrap().0.push(Line::new(line));
            self.more.notify_all();
        }
        self.lines.lock().unwrap().1 = true;
        self.more.notify_all();
    }

    /// How many lines there are: a mark for [`Self::wait`].
    pub fn mark(&self) -> usize {
        self.lines.lock().unwrap().0.len()
    }

    /// A copy of all lines.
    pub fn lines(&self) -> Vec<Line> {
        self.lines.lock().unwrap().0.clone()
    }

    /// All lines with these texts.
    pub fn find(&self, parts: &[&str]) -> Vec<Line> {
        let lines = self.lines();
        lines.into_iter().filter(|line| line.has(parts)).collect()
    }

    /// The first line after the mark that has all these texts.
    ///
    /// # Errors
    /// When none comes within the limit, or the daemon has closed its log.
    pub fn wait(&self, mark: usize, parts: &[&str], limit: Duration) -> Result<Line, String> {
        let deadline = Instant::now() + limit;
        let mut seen = mark;
        let mut guard = self.lines.lock().unwrap();
        loop {
            let (lines, ended) = &*guard;
            if let Some(line) = lines[seen.min(lines.len())..].iter().find(|l| l.has(parts)) {
                return Ok(line.clone());
            }
            seen = lines.len();
            let left = deadline.saturating_duration_since(Instant::now());
            if *ended || left.is_zero() {
                let why = if *ended {
                    "log has ended"
                } else {
                    "time is up"
                };
                return Err(format!("no line with {parts:?}: {why}"));
            }
            guard = self.more.wait_timeout(guard, left).unwrap().0;
        }
    }
}
