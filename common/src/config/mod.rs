//! Settings out of a file, the environment and flags, and all mistakes in them at once.
//!
//! [`Settings`] holds what was found, by key, with its origin. The daemons take their keys out one after another; what
//! cannot be used, and what is left over, becomes a [`Problem`], and only [`Settings::finish`] reports them.

mod command;
mod command_line;
mod found;
mod problem;
mod sources;
mod tls;
mod transport;

use std::{collections::BTreeMap, fmt::Display, ops::RangeInclusive, path::PathBuf, str::FromStr};

use self::found::{Content, Found};
pub use self::{
    command::CommandLine,
    command_line::{Key, environment, help, pair},
    found::Origin,
    problem::{Problem, Problems},
};

/// What was found, and what is wrong with it.
#[derive(Debug, Default)]
pub struct Settings {
    found: BTreeMap<String, Found>,
    known: Vec<&'static str>,
    problems: Vec<Problem>,
    /// Whether a file could not be read.
    unreadable: bool,
}

impl Settings {
    /// Whether no setting was found so far.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Whether this setting was found and not yet taken.
    pub fn has(&self, key: &str) -> bool {
        self.found.contains_key(key)
    }

    /// Whether an entry of this table was found and not yet taken.
    pub fn has_table(&self, table: &str) -> bool {
        let in_table = |key: &String| {
            key.strip_prefix(table)
                .is_some_and(|rest| rest.starts_with('.'))
        };
        self.found.keys().any(in_table)
    }

    /// The text of a setting that is not a list.
    fn text(&mut self, key: &'static str) -> Option<(String, Origin)> {
        self.known.push(key);
        let found = self.found.remove(key)?;
        match found.content {
            Content::Text(text) => Some((text, found.origin)),
            Content::List(_) => {
                self.problem(&found.origin, key, "must be one value, not a list");
                None
            }
        }
    }

    /// A setting of any type that is read from text; `None` when it is absent or wrong.
    pub fn optional<T>(&mut self, key: &'static str) -> Option<T>
    where
        T: FromStr<Err: Display>,
    {
        let (text, origin) = self.text(key)?;
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.problem(&origin, key, error);
                None
            }
        }
    }

    /// As [`Self::optional`], with a default.
    pub fn or<T>(&mut self, key: &'static str, default: T) -> T
    where
        T: FromStr<Err: Display>,
    {
        self.optional(key).unwrap_or(default)
    }

    /// A whole number within limits, with a default.
    pub fn number<T>(&mut self, key: &'static str, limits: RangeInclusive<T>, default: T) -> T
    where
        T: FromStr + PartialOrd + Display,
    {
        self.optional_number(key, limits).unwrap_or(default)
    }

    /// A whole number within limits; `None` when it is absent or wrong.
    pub fn optional_number<T>(&mut self, key: &'static str, limits: RangeInclusive<T>) -> Option<T>
    where
        T: FromStr + PartialOrd + Display,
    {
        let (text, origin) = self.text(key)?;
        match text.parse() {
            Ok(number) if limits.contains(&number) => Some(number),
            _ => {
                let (low, high) = (limits.start(), limits.end());
                let what = format!("must be a number from {low} to {high}, not {text:?}");
                self.problem(&origin, key, what);
                None
            }
        }
    }

    /// `true` or `false`, with a default.
    pub fn flag(&mut self, key: &'static str, default: bool) -> bool {
        let Some((text, origin)) = self.text(key) else {
            return default;
        };
        match text.as_str() {
            "true" | "1" => true,
            "false" | "0" => false,
            _ => {
                self.problem(&origin, key, format!("must be true or false, not {text:?}"));
                default
            }
        }
    }

    /// A path: `~` is the home folder, a relative one is relative to the file that says it.
    pub fn path(&mut self, key: &'static str) -> Option<PathBuf> {
        let (text, origin) = self.text(key)?;
        if text.is_empty() {
            self.problem(&origin, key, "must be a path, not empty");
            return None;
        }
        Some(origin.resolve(&text, std::env::home_dir()))
    }

    /// As [`Self::path`]; its absence is a problem that says what belongs there.
    pub fn required_path(&mut self, key: &'static str, what: &str) -> PathBuf {
        let present = self.found.contains_key(key);
        let path = self.path(key);
        if !present {
            self.missing(key, what);
        }
        path.unwrap_or_default()
    }

    /// A list: an array in a file, comma-separated in the environment. Every wrong element is a problem of its own.
    pub fn list<T>(&mut self, key: &'static str) -> Option<Vec<T>>
    where
        T: FromStr<Err: Display>,
    {
        self.list_told(key, |item, error: T::Err| format!("{item:?}: {error}"))
    }

    /// As [`Self::list`], for elements that must not be repeated in an error.
    pub fn secret_list<T>(&mut self, key: &'static str) -> Option<Vec<T>>
    where
        T: FromStr<Err: Display>,
    {
        self.list_told(key, |_, error: T::Err| error.to_string())
    }

    /// A list of paths, each as in [`Self::path`].
    pub fn path_list(&mut self, key: &'static str) -> Option<Vec<PathBuf>> {
        let (items, origin) = self.items(key)?;
        let mut paths = Vec::new();
        for item in items {
            if item.is_empty() {
                self.problem(&origin, key, "must be paths, none of them empty");
                continue;
            }
            paths.push(origin.resolve(&item, std::env::home_dir()));
        }
        Some(paths)
    }

    /// The texts of a list.
    fn items(&mut self, key: &'static str) -> Option<(Vec<String>, Origin)> {
        self.known.push(key);
        let found = self.found.remove(key)?;
        let items = match found.content {
            Content::List(items) => items,
            Content::Text(text) => text
                .split(',')
                .map(|item| item.trim().to_owned())
                .filter(|item| !item.is_empty())
                .collect(),
        };
        Some((items, found.origin))
    }

    fn list_told<T: FromStr>(
        &mut self,
        key: &'static str,
        tell: impl Fn(&str, T::Err) -> String,
    ) -> Option<Vec<T>> {
        let (items, origin) = self.items(key)?;
        let mut values = Vec::new();
        for item in items {
            match item.parse() {
                Ok(value) => values.push(value),
                Err(error) => self.problem(&origin, key, tell(&item, error)),
            }
        }
        Some(values)
    }

    /// Notes that a setting is absent that must be there.
    pub fn missing(&mut self, key: &'static str, what: &str) {
        // It may well stand in the file that could not be read.
        if self.unreadable {
            return;
        }
        self.problems.push(Problem {
            place: None,
            key: key.to_owned(),
            what: format!("is missing: {what}"),
        });
    }

    /// Notes that settings do not go together, or name something unusable.
    pub fn conflict(&mut self, key: &'static str, what: impl Display) {
        self.problems.push(Problem {
            place: None,
            key: key.to_owned(),
            what: what.to_string(),
        });
    }

    fn problem(&mut self, origin: &Origin, key: &str, what: impl Display) {
        self.problems.push(Problem {
            place: Some(origin.clone()),
            key: key.to_owned(),
            what: what.to_string(),
        });
    }

    /// Call when all keys have been taken: what is left is unknown.
    ///
    /// # Errors
    /// All [`Problems`] together.
    pub fn finish(mut self) -> Result<(), Problems> {
        for (key, found) in std::mem::take(&mut self.found) {
            let what = problem::unknown(&key, &self.known);
            self.problem(&found.origin, &key, what);
        }
        if self.problems.is_empty() {
            return Ok(());
        }
        Err(Problems(self.problems))
    }
}

#[cfg(test)]
mod tests;
