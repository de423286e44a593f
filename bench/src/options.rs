//! The command line, parsed.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::scenario::Scale;

/// Measures socket-warp beside direct TCP and other tunnels, in network namespaces of its own. Needs root, `unshare` and
/// `ip`.
///
/// The result is a Markdown table, a JSON file and a chart. What is not installed is left out, with a line that says so.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Options {
    /// Instead of measuring: show a result again
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Small volumes, one round: checks that everything works, within a minute
    #[arg(long)]
    pub quick: bool,
    /// These scenarios only (see --list)
    #[arg(long, value_delimiter = ',', value_name = "SCENARIO,…")]
    pub only: Vec<String>,
    /// These contenders only
    #[arg(long, value_delimiter = ',', value_name = "NAME,…")]
    pub contenders: Vec<String>,
    /// Tell the scenarios and end
    #[arg(long)]
    pub list: bool,
    /// Rounds; every contender has its turn in each [default: 2 to 5, with --quick 1]
    #[arg(long, value_name = "N")]
    pub rounds: Option<usize>,
    /// Where results.json, results.md and chart.svg are written
    #[arg(long, default_value = "target/bench", value_name = "DIR")]
    pub out: PathBuf,
    /// Where sw_listener and sw_connector are [default: the folder of this program]
    #[arg(long, value_name = "DIR")]
    pub binaries: Option<PathBuf>,
    /// Another build of them, beside the first
    #[arg(long, value_name = "NAME=DIR", value_parser = named_folder)]
    pub also: Vec<(String, PathBuf)>,
    /// A setting of the socket-warp contender NAME; a new NAME is another contender, of the first build.
    /// KEY is a setting of both daemons, or begins with `listener.` or `connector.`
    #[arg(long, value_name = "NAME:KEY=VALUE", value_parser = setting)]
    pub set: Vec<Setting>,
    /// The program rathole [default: from PATH]
    #[arg(long, value_name = "PATH")]
    pub rathole: Option<PathBuf>,
    /// Where sw_listener1 and sw_connector1 of socket-warp 1.x are
    #[arg(long, value_name = "DIR")]
    pub one_x: Option<PathBuf>,
    /// The contender to which the others are compared
    #[arg(long, default_value = "socket-warp", value_name = "NAME")]
    pub reference: String,
}

impl Options {
    /// How much is done.
    pub fn scale(&self) -> Scale {
        if self.quick {
            Scale::Quick
        } else {
            Scale::Full
        }
    }
}

/// What to do with a result.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Print a result as Markdown
    Markdown {
        /// A results.json
        results: PathBuf,
    },
    /// Put results into a folder of documentation: performance.json, performance.svg, and the marked part of
    /// performance.md
    Publish {
        /// One results.json, or several of different scenarios
        #[arg(required = true)]
        results: Vec<PathBuf>,
        /// The folder
        folder: PathBuf,
    },
    /// Serve as the target (for the program itself)
    #[command(hide = true)]
    Target {
        /// Its port
        port: u16,
    },
    /// Print a result as a chart (SVG)
    Chart {
        /// A results.json
        results: PathBuf,
    },
}

/// A setting of one contender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Of which contender.
    pub contender: String,
    /// Its name, with `listener.` or `connector.` in front when it is for one daemon only.
    pub key: String,
    /// Its value as text.
    pub value: String,
}

fn named_folder(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, folder)) if !name.is_empty() && !folder.is_empty() => {
            Ok((name.to_owned(), folder.into()))
        }
        _ => Err("NAME=DIR is expected".to_owned()),
    }
}

fn setting(text: &str) -> Result<Setting, String> {
    let parsed = text.split_once(':').and_then(|(contender, rest)| {
        let (key, value) = rest.split_once('=')?;
        let complete = !contender.is_empty() && !key.is_empty();
        complete.then(|| Setting {
            contender: contender.to_owned(),
            key: key.to_owned(),
            value: value.to_owned(),
        })
    });
    parsed.ok_or_else(|| "NAME:KEY=VALUE is expected".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Options::command().debug_assert();
    }

    #[test]
    fn lists_are_separated_by_commas() {
        let options = Options::parse_from(["bench", "--only", "ping,idle", "--quick"]);
        assert_eq!(options.only, ["ping", "idle"]);
        assert!(options.quick);
    }

    #[test]
    fn a_setting_may_hold_colons_and_equals_signs() {
        let parsed = setting("wide:listener.log_level=a=b:c").unwrap();
        assert_eq!(parsed.contender, "wide");
        assert_eq!(parsed.key, "listener.log_level");
        assert_eq!(parsed.value, "a=b:c");
        assert!(setting("no-colon=1").is_err());
        assert!(setting(":key=1").is_err());
    }

    #[test]
    fn a_folder_has_a_name() {
        assert_eq!(named_folder("a=/b").unwrap(), ("a".into(), "/b".into()));
        assert!(named_folder("/b").is_err());
        assert!(named_folder("=/b").is_err());
    }
}
