//! What the kernel knows of a process.

use std::fs;
use std::time::Duration;

use crate::Failure;

/// The kernel's unit of a process's time: a hundredth of a second on every Linux that Rust runs on (`USER_HZ`).
const TICKS_PER_SECOND: f64 = 100.0;

/// Bytes of its memory that are resident.
pub fn resident(process: u32) -> Result<u64, Failure> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next());
    Ok(kibibytes.ok_or("the process has ended")?.parse::<u64>()? * 1_024)
}

/// What both cores together have spent on it so far.
pub fn time_spent(process: u32) -> Result<Duration, Failure> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The second field, the name in parentheses, may hold spaces; "utime" and "stime" are the 14th and the 15th.
    let (_, fields) = stat.rsplit_once(')').ok_or("no name in /proc/PID/stat")?;
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<f64>);
    let ticks = ticks.sum::<Result<f64, _>>()?;
    Ok(Duration::from_secs_f64(ticks / TICKS_PER_SECOND))
}

/// Refuses to go on if this process, and so the server that it starts, may not open so many files.
pub fn require_files(count: u32) -> Result<(), Failure> {
    let limits = fs::read_to_string("/proc/self/limits")?;
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"));
    let soft = line
        .and_then(|line| line.split_whitespace().next())
        .unwrap_or("unlimited");
    match soft.parse::<u32>() {
        Ok(limit) if limit < count => {
            Err(format!("{limit} open files are not enough: `ulimit -n {count}` allows more").into())
        }
        _ => Ok(()),
    }
}
