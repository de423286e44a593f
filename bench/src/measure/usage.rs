//! What processes and their descendants have used, from `/proc`.

use std::{
    collections::HashSet,
    fs,
    time::{Duration, Instant},
};

/// User and system time so far, in seconds, of these processes and all that they have started (sshd starts one for each
/// connection).
pub fn cpu_seconds(roots: &[u32]) -> f64 {
    let ticks = family(roots).iter().map(|stat| stat.ticks).sum::<u64>();
    ticks as f64 / rustix::param::clock_ticks_per_second() as f64
}

/// The same over `window`, in thousandths of a second for each second.
pub fn cpu_millis_per_second(roots: &[u32], window: Duration) -> f64 {
    let (start, before) = (Instant::now(), cpu_seconds(roots));
    std::thread::sleep(window);
    (cpu_seconds(roots) - before) * 1e3 / start.elapsed().as_secs_f64()
}

/// Resident memory of the same, in bytes. Pages that processes share count for each of them.
pub fn memory(roots: &[u32]) -> u64 {
    let family = family(roots);
    family.iter().filter_map(|stat| resident(stat.pid)).sum()
}

/// A line of `/proc/PID/stat`, as far as it is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stat {
    pid: u32,
    parent: u32,
    ticks: u64,
}

fn family(roots: &[u32]) -> Vec<Stat> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let all: Vec<_> = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
        .filter_map(|pid| parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?))
        .collect();
    descendants(roots, &all)
}

fn descendants(roots: &[u32], all: &[Stat]) -> Vec<Stat> {
    let mut members: HashSet<u32> = roots.iter().copied().collect();
    loop {
        let before = members.len();
        let found = all.iter().filter(|stat| members.contains(&stat.parent));
        let found: Vec<_> = found.map(|stat| stat.pid).collect();
        members.extend(found);
        if members.len() == before {
            break;
        }
    }
    let of_us = all.iter().filter(|stat| members.contains(&stat.pid));
    of_us.copied().collect()
}

/// The name, in parentheses, may hold anything; the fields behind it are those of proc(5) from the third on.
fn parse(stat: &str) -> Option<Stat> {
    let pid = stat.split_once(' ')?.0.parse().ok()?;
    let rest: Vec<_> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let field = |number: usize| rest.get(number - 3)?.parse::<u64>().ok();
    Some(Stat {
        pid,
        parent: u32::try_from(field(4)?).ok()?,
        ticks: field(14)? + field(15)?,
    })
}

fn resident(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_anything() {
        let line = "42 (a ) b) S 7 42 42 0 -1 4194304 0 0 0 0 150 50 0 0 20 0 1 0";
        let stat = parse(line).unwrap();
        assert_eq!((stat.pid, stat.parent, stat.ticks), (42, 7, 200));
        assert_eq!(parse("42 (short) S 7"), None);
    }

    #[test]
    fn grandchildren_count() {
        let stat = |pid, parent| Stat {
            pid,
            parent,
            ticks: 1,
        };
        let all = [stat(4, 3), stat(2, 1), stat(3, 2), stat(9, 1)];
        let pids: Vec<_> = descendants(&[2], &all)
            .iter()
            .map(|stat| stat.pid)
            .collect();
        assert_eq!(pids, [4, 2, 3]);
    }

    #[test]
    fn this_process_uses_something() {
        assert!(memory(&[std::process::id()]) > 100_000);
        assert!(cpu_seconds(&[std::process::id()]) >= 0.0);
    }
}
