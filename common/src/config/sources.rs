//! Where settings come from. A later source overrides an earlier one, key by key.

use std::path::Path;

use config::{Config, ConfigError, File, FileFormat, Value, ValueKind};

use super::{
    Problem, Settings,
    found::{Content, Found, Origin},
};

impl Settings {
    /// Adds a file: TOML when its name ends in `.toml`, else JSON. `prefix` in front of a key is optional.
    /// A file that cannot be read is a problem like any other.
    pub fn add_file(&mut self, path: &Path, prefix: &str) {
        let origin = Origin::File(path.to_owned());
        let values = match read(path) {
            Ok(values) => values,
            Err(error) => {
                self.unreadable = true;
                return self.problems.push(Problem {
                    place: None,
                    key: path.display().to_string(),
                    what: error,
                });
            }
        };
        for (key, value) in values {
            let key = key.strip_prefix(prefix).unwrap_or(&key).to_owned();
            self.add_value(key, value, &origin);
        }
    }

    /// Adds a value; of a table, every entry, under `TABLE.ENTRY`.
    fn add_value(&mut self, key: String, value: Value, origin: &Origin) {
        if let ValueKind::Table(entries) = value.kind {
            for (entry, value) in entries {
                self.add_value(format!("{key}.{entry}"), value, origin);
            }
            return;
        }
        match content(value) {
            Some(content) => self.insert(key, content, origin.clone()),
            None => self.problem(
                origin,
                &key,
                "must be a value, a list of values or a table of them",
            ),
        }
    }

    /// Adds every variable that begins with `prefix` (`SWL_`), and those named in `others`, whole. Two underscores stand
    /// for the dot in the key of a table's entry.
    pub fn add_environment(
        &mut self,
        prefix: &str,
        others: &[&str],
        variables: impl IntoIterator<Item = (String, String)>,
    ) {
        for (name, value) in variables {
            let key = match name.strip_prefix(prefix) {
                Some(key) => key,
                None if others.contains(&name.as_str()) => &name,
                None => continue,
            };
            let key = key.to_lowercase().replace("__", ".");
            self.insert(key, Content::Text(value), Origin::Environment(name));
        }
    }

    /// Adds an option of the command line.
    pub fn add_flag(&mut self, key: &str, value: String) {
        let origin = Origin::Flag(format!("--set {key}"));
        self.insert(key.to_owned(), Content::Text(value), origin);
    }

    fn insert(&mut self, key: String, content: Content, origin: Origin) {
        self.found.insert(key, Found { content, origin });
    }
}

fn read(path: &Path) -> Result<config::Map<String, Value>, String> {
    let format = match path.extension() {
        Some(extension) if extension == "toml" => FileFormat::Toml,
        _ => FileFormat::Json,
    };
    // Read here, because the library hides why it could not.
    let text = std::fs::read_to_string(path).map_err(|error| format!("cannot be read: {error}"))?;
    let parsed = Config::builder()
        .add_source(File::from_str(&text, format))
        .build()
        .and_then(|config| config.cache.into_table());
    parsed.map_err(|error| {
        if let ConfigError::FileParse { cause, .. } = error {
            return cause.to_string();
        }
        error.to_string()
    })
}

fn content(value: Value) -> Option<Content> {
    let ValueKind::Array(items) = value.kind else {
        return scalar(value.kind).map(Content::Text);
    };
    let items: Option<Vec<_>> = items.into_iter().map(|item| scalar(item.kind)).collect();
    items.map(Content::List)
}

fn scalar(kind: ValueKind) -> Option<String> {
    match kind {
        ValueKind::Boolean(_)
        | ValueKind::I64(_)
        | ValueKind::I128(_)
        | ValueKind::U64(_)
        | ValueKind::U128(_)
        | ValueKind::Float(_)
        | ValueKind::String(_) => Some(kind.to_string()),
        ValueKind::Nil | ValueKind::Table(_) | ValueKind::Array(_) => None,
    }
}
