//! Errors as text.

use std::error::Error;

/// An error and its causes, each said once: many errors repeat their cause in their own text.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io;

    use thiserror::Error;

    use super::*;

    #[derive(Debug, Error)]
    #[error("cannot bind: {source}")]
    struct Repeats {
        source: io::Error,
    }

    #[derive(Debug, Error)]
    #[error("cannot start")]
    struct Silent {
        source: Repeats,
    }

    #[test]
    fn every_cause_is_said_once() {
        let source = Repeats {
            source: io::Error::other("in use"),
        };
        assert_eq!(chain(&source), "cannot bind: in use");
        assert_eq!(
            chain(&Silent { source }),
            "cannot start: cannot bind: in use"
        );
    }
}
