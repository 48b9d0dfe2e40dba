//! A PostgreSQL server of the test's own, which may be crashed, frozen and started again.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use sqlx::{Connection as _, PgConnection};
use tempfile::TempDir;

use super::process::free_port;
use super::signals;
use super::time::eventually;

/// The user that PostgreSQL runs as where the tests run as root, which it refuses to.
const UNPRIVILEGED: &str = "postgres";

/// Commits are not forced to the disk, but they have left the process: what was committed survives its end.
const SETTINGS: [&str; 4] = [
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "fsync=off",
    "max_connections=100",
];

/// A server with its data in a temporary folder. Dropping it ends it.
pub struct PrivatePostgres {
    folder: TempDir,
    port: u16,
    server: Option<Child>,
}

impl PrivatePostgres {
    /// Makes an empty server and starts it.
    pub async fn start() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755))
            .expect("a folder that others may enter");
        let mut postgres = Self {
            folder,
            port: free_port(),
            server: None,
        };
        postgres.init();
        postgres.launch().await;
        postgres
    }

    fn init(&self) {
        let data = self.data();
        fs::create_dir(&data).expect("a folder for the data");
        if is_root() {
            run(Command::new("chown").arg(UNPRIVILEGED).arg(&data));
        }
        let mut initdb = self.program("initdb");
        initdb.arg("-D").arg(&data);
        initdb.args([
            "-A",
            "trust",
            "-U",
            "postgres",
            "-E",
            "UTF8",
            "--locale=C",
            "--no-sync",
        ]);
        run(&mut initdb);
    }

    /// Starts the server on the data that it has, and waits until it answers.
    pub async fn launch(&mut self) {
        assert!(self.server.is_none(), "it runs");
        let mut postgres = self.program("postgres");
        postgres.arg("-D").arg(self.data());
        postgres.args(["-p", &self.port.to_string()]);
        for setting in SETTINGS {
            postgres.args(["-c", setting]);
        }
        self.server = Some(postgres.spawn().expect("PostgreSQL starts"));
        let url = self.url();
        eventually("PostgreSQL to answer", async || {
            PgConnection::connect(&url).await.ok()
        })
        .await;
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// Ends it as a crash would: no session is told anything, and the next start has to recover.
    pub fn crash(&mut self) {
        self.end("QUIT");
    }

    /// Stops it as an administrator does who does not wait for anybody: sessions are told and cut off.
    pub fn stop(&mut self) {
        self.end("INT");
    }

    fn end(&mut self, signal: &str) {
        let mut server = self.server.take().expect("it runs");
        signals::send(signal, server.id());
        server.wait().expect("its end");
    }

    /// Stops it where it stands: connections stay open and nobody answers.
    pub fn freeze(&self) {
        signals::freeze(self.id());
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        signals::thaw(self.id());
    }

    fn id(&self) -> u32 {
        self.server.as_ref().expect("it runs").id()
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A program of PostgreSQL, with its output in a file of the folder.
    fn program(&self, name: &str) -> Command {
        let mut command = as_unprivileged(programs().join(name).as_os_str());
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join("log"))
            .expect("a log");
        command
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("the same log"))
            .stderr(log);
        command
    }
}

impl Drop for PrivatePostgres {
    fn drop(&mut self) {
        if self.server.is_some() {
            self.thaw();
            self.crash();
        }
    }
}

fn as_unprivileged(program: &OsStr) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", UNPRIVILEGED, "--regid", UNPRIVILEGED, "--init-groups"]);
    command.arg(program);
    command
}

fn programs() -> PathBuf {
    let folder = std::env::var_os("TEST_POSTGRES_BIN");
    PathBuf::from(folder.expect("TEST_POSTGRES_BIN: run scripts/test, which finds PostgreSQL"))
}

fn is_root() -> bool {
    fs::metadata("/proc/self").expect("this process").uid() == 0
}

fn run(command: &mut Command) {
    let status = command.status().expect("it runs");
    assert!(status.success(), "{command:?}: {status}");
}
