//! What is wrong with the settings, told so that it can be mended.

use std::fmt;

use super::Origin;

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where it stands; `None` for something that stands nowhere.
    pub place: Option<Origin>,
    /// The key.
    pub key: String,
    /// What is wrong.
    pub what: String,
}

/// All mistakes, one a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        write!(f, "{}: {}", self.key, self.what)
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => f.write_str("the settings cannot be used:")?,
            count => write!(f, "the settings cannot be used, for {count} reasons:")?,
        }
        for problem in &self.0 {
            write!(f, "\n  {problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// What to say of a key that nobody takes.
pub(super) fn unknown(key: &str, known: &[&'static str]) -> String {
    let within = |outer: &str, inner: &str| {
        let rest = inner.strip_prefix(outer);
        rest.is_some_and(|rest| rest.starts_with('.'))
    };
    if known.iter().any(|name| within(key, name)) {
        let entries: Vec<_> = known.iter().copied().filter(|n| within(key, n)).collect();
        return format!("must be a table: {}", entries.join(", "));
    }
    if let Some(name) = known.iter().find(|name| within(name, key)) {
        return format!("{name} must be a value or a list of values, not a table");
    }
    let nearest = known
        .iter()
        .map(|name| (strsim::damerau_levenshtein(key, name), name))
        .min();
    match nearest {
        Some((distance, name)) if distance <= (key.len() / 3).clamp(1, 3) => {
            format!("unknown key; did you mean {name}?")
        }
        _ => "unknown key; --help lists all".to_owned(),
    }
}
