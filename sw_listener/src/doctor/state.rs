//! The step `state`: can openings be kept?

use std::{
    fs::{self, OpenOptions},
    io,
    path::Path,
};

use common::doctor::Line;

use crate::store::FileStore;

const STEP: &str = "state";
/// Below this many free bytes a change of the openings may soon not be written.
const ROOM: u64 = 16 << 20;
/// Written and removed again, to see whether that works.
const TRIAL: &str = ".doctor";

pub(super) fn examine(folder: Option<&Path>) -> Vec<Line> {
    let Some(folder) = folder else {
        let what = "state_dir is not set: openings live in memory and are gone after a restart";
        return vec![Line::warn(
            STEP,
            what,
            "set it to a folder of the listener's own".to_owned(),
        )];
    };
    if !folder.exists() {
        let what = format!(
            "{} is not there yet: sw_listener makes it",
            folder.display()
        );
        return vec![Line::ok(STEP, what)];
    }
    let free = rustix::fs::statvfs(folder).map(|at| at.f_bavail.saturating_mul(at.f_frsize));
    let kept = FileStore::check(folder).map_err(|error| error.to_string());
    judge(folder, kept, try_writing(folder), free.ok())
}

fn try_writing(folder: &Path) -> io::Result<()> {
    let trial = folder.join(format!("{TRIAL}-{}", std::process::id()));
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&trial)?;
    fs::remove_file(trial)
}

/// `free`: bytes, if the system says it.
fn judge(
    folder: &Path,
    kept: Result<usize, String>,
    written: io::Result<()>,
    free: Option<u64>,
) -> Vec<Line> {
    let shown = folder.display();
    let mut lines = Vec::new();
    match &kept {
        Err(error) => lines.push(Line::fail(
            STEP,
            error,
            "put an earlier openings.json back, or move it away and open the ports anew".to_owned(),
        )),
        Ok(count) if written.is_ok() => {
            lines.push(Line::ok(
                STEP,
                format!("{count} opening(s) are kept in {shown}"),
            ));
        }
        Ok(_) => {}
    }
    if let Err(error) = written {
        let advice =
            format!("make it the listener's own: chown -R USER {shown}, and chmod 700 {shown}");
        lines.push(Line::fail(
            STEP,
            format!("cannot write to {shown}: {error}"),
            advice,
        ));
    }
    if let Some(free) = free.filter(|free| *free < ROOM) {
        let what = format!("only {free} bytes are free in {shown}: changes may soon be refused");
        lines.push(Line::warn(STEP, what, "make room on the disk".to_owned()));
    }
    lines
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use common::doctor::Outcome;

    use super::*;

    #[test]
    fn every_trouble_has_its_line() {
        let folder = Path::new("/var/lib/x");
        let well = judge(folder, Ok(3), Ok(()), Some(ROOM));
        assert_eq!(well.len(), 1);
        assert!(well[0].detail.contains("3 opening(s)"));
        let denied = || Err(ErrorKind::PermissionDenied.into());
        let bad = judge(folder, Err("damaged".to_owned()), denied(), Some(5));
        let outcomes: Vec<_> = bad.iter().map(|line| line.outcome).collect();
        assert_eq!(outcomes, [Outcome::Fail, Outcome::Fail, Outcome::Warn]);
        assert_eq!(judge(folder, Ok(0), denied(), None).len(), 1);
    }

    #[test]
    fn looking_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let lines = examine(Some(folder.path()));
        assert!(
            lines.iter().all(|line| line.outcome != Outcome::Fail),
            "{lines:?}"
        );
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
