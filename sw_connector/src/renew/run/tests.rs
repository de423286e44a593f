//! Real processes, under limits that are small where they must pass.

use std::{os::unix::process::ExitStatusExt, path::Path, time::Instant};

use rustix::process::test_kill_process;

use super::*;

/// Never passes in a test that succeeds.
const LONG: Duration = Duration::from_secs(60);
/// Passes, but not before a command on a busy machine has begun.
const SHORT: Duration = Duration::from_secs(3);

fn limits(time: Duration, grace: Duration) -> Limits {
    Limits { time, grace }
}

fn shell(text: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(text);
    command
}

async fn run_for(text: &str, limits: Limits) -> Ran {
    let ran = run(shell(text), limits, &Shutdown::default()).await;
    ran.unwrap()
}

fn code(ran: &Ran) -> Option<i32> {
    match ran.ending {
        Ending::Exited(status) => status.code(),
        Ending::TimeLimit | Ending::Stopped => None,
    }
}

/// The process whose number stands in the text is gone, or soon will be: init reaps it.
async fn expect_gone(pid: &str) {
    let pid = Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
    let began = Instant::now();
    while test_kill_process(pid).is_ok() && !is_zombie(pid) {
        assert!(began.elapsed() < LONG, "{pid:?} lives on");
        sleep(Duration::from_millis(10)).await;
    }
}

fn is_zombie(pid: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    stat.is_ok_and(|stat| stat.contains(") Z "))
}

#[tokio::test]
async fn output_and_exit_code_come_back_and_input_is_empty() {
    let ran = run_for("cat; echo one; echo two >&2; exit 3", limits(LONG, LONG)).await;
    assert_eq!(code(&ran), Some(3));
    assert_eq!((ran.output.as_str(), ran.left_out), ("one\ntwo", 0));
    let ran = run_for("kill -9 $$", limits(LONG, LONG)).await;
    let Ending::Exited(status) = ran.ending else {
        panic!("{ran:?}");
    };
    assert_eq!(status.signal(), Some(9));
    assert!(status.to_string().contains("SIGKILL"), "{status}");
}

#[tokio::test]
async fn what_hangs_is_ended_at_its_time_limit() {
    let began = Instant::now();
    let ran = run_for("echo waiting; exec sleep 1000", limits(SHORT, LONG)).await;
    assert_eq!(ran.ending, Ending::TimeLimit);
    assert_eq!(ran.output, "waiting");
    assert!(began.elapsed() < LONG / 2, "SIGTERM is enough");
}

#[tokio::test]
async fn what_ignores_sigterm_is_killed() {
    let text = "trap 'echo no' TERM; echo $$; while :; do sleep 0.05; done";
    let ran = run_for(text, limits(SHORT, SHORT)).await;
    assert_eq!(ran.ending, Ending::TimeLimit);
    let mut lines = ran.output.lines();
    let pid = lines.next().unwrap();
    assert!(lines.any(|line| line == "no"), "it was asked first");
    expect_gone(pid).await;
}

#[tokio::test]
async fn grandchildren_end_with_it() {
    // One that ignores SIGTERM in the background, of a parent that hangs, or has ended well.
    let deaf = "sh -c 'trap \"\" TERM; echo $$; while :; do sleep 0.05; done' & ";
    let ran = run_for(&format!("{deaf} wait"), limits(SHORT, SHORT)).await;
    assert_eq!(ran.ending, Ending::TimeLimit);
    expect_gone(&ran.output).await;
    let began = Instant::now();
    let fifo = tempfile::tempdir().unwrap();
    let path = fifo.path().join("ready");
    let text = format!(
        "mkfifo {0}; sh -c 'trap \"\" TERM; echo $$; echo >{0}; while :; do sleep 0.05; done' & read x <{0}; exit 0",
        path.display()
    );
    let ran = run_for(&text, limits(LONG, LONG)).await;
    assert_eq!(code(&ran), Some(0));
    assert!(began.elapsed() < LONG / 2);
    expect_gone(&ran.output).await;
}

#[tokio::test]
async fn a_flood_keeps_its_end_and_holds_up_nobody() {
    let text = "head -c 100000000 /dev/zero | tr '\\0' x; echo; echo the end";
    let mut turns = 0;
    let beside = async {
        loop {
            tokio::time::sleep(Duration::from_millis(5)).await;
            turns += 1;
        }
    };
    let ran = tokio::select! {
        ran = run_for(text, limits(LONG, LONG)) => ran,
        () = beside => unreachable!(),
    };
    assert_eq!(code(&ran), Some(0));
    assert_eq!(ran.output.len() + 1, OUTPUT);
    assert!(ran.output.ends_with("x\nthe end"));
    assert_eq!(ran.left_out, 100_000_000 + 9 - OUTPUT as u64);
    assert!(turns > 1, "the loop must turn meanwhile");
}

#[tokio::test]
async fn what_cannot_be_started_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "#!/bin/sh\n").unwrap();
    let start = async |path: &Path| {
        let limits = limits(LONG, LONG);
        let ran = run(Command::new(path), limits, &Shutdown::default()).await;
        ran.unwrap_err().kind()
    };
    assert_eq!(start(&file).await, io::ErrorKind::PermissionDenied);
    let missing = folder.path().join("missing");
    assert_eq!(start(&missing).await, io::ErrorKind::NotFound);
}

#[tokio::test]
async fn a_stop_ends_it_and_a_second_one_does_not_wait() {
    let shutdown = Shutdown::default();
    let running = run(shell("exec sleep 1000"), limits(LONG, LONG), &shutdown);
    let stop = async { shutdown.begin() };
    let (ran, ()) = tokio::join!(running, stop);
    assert_eq!(ran.unwrap().ending, Ending::Stopped);

    let shutdown = Shutdown::default();
    let deaf = shell("trap '' TERM; while :; do sleep 0.05; done");
    let running = run(deaf, limits(LONG, LONG), &shutdown);
    let stop = async { shutdown.end() };
    let began = Instant::now();
    let (ran, ()) = tokio::join!(running, stop);
    assert_eq!(ran.unwrap().ending, Ending::Stopped);
    assert!(began.elapsed() < LONG / 2);
}

#[tokio::test]
async fn dropping_the_future_kills_the_group() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    let text = format!(
        "echo $$ >{0}.new; mv {0}.new {0}; exec sleep 1000",
        file.display()
    );
    let shutdown = Shutdown::default();
    let written = async {
        while !file.exists() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::select! {
        ran = run(shell(&text), limits(LONG, LONG), &shutdown) => panic!("{ran:?}"),
        () = written => {}
    }
    expect_gone(&std::fs::read_to_string(&file).unwrap()).await;
}
