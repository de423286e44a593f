//! The program `lab`. Needs root, iproute2 and `/dev/net/tun`.

#![allow(clippy::unwrap_used, reason = "everything here is a test")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};

fn lab(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lab"));
    command
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Starts it and reads the line that names the namespaces.
fn started(arguments: &[&str]) -> (Child, BufReader<impl Read + use<>>, [String; 2]) {
    let mut child = lab(arguments).spawn().unwrap();
    let mut errors = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    errors.read_line(&mut line).unwrap();
    let names = line.trim().strip_prefix("lab: A is ").expect(&line);
    let (a, b) = names.split_once(", B is ").expect(&line);
    (child, errors, [a.to_owned(), b.to_owned()])
}

fn exists(name: &str) -> bool {
    Path::new("/run/netns").join(name).exists()
}

#[test]
fn runs_a_command_and_ends_as_it_does() {
    let script = "ip -n $LAB_A -o -4 address; ip -n $LAB_B -o -4 address; exit 7";
    let output = lab(&["delay=1ms", "--", "sh", "-c", script])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(7), "{}", errors(&output));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        text.contains("10.99.0.1/24") && text.contains("10.99.0.2/24"),
        "{text}"
    );
    assert!(
        errors(&output).contains("B to A: sent 0 "),
        "{}",
        errors(&output)
    );
}

#[test]
fn without_a_command_it_obeys_its_input_until_that_ends() {
    let (mut child, mut errors, names) = started(&[]);
    assert!(names.iter().all(|name| exists(name)));
    let mut input = child.stdin.take().unwrap();
    writeln!(input, "delay=5ms ba.loss=1%\ndealy=5ms").unwrap();
    drop(input);
    let mut text = String::new();
    errors.read_to_string(&mut text).unwrap();
    assert!(
        text.starts_with("lab: there is no setting \"dealy\"\n"),
        "{text}"
    );
    assert!(child.wait().unwrap().success());
    assert!(!names.iter().any(|name| exists(name)));
}

#[test]
fn a_signal_ends_it_with_its_command_and_nothing_is_left() {
    let (mut child, _errors, names) = started(&["--", "sh", "-c", "echo up; exec sleep 1000"]);
    let mut line = String::new();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    output.read_line(&mut line).unwrap();
    assert_eq!(line, "up\n");
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    // Ends when the command has, which has this open too.
    output.read_line(&mut line).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert!(!names.iter().any(|name| exists(name)));
}

#[test]
fn what_is_wrong_on_the_command_line_is_named() {
    let output = lab(&["loss=lots"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        errors(&output).contains("loss cannot be \"lots\""),
        "{}",
        errors(&output)
    );
    let output = lab(&["--", "/no/such/program"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        errors(&output).contains("cannot run /no/such/program: No such file"),
        "{}",
        errors(&output)
    );
}
