//! Programs that stay what they are, even if they are built anew during a run.

use std::{
    fs::File,
    os::fd::AsRawFd,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use crate::{house::command, process::Recipe};

/// A program file, held open.
#[derive(Debug)]
pub struct Program {
    path: PathBuf,
    file: File,
}

impl Program {
    /// The program that this file is now.
    ///
    /// # Errors
    /// When there is no such file.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        let path = path.to_owned();
        Ok(Self { path, file })
    }

    /// How to start it.
    pub fn recipe(&self, folder: impl Into<PathBuf>) -> Recipe {
        Recipe::new(self.handle(), folder).called(&self.path)
    }

    /// Runs it to its end and gives its output.
    ///
    /// # Errors
    /// When it cannot be started or fails.
    pub fn output(&self, arguments: &[&str]) -> Result<String> {
        command(&self.handle(), arguments)
    }

    /// The open file, as a path for all processes here.
    fn handle(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.file.as_raw_fd())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_can_be_started_after_its_file_has_gone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("echo");
        std::fs::copy("/bin/echo", &path).unwrap();
        let program = Program::open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(program.output(&["still here"]).unwrap(), "still here\n");
        assert!(Program::open(&path).is_err());
    }
}
