//! `sw_listener`: the command line.

use std::{process::ExitCode, time::SystemTime};

use anyhow::Context;
use clap::{Parser, Subcommand};
use common::{telemetry, tls::Occasion};
use sw_listener::{
    accept::quic::set_up,
    config::{Config, Flags, help},
    doctor::{self, DoctorArgs},
    pki::{self, PkiArgs},
    policy::lists::ListFiles,
    server,
    store::FileStore,
};

/// Accepts connectors over QUIC with mutual TLS, and opens TCP ports that come out at their side.
///
/// Without a command it runs until SIGTERM; a second SIGTERM ends it at once, SIGHUP re-reads the certificates.
/// `sw_listener doctor` says what is wrong when it does not start, or lets somebody not in.
#[derive(Parser)]
#[command(version, after_help = help())]
struct Cli {
    #[command(flatten)]
    flags: Flags,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Check the settings and the certificate files without starting
    Check,
    /// Look at everything that the listener depends on, and with --certificate at whether a connector would be let in
    Doctor(DoctorArgs),
    /// Make a small certificate authority, and certificates from it
    Pki(PkiArgs),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match execute(cli) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("sw_listener: {}", common::errors::chain(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

fn execute(cli: Cli) -> anyhow::Result<ExitCode> {
    match cli.command {
        Some(Command::Pki(args)) => {
            println!("{}", pki::run(&args, SystemTime::now())?);
        }
        Some(Command::Check) => {
            let config = load(&cli.flags)?;
            for warning in set_up(&config, Occasion::Check)?.warnings {
                eprintln!("warning: {warning}");
            }
            // The listener does not start with a list that it cannot read.
            ListFiles::open(config.policy.lists.clone())?;
            if let Some(folder) = &config.state_dir {
                FileStore::check(folder)?;
            }
            println!("the settings, the certificate files and the kept openings are in order");
        }
        Some(Command::Doctor(args)) => {
            let environment = common::config::environment();
            let well = doctor::run(&cli.flags, environment, &args, &mut std::io::stdout())?;
            return Ok(ExitCode::from(u8::from(!well)));
        }
        None => run(load(&cli.flags)?)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn load(flags: &Flags) -> anyhow::Result<Config> {
    Ok(Config::load(flags, common::config::environment())?)
}

fn run(config: Config) -> anyhow::Result<()> {
    telemetry::init(&config.log_level, config.log_format)?;
    let control = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the control plane")?;
    let ended = control.block_on(server::run(config));
    // A name that is being resolved must not hold up the end.
    control.shutdown_background();
    Ok(ended?)
}
