//! The namespaces in which everything runs. The program starts itself again in namespaces of processes, mounts and
//! network that are its own: when it ends, however it does, the kernel ends all that it started, and nothing is left.

use std::{
    fs,
    io::Read,
    process::{Command, ExitCode, Stdio},
};

use anyhow::{Context, Result, bail};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Tells the program that it has been started again.
const INSIDE: &str = "SOCKET_WARP_BENCH_INSIDE";
/// More than twice what 10,000 connections take.
const DESCRIPTORS: u64 = 65_536;

/// Whether this is the process inside.
pub fn is_inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// Starts the program again, inside, with the same arguments, and waits for it.
///
/// # Errors
/// When that is not possible, for want of root for example.
pub fn enter() -> Result<ExitCode> {
    if !rustix::process::geteuid().is_root() {
        bail!("network namespaces need root: run it as root, or with sudo");
    }
    let itself = std::env::current_exe().context("cannot tell where this program is")?;
    let mut child = Command::new("unshare")
        .args([
            "--net",
            "--mount",
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
            "--",
        ])
        .arg(itself)
        .args(std::env::args_os().skip(1))
        .env(INSIDE, "1")
        // Its end is how the process inside learns that this one has gone.
        .stdin(Stdio::piped())
        .spawn()
        .context("cannot start unshare (Debian: util-linux)")?;
    // `wait` would close the pipe; taken out, it stays open until this process ends.
    let _alive = child.stdin.take();
    let status = child.wait().context("cannot wait for unshare")?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Prepares the process inside: it ends with the one outside, has enough descriptors, and a `/run` of its own, which is
/// the place for all files: it is gone with the last process.
///
/// # Errors
/// When something is not permitted.
pub fn prepare() -> Result<()> {
    std::thread::spawn(end_with_parent);
    command("mount", &["-t", "tmpfs", "tmpfs", "/run"])?;
    fs::create_dir("/run/sshd").context("cannot make /run/sshd")?;
    raise_descriptors()
}

/// Runs a command to its end and gives its output.
///
/// # Errors
/// When it cannot be started or fails; with what it said.
pub fn command(program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {program}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{program} {}: {}", arguments.join(" "), said.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The first process of a namespace has no default actions of signals; a terminal's Ctrl-C ends the process outside, and
/// this one sees its pipe end.
fn end_with_parent() {
    let mut byte = [0];
    while let Ok(1..) = std::io::stdin().read(&mut byte) {}
    eprintln!("bench: ended before it was done");
    std::process::exit(130);
}

/// As far as it is permitted; a scenario that needs more says so.
fn raise_descriptors() -> Result<()> {
    let now = getrlimit(Resource::Nofile);
    let maximum = now.maximum.unwrap_or(u64::MAX);
    let limit = |maximum: u64| Rlimit {
        current: Some(maximum),
        maximum: Some(maximum),
    };
    let wanted = setrlimit(Resource::Nofile, limit(maximum.max(DESCRIPTORS)));
    wanted
        .or_else(|_| setrlimit(Resource::Nofile, limit(maximum)))
        .with_context(|| format!("cannot raise the limit of descriptors to {maximum}"))
}
