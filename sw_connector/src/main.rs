//! `sw_connector`: the command line.

use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};
use common::{telemetry, tls::Occasion};
use sw_connector::{
    config::{Config, Flags, help},
    daemon,
    doctor::{self, DoctorArgs},
};

/// Dials out to the listener over QUIC with mutual TLS, stays connected, and dials local TCP targets on request.
///
/// Without a command it runs until SIGTERM; a second SIGTERM ends it at once, SIGHUP re-reads the certificates. `sw_connector
/// doctor` says what is wrong when there is no session.
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
    /// Check the settings and the certificate files without dialling
    Check,
    /// Find out why there is no session: names, network, TLS, the listener's verdict, targets; makes no session
    Doctor(DoctorArgs),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match execute(&cli) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("sw_connector: {}", common::errors::chain(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

fn execute(cli: &Cli) -> anyhow::Result<ExitCode> {
    if let Some(Command::Doctor(args)) = &cli.command {
        let environment = common::config::environment();
        let well = doctor::run(&cli.flags, environment, args, &mut std::io::stdout())?;
        return Ok(ExitCode::from(u8::from(!well)));
    }
    let config = Config::load(&cli.flags, common::config::environment())?;
    if matches!(cli.command, Some(Command::Check)) {
        for warning in daemon::check(&config, Occasion::Check)? {
            eprintln!("warning: {warning}");
        }
        println!("the settings and the certificate files are in order");
        return Ok(ExitCode::SUCCESS);
    }
    telemetry::init(&config.log_level, config.log_format)?;
    let control = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the control plane")?;
    let ended = control.block_on(daemon::run(config));
    // A name that is being resolved must not hold up the end.
    control.shutdown_background();
    ended?;
    Ok(ExitCode::SUCCESS)
}
