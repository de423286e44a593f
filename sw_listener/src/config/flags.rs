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
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = common::config::pair, global = true)]
    pub set: Vec<(String, String)>,
}
