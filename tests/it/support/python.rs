//! Scripts in Python, for what other people's clients and tools make of the service.

use std::process::Command;

use super::process::Output;
use super::time::within;

/// Runs a script of `tests/fixtures` to its end, in the environment that `scripts/test` has installed.
pub async fn run(script: &str, arguments: &[&str], settings: &[(&str, &str)]) -> Output {
    let mut command = Command::new(interpreter());
    command
        .arg(format!("{}/tests/fixtures/{script}", env!("CARGO_MANIFEST_DIR")))
        .args(arguments)
        .env_clear()
        .env("PYTHONUTF8", "1")
        .envs(settings.iter().copied());
    let finished = tokio::task::spawn_blocking(move || command.output());
    let output = within(script, finished)
        .await
        .expect("a thread")
        .expect("Python runs");
    Output {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "where Python is, not a setting of the service"
)]
fn interpreter() -> String {
    std::env::var("TEST_PYTHON").unwrap_or_else(|_| {
        panic!("TEST_PYTHON is not set: run scripts/test, which installs what scripts need")
    })
}
