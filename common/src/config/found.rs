//! One setting as it was found, and where.

use std::{
    fmt,
    path::{Path, PathBuf},
};

/// Where a setting stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// In a file.
    File(PathBuf),
    /// In the environment; the variable's name.
    Environment(String),
    /// On the command line; the option's name.
    Flag(String),
}

/// What stands there: everything is text until its reader says otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    Text(String),
    List(Vec<String>),
}

#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) content: Content,
    pub(super) origin: Origin,
}

impl Origin {
    /// The path behind a text that stands here.
    pub(super) fn resolve(&self, text: &str, home: Option<PathBuf>) -> PathBuf {
        if let (Some(rest), Some(home)) = (text.strip_prefix("~/"), home) {
            return home.join(rest);
        }
        match self {
            Self::File(file) => file.parent().unwrap_or(Path::new("")).join(text),
            Self::Environment(_) | Self::Flag(_) => PathBuf::from(text),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Environment(name) => write!(f, "environment variable {name}"),
            Self::Flag(name) => write!(f, "option {name}"),
        }
    }
}
