//! Tells the binary what it was built from: `BUILD_COMMIT` and `BUILD_RUSTC`, for `/info` and `build_info`.
#![expect(
    clippy::disallowed_methods,
    reason = "cargo speaks to a build script through the environment"
)]

use std::env;
use std::path::Path;
use std::process::Command;

/// Digits of the commit's hash that are shown.
const COMMIT_LENGTH: usize = 12;

/// What the service needs of SQLite beside what is usual.
const SQLITE_FLAG: &str = "-DSQLITE_ENABLE_DBPAGE_VTAB";

fn main() {
    println!("cargo::rerun-if-env-changed=GIT_COMMIT");
    check_sqlite();
    rerun_on_new_commit();
    println!("cargo::rustc-env=BUILD_COMMIT={}", commit());
    println!("cargo::rustc-env=BUILD_RUSTC={}", rustc_version());
}

/// `.cargo/config.toml` says how SQLite is compiled. Who builds from elsewhere, or has flags of their own, is told now, and
/// not by an erasure that fails.
fn check_sqlite() {
    println!("cargo::rerun-if-env-changed=LIBSQLITE3_FLAGS");
    if !env::var("LIBSQLITE3_FLAGS").is_ok_and(|flags| flags.contains(SQLITE_FLAG)) {
        println!("cargo::error=build in the folder of the project, or with LIBSQLITE3_FLAGS={SQLITE_FLAG}");
    }
}

/// The commit that was given (a container image is built without `.git`), else the one checked out.
fn commit() -> String {
    env::var("GIT_COMMIT")
        .ok()
        .filter(|given| !given.is_empty() && given.chars().all(|c| c.is_ascii_hexdigit()))
        .or_else(|| output("git", &["rev-parse", "HEAD"]))
        .map_or_else(unknown, |commit| commit.chars().take(COMMIT_LENGTH).collect())
}

/// `1.95.0` of `rustc 1.95.0 (…)`.
fn rustc_version() -> String {
    env::var("RUSTC")
        .ok()
        .and_then(|rustc| output(&rustc, &["--version"]))
        .and_then(|line| line.split_whitespace().nth(1).map(str::to_owned))
        .unwrap_or_else(unknown)
}

fn unknown() -> String {
    "unknown".to_owned()
}

/// Git appends to this log at every commit and checkout. A path that does not exist would run this script at
/// every build, so it is named only where it is.
fn rerun_on_new_commit() {
    if let Some(log) = output("git", &["rev-parse", "--git-path", "logs/HEAD"])
        && Path::new(&log).exists()
    {
        println!("cargo::rerun-if-changed={log}");
    }
}

/// The trimmed output of a command, if it succeeded and said anything.
fn output(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}
