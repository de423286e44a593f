//! Which contenders there are on this machine.

use std::{
    env,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, Result, bail};

use super::{
    Contender,
    direct::Direct,
    one_x::OneX,
    rathole::{Rathole, Transport},
    socket_warp::SocketWarp,
    ssh::Ssh,
};
use crate::{options::Options, program::Program};

/// The name of the first build.
pub const SOCKET_WARP: &str = "socket-warp";
/// Debian does not have it in an ordinary user's `PATH`.
const SYSTEM_FOLDERS: &str = "/usr/sbin:/sbin";

/// Who takes part.
#[derive(Default)]
pub struct Installed {
    /// In the order of the tables.
    pub contenders: Vec<Box<dyn Contender>>,
    /// Who does not, and why.
    pub left_out: Vec<String>,
}

/// Finds everybody; `--contenders` then chooses.
///
/// # Errors
/// When something that was named is not there.
pub fn find(options: &Options) -> Result<Installed> {
    let mut found = Installed::default();
    found.contenders.push(Box::new(Direct));
    for warp in socket_warps(options)? {
        found.contenders.push(Box::new(warp));
    }
    find_rathole(options, &mut found)?;
    find_ssh(&mut found);
    find_one_x(options, &mut found)?;
    choose(&options.contenders, &mut found)?;
    Ok(found)
}

fn socket_warps(options: &Options) -> Result<Vec<SocketWarp>> {
    let folder = match &options.binaries {
        Some(folder) => folder.clone(),
        None => {
            let itself = env::current_exe().context("cannot tell where this program is")?;
            itself.parent().map(Path::to_owned).unwrap_or_default()
        }
    };
    let mut builds = vec![(SOCKET_WARP.to_owned(), folder.clone())];
    builds.extend(options.also.iter().cloned());
    for setting in &options.set {
        if builds.iter().all(|(name, _)| *name != setting.contender) {
            builds.push((setting.contender.clone(), folder.clone()));
        }
    }
    let warp = |(name, folder): (String, PathBuf)| {
        let settings = options.set.iter();
        let settings = settings.filter(|setting| setting.contender == name);
        SocketWarp::new(&name, &folder, settings.cloned().collect()).with_context(|| {
            format!("{name} is not built (cargo build --release), or in another folder")
        })
    };
    builds.into_iter().map(warp).collect()
}

fn find_rathole(options: &Options, found: &mut Installed) -> Result<()> {
    let program = options.rathole.clone().or_else(|| in_path("rathole"));
    let Some(program) = program else {
        let why = "rathole: not in PATH, and no --rathole PATH (cargo install rathole)";
        found.left_out.push(why.to_owned());
        return Ok(());
    };
    let program = Arc::new(Program::open(&program)?);
    for transport in [Transport::Plaintext, Transport::Tls, Transport::Noise] {
        if transport == Transport::Tls && in_path("openssl").is_none() {
            let why = "rathole TLS: openssl, which makes its certificates, is not in PATH";
            found.left_out.push(why.to_owned());
            continue;
        }
        let program = program.clone();
        found
            .contenders
            .push(Box::new(Rathole { program, transport }));
    }
    Ok(())
}

fn find_ssh(found: &mut Installed) {
    match (in_path("sshd"), in_path("ssh")) {
        (Some(sshd), Some(_)) => found.contenders.push(Box::new(Ssh { sshd })),
        _ => {
            let why =
                "ssh -R: ssh or sshd is not installed (Debian: openssh-client, openssh-server)";
            found.left_out.push(why.to_owned());
        }
    }
}

fn find_one_x(options: &Options, found: &mut Installed) -> Result<()> {
    let Some(folder) = &options.one_x else {
        found
            .left_out
            .push("socket-warp 1.x: no --one-x DIR".to_owned());
        return Ok(());
    };
    found.contenders.push(Box::new(OneX::new(folder)?));
    Ok(())
}

fn choose(wanted: &[String], found: &mut Installed) -> Result<()> {
    for name in wanted {
        if found
            .contenders
            .iter()
            .all(|contender| contender.name() != name)
        {
            let known: Vec<_> = found
                .contenders
                .iter()
                .map(|contender| contender.name())
                .collect();
            bail!("there is no contender {name:?}: {}", known.join(", "));
        }
    }
    if !wanted.is_empty() {
        let is_wanted = |name: &str| wanted.iter().any(|wanted| wanted == name);
        found
            .contenders
            .retain(|contender| is_wanted(contender.name()));
        found.left_out.clear();
    }
    Ok(())
}

/// A program, as a shell would find it.
fn in_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(env::split_paths(SYSTEM_FOLDERS));
    folders
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[test]
    fn what_is_named_must_be_there() {
        let mut found = Installed::default();
        found.contenders.push(Box::new(Direct));
        assert!(choose(&["nobody".to_owned()], &mut found).is_err());
        choose(&["direct".to_owned()], &mut found).unwrap();
        assert_eq!(found.contenders.len(), 1);
    }

    #[test]
    fn a_folder_without_the_daemons_is_told() {
        let options = Options::parse_from(["bench", "--binaries", "/nowhere"]);
        let error = socket_warps(&options).unwrap_err();
        assert!(format!("{error:#}").contains("sw_listener"));
    }
}
