//! What a test does to a process from outside.

use std::fs;
use std::process::Command;

/// Sends a signal, by its name without "SIG", to a process that runs.
pub fn send(signal: &str, process: u32) {
    assert!(try_send(signal, process), "SIG{signal} was not sent to {process}");
}

/// Stops a process and its children where they stand; to others it looks like a machine that hangs.
pub fn freeze(process: u32) {
    send("STOP", process);
    for child in children(process) {
        // One may have ended since it was listed; none is added any more.
        try_send("STOP", child);
    }
}

/// Lets a frozen process and its children go on.
pub fn thaw(process: u32) {
    for child in children(process) {
        try_send("CONT", child);
    }
    send("CONT", process);
}

/// False if there is no such process.
fn try_send(signal: &str, process: u32) -> bool {
    let output = Command::new("kill")
        .args(["-s", signal, &process.to_string()])
        .output();
    output.expect("kill runs").status.success()
}

/// The processes that this one has started and that still run.
fn children(process: u32) -> Vec<u32> {
    let list = fs::read_to_string(format!("/proc/{process}/task/{process}/children"));
    list.expect("a process of Linux")
        .split_whitespace()
        .map(|id| id.parse().expect("a process id"))
        .collect()
}
