//! Namespaces of labs whose process was killed before it could remove them. Their names tell: `lab-PID-NUMBER-SIDE`.

use std::{
    fs, io,
    path::Path,
    process,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use super::{FOLDER, remove};

/// The names of the two namespaces of a new lab of this process.
pub(crate) fn names() -> [String; 2] {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let (pid, number) = (process::id(), NUMBER.fetch_add(1, Relaxed));
    ["a", "b"].map(|side| format!("lab-{pid}-{number}-{side}"))
}

/// Removes the namespaces of dead processes and returns their names. Nothing runs there but what outlived its lab.
///
/// # Errors
/// When the folder of namespaces cannot be read. That there is none is fine.
pub fn sweep() -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(FOLDER) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut swept = Vec::new();
    for entry in entries {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if owner(&name).is_some_and(|pid| !is_alive(pid)) {
            remove(&name);
            swept.push(name);
        }
    }
    Ok(swept)
}

/// The process that made a namespace of this name, when it belongs to a lab.
fn owner(name: &str) -> Option<u32> {
    let (pid, rest) = name.strip_prefix("lab-")?.split_once('-')?;
    let (number, side) = rest.split_once('-')?;
    let known = number.parse::<usize>().is_ok() && matches!(side, "a" | "b");
    pid.parse().ok().filter(|_| known)
}

fn is_alive(pid: u32) -> bool {
    Path::new("/proc").join(pid.to_string()).exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_their_process_and_no_two_are_the_same() {
        let all = [names(), names()].concat();
        assert!(all.iter().all(|name| owner(name) == Some(process::id())));
        let distinct: std::collections::HashSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), 4);
    }

    #[test]
    fn other_names_belong_to_nobody_here() {
        for name in [
            "",
            "lab",
            "lab-1",
            "lab-1-2",
            "lab-x-0-a",
            "lab-1-0-c",
            "lab-1--a",
            "web-1-0-a",
        ] {
            assert_eq!(owner(name), None, "{name}");
        }
    }
}
