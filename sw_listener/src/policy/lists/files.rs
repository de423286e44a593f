//! The files of the lists: one entry per line, `#` begins a comment. A bad file leaves its last good contents in force.
//!
//! A deny file that loses all it held is bad too, as half-written and truncated files are: it would let everyone in without
//! a word. Who means it leaves a comment in the file, or asks for a reload (SIGHUP).

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use common::reload::Cause;
use thiserror::Error;
use tracing::{info, warn};

use super::{Entry, EntryError, Lists, Place, Rules};
use crate::{
    config::ListsConfig,
    policy::file::{self, FileError},
};

/// Longest file, in bytes: more than 200,000 fingerprints.
const MAX_FILE: usize = 16 << 20;

/// Why a file is not taken.
#[derive(Debug, Error)]
pub enum ListProblem {
    /// It cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: FileError,
    },
    /// It is not text.
    #[error("{}, line {line}: not UTF-8 text", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// A line is not an entry.
    #[error("{}, line {line}: {source}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        source: EntryError,
    },
    /// A deny list has lost everything.
    #[error(
        "{} is empty, and had {before} entries: to deny nobody, leave a comment in it (# nobody), or reload (SIGHUP)",
        path.display()
    )]
    Emptied {
        /// The file.
        path: PathBuf,
        /// How many entries stay in force.
        before: usize,
    },
}

/// The entries of a file, with their lines.
type Entries = Vec<(Entry, usize)>;

/// What a file holds.
#[derive(Debug, Default)]
struct Contents {
    entries: Entries,
    /// Whether it has a comment: somebody has written it, even if there is no entry.
    commented: bool,
}

/// Reads the lists, again and again. It blocks while it does.
#[derive(Debug, Clone)]
pub struct ListFiles {
    config: ListsConfig,
    allow: Entries,
    deny: Entries,
}

impl ListFiles {
    /// Reads the files for the first time.
    ///
    /// # Errors
    /// The first [`ListProblem`]: there is no last good state yet.
    pub fn open(config: ListsConfig) -> Result<(Self, Arc<Lists>), ListProblem> {
        let read = |path: &Option<PathBuf>| path.as_deref().map_or(Ok(Contents::default()), read);
        let files = Self {
            allow: read(&config.allow_path)?.entries,
            deny: read(&config.deny_path)?.entries,
            config,
        };
        files.tell();
        let lists = files.lists();
        Ok((files, lists))
    }

    /// Reads the files again: the lists that are in force now, and what is wrong with the files that were not taken.
    pub fn reload(&mut self, cause: Cause) -> (Arc<Lists>, Vec<ListProblem>) {
        let mut problems = Vec::new();
        if let Some(path) = self.config.allow_path.as_deref() {
            match read(path) {
                Ok(new) => replace(path, &mut self.allow, new.entries),
                Err(problem) => problems.push(problem),
            }
        }
        if let Some(path) = self.config.deny_path.as_deref() {
            match read(path).and_then(|new| not_emptied(path, self.deny.len(), new, cause)) {
                Ok(new) => replace(path, &mut self.deny, new),
                Err(problem) => problems.push(problem),
            }
        }
        self.tell();
        (self.lists(), problems)
    }

    fn tell(&self) {
        if let Some(path) = &self.config.allow_path
            && self.allow.is_empty()
            && self.config.allow.is_empty()
        {
            warn!(path = %path.display(), "the allow list is empty: no connector may come in");
        }
    }

    fn lists(&self) -> Arc<Lists> {
        let config = &self.config;
        let allow_is_set = config.allow_path.is_some() || !config.allow.is_empty();
        let allow = allow_is_set.then(|| {
            rules(
                "allow",
                &config.allow,
                config.allow_path.as_deref(),
                &self.allow,
            )
        });
        let deny = rules(
            "deny",
            &config.deny,
            config.deny_path.as_deref(),
            &self.deny,
        );
        Arc::new(Lists { allow, deny })
    }
}

/// The entries of a deny file that had so many before.
fn not_emptied(
    path: &Path,
    before: usize,
    new: Contents,
    cause: Cause,
) -> Result<Entries, ListProblem> {
    if before > 0 && new.entries.is_empty() && !new.commented {
        if cause != Cause::Asked {
            let path = path.to_owned();
            return Err(ListProblem::Emptied { path, before });
        }
        warn!(path = %path.display(), before, "the deny list is empty now: nobody is denied by it any more");
    }
    Ok(new.entries)
}

fn replace(path: &Path, entries: &mut Entries, new: Entries) {
    if *entries != new {
        let (before, after) = (entries.len(), new.len());
        info!(path = %path.display(), before, after, "a list has changed");
        *entries = new;
    }
}

fn rules(key: &'static str, setting: &[Entry], path: Option<&Path>, file: &Entries) -> Rules {
    let mut rules = Rules::default();
    for entry in setting {
        rules.add(entry.clone(), Place::Setting(key));
    }
    let path = Arc::new(path.unwrap_or(Path::new("")).to_owned());
    for (entry, line) in file {
        let (path, line) = (path.clone(), *line);
        rules.add(entry.clone(), Place::File { path, line });
    }
    rules
}

fn read(path: &Path) -> Result<Contents, ListProblem> {
    let bytes = file::read(path, MAX_FILE).map_err(|source| ListProblem::Io {
        path: path.to_owned(),
        source,
    })?;
    // Some editors begin text with it.
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes);
    let mut contents = Contents::default();
    for (line, text) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        let text = std::str::from_utf8(text).map_err(|_| ListProblem::NotText {
            path: path.to_owned(),
            line,
        })?;
        let comment = text.find('#');
        contents.commented |= comment.is_some();
        let text = text[..comment.unwrap_or(text.len())].trim();
        if text.is_empty() {
            continue;
        }
        let entry = text.parse().map_err(|source| ListProblem::Line {
            path: path.to_owned(),
            line,
            source,
        })?;
        contents.entries.push((entry, line));
    }
    Ok(contents)
}
