//! Scripts in other languages, for what other people's clients and tools make of the service.

use std::process::Command;

use super::process::Output;
use super::time::within;

/// What runs a script, in the environment that `scripts/test` has installed.
#[derive(Debug, Clone, Copy)]
pub enum Interpreter {
    /// Python, with its packages.
    Python,
    /// Node.js, with its packages.
    Node,
}

impl Interpreter {
    /// Runs a script of `tests/fixtures` to its end.
    pub async fn run(self, script: &str, arguments: &[&str], settings: &[(&str, &str)]) -> Output {
        let mut command = Command::new(installed(match self {
            Self::Python => "TEST_PYTHON",
            Self::Node => "TEST_NODE",
        }));
        command
            .arg(format!("{}/tests/fixtures/{script}", env!("CARGO_MANIFEST_DIR")))
            .args(arguments)
            .env_clear()
            .envs(settings.iter().copied());
        match self {
            Self::Python => command.env("PYTHONUTF8", "1"),
            Self::Node => command.env("NODE_PATH", installed("TEST_NODE_PATH")),
        };
        let finished = tokio::task::spawn_blocking(move || command.output());
        let output = within(script, finished)
            .await
            .expect("a thread")
            .expect("the interpreter runs");
        Output {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "where something is installed, not a setting of the service"
)]
fn installed(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: run scripts/test, which installs what scripts need"))
}
