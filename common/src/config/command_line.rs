//! What both daemons' command lines and their process environment have in common.

/// A row of the table of settings: key, default, what it is.
pub type Key = (&'static str, &'static str, &'static str);

/// The table of settings as text for `--help`.
pub fn help(prefix: &str, keys: &[Key]) -> String {
    let mut text = format!(
        "Settings, in order of precedence: --set NAME=VALUE, the environment variable {prefix}NAME in capitals, NAME \
         in the file of --config. A dot in a name stands for a table in the file (\"a\": {{\"b\": 1}} is a.b), and for \
         two underscores in the environment:\n"
    );
    for (key, default, what) in keys {
        text.push_str(&format!("  {key:<31} {what} [{default}]\n"));
    }
    text
}

/// Parses `KEY=VALUE`.
///
/// # Errors
/// A text for the user when there is no `=`.
pub fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text
        .split_once('=')
        .ok_or_else(|| "it must be KEY=VALUE".to_owned())?;
    Ok((key.to_lowercase(), value.to_owned()))
}

/// The process environment, without what is not UTF-8: no setting of ours is.
pub fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}
