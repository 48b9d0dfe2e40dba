//! The real binary as a process: what only signals, exit codes and output can show.

use std::fs::{self, File};
use std::net::{TcpListener, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use tempfile::TempDir;

use super::time::{eventually, within};
use super::{Client, signals};

const BINARY: &str = env!("CARGO_BIN_EXE_ai-chat-orchestrator");

/// A running binary. Dropping it kills it.
pub struct Process {
    child: Child,
    output: TempDir,
    /// Where it listens, when it serves.
    pub base: String,
}

impl Process {
    /// Starts `serve` on a free port and waits until it is ready.
    pub async fn serve(data_dir: &Path, settings: &[(&str, &str)]) -> Self {
        Self::serve_on(free_port(), data_dir, settings).await
    }

    /// Starts `serve` on this port and waits until it is ready.
    pub async fn serve_on(port: u16, data_dir: &Path, settings: &[(&str, &str)]) -> Self {
        let port = port.to_string();
        let data_dir = data_dir.to_str().expect("a UTF-8 path");
        let mut all = vec![
            ("HOST", "127.0.0.1"),
            ("PORT", &port),
            ("DATA_DIR", data_dir),
            // Most tests ask models that nobody knows.
            ("ALLOW_UNPRICED_MODELS", "true"),
        ];
        all.extend_from_slice(settings);
        let mut process = Self::spawn(&["serve"], &all);
        process.base = format!("http://127.0.0.1:{port}");
        process.wait_until_ready().await;
        process
    }

    /// Starts a command with these settings and nothing else from this process's environment.
    pub fn spawn(arguments: &[&str], settings: &[(&str, &str)]) -> Self {
        let output = TempDir::new().expect("a temporary folder");
        let file = |name: &str| File::create(output.path().join(name)).expect("an output file");
        let child = Command::new(BINARY)
            .args(arguments)
            .env_clear()
            .envs(settings.iter().copied())
            .current_dir(output.path())
            .stdin(Stdio::null())
            .stdout(file("stdout"))
            .stderr(file("stderr"))
            .spawn()
            .expect("the binary starts");
        Self {
            child,
            output,
            base: String::new(),
        }
    }

    async fn wait_until_ready(&mut self) {
        let client = Client::anonymous(&self.base);
        eventually("the process to be ready", async || {
            if let Some(status) = self.child.try_wait().expect("the state of the process") {
                panic!("it ended with {status}\n{}\n{}", self.stdout(), self.stderr());
            }
            let response = client.request(reqwest::Method::GET, "/ready").send().await;
            response
                .is_ok_and(|response| response.status() == 200)
                .then_some(())
        })
        .await;
    }

    /// A user whom it has not seen before.
    pub fn user(&self) -> Client {
        Client::new_user(&self.base)
    }

    /// Ends it at once, as a power loss would.
    pub fn kill(&mut self) {
        self.child.kill().expect("SIGKILL");
        self.child.wait().expect("its end");
    }

    /// Asks it to end.
    pub fn terminate(&self) {
        signals::send("TERM", self.child.id());
    }

    /// Stops it where it stands.
    pub fn freeze(&self) {
        signals::send("STOP", self.child.id());
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        signals::send("CONT", self.child.id());
    }

    /// Waits for its end.
    pub async fn exit(&mut self) -> ExitStatus {
        eventually("the end of the process", async || {
            self.child.try_wait().expect("the state of the process")
        })
        .await
    }

    /// What it has printed.
    pub fn stdout(&self) -> String {
        fs::read_to_string(self.output.path().join("stdout")).expect("its output")
    }

    /// What it has complained.
    pub fn stderr(&self) -> String {
        fs::read_to_string(self.output.path().join("stderr")).expect("its output")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails only if it has ended already, which is what is wanted.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A command that was run to its end.
#[derive(Debug)]
pub struct Output {
    /// The exit status.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it complained.
    pub stderr: String,
}

/// Runs a command to its end.
pub async fn run(arguments: &[&str], settings: &[(&str, &str)]) -> Output {
    let mut process = Process::spawn(arguments, settings);
    let status = within("the command", process.exit()).await;
    Output {
        code: status.code(),
        stdout: process.stdout(),
        stderr: process.stderr(),
    }
}

/// A port that nobody listens on, and that no other test is given as long as this process lives. It is none of those that
/// the system takes for outgoing connections.
pub fn free_port() -> u16 {
    loop {
        let port = rand::random_range(20_000..32_000);
        // Datagrams have ports of their own, which nobody here needs: whoever has that one has the port.
        let Ok(claim) = UdpSocket::bind(("127.0.0.1", port)) else {
            continue;
        };
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            std::mem::forget(claim);
            return port;
        }
    }
}
