//! Commands as settings: a program with its arguments, or a line for the shell.

use std::path::PathBuf;

use super::{Settings, found::Content};

/// What is to be executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandLine {
    /// A program, executed without a shell.
    Program {
        /// Its path, or a name that is looked up in `PATH`.
        program: PathBuf,
        /// Its arguments.
        arguments: Vec<String>,
    },
    /// A text for `/bin/sh -c`.
    Shell(String),
}

impl Settings {
    /// A command: a list is a program and its arguments, a text is for the shell (with its commas, from wherever it
    /// comes). A program with a slash in it is a path as those of [`Self::path`].
    pub fn command(&mut self, key: &'static str) -> Option<CommandLine> {
        self.known.push(key);
        let found = self.found.remove(key)?;
        let command = match found.content {
            Content::Text(text) if !text.trim().is_empty() => Some(CommandLine::Shell(text)),
            Content::List(items) => match items.split_first() {
                Some((program, arguments)) if !program.is_empty() => Some(CommandLine::Program {
                    program: if program.contains('/') {
                        found.origin.resolve(program, std::env::home_dir())
                    } else {
                        program.into()
                    },
                    arguments: arguments.to_vec(),
                }),
                _ => None,
            },
            Content::Text(_) => None,
        };
        if command.is_none() {
            let what = "must be a program and its arguments, or a line for the shell, not empty";
            self.problem(&found.origin, key, what);
        }
        command
    }
}
