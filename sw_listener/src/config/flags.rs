//! Options of the command line that are settings.

use std::path::PathBuf;

use clap::Args;

/// Settings on the command line; they win over the environment and the file.
#[derive(Args, Debug, Clone, Default)]
pub struct Flags {
    /// A file with settings: TOML if its name ends in .toml, else JSON
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,

    /// Any setting, by the name in the table below; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = pair, global = true)]
    pub set: Vec<(String, String)>,
}

impl Flags {
    /// Key and value of each setting given.
    pub fn settings(&self) -> impl Iterator<Item = (&str, &str)> {
        self.set
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text
        .split_once('=')
        .ok_or_else(|| "it must be KEY=VALUE".to_owned())?;
    Ok((key.to_lowercase(), value.to_owned()))
}
