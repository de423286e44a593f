//! Logs: text for people, JSON for machines, to standard error.

use std::str::FromStr;

use thiserror::Error;
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// How lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// One line of text.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(format!("must be \"text\" or \"json\", not {text:?}")),
        }
    }
}

/// What to log: a level (`info`), or directives of tracing-subscriber (`info,quinn=debug`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLevel(String);

impl FromStr for LogLevel {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            |_| format!("must be error, warn, info, debug, trace or directives, not {text:?}");
        EnvFilter::builder().parse(text).map_err(wrong)?;
        // A single misspelt word would otherwise be taken as the name of a module.
        let is_level = text.parse::<tracing::level_filters::LevelFilter>().is_ok();
        if text.is_empty() || (!is_level && !text.contains('=')) {
            return Err(format!(
                "must be error, warn, info, debug, trace or directives, not {text:?}"
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

impl Default for LogLevel {
    fn default() -> Self {
        Self("info".to_owned())
    }
}

/// The logs were set up before.
#[derive(Debug, Error)]
#[error("logging is set up already")]
pub struct AlreadyInitialised;

/// Starts logging for the whole process.
///
/// # Errors
/// [`AlreadyInitialised`] at the second call.
pub fn init(level: &LogLevel, format: LogFormat) -> Result<(), AlreadyInitialised> {
    let filter = EnvFilter::new(&level.0);
    let registry = tracing_subscriber::registry().with(filter);
    let writer = std::io::stderr;
    let result = match format {
        LogFormat::Text => {
            let colour = std::io::IsTerminal::is_terminal(&std::io::stderr());
            let layer = fmt::layer()
                .with_writer(writer)
                .with_ansi(colour)
                .with_target(false);
            registry.with(layer).try_init()
        }
        LogFormat::Json => {
            let layer = fmt::layer().json().flatten_event(true).with_writer(writer);
            registry.with(layer).try_init()
        }
    };
    result.map_err(|_| AlreadyInitialised)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_directives_are_taken_and_typos_are_not() {
        for text in ["info", "TRACE", "warn,quinn=debug"] {
            assert!(text.parse::<LogLevel>().is_ok(), "{text}");
        }
        for text in ["infoo", "a=b=c", ""] {
            assert!(text.parse::<LogLevel>().is_err(), "{text:?}");
        }
    }
}
