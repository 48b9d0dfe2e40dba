//! The server that is measured: the binary of this build, in a process of its own.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use crate::Failure;
use crate::caller::Caller;
use crate::options::Options;
use crate::process;

const BINARY: &str = env!("CARGO_BIN_EXE_ai-chat-orchestrator");

/// Signs the tokens of its users.
const SECRET: &str = "a-secret-of-the-benchmark-of-more-than-32-characters";

/// How long it may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server. Dropping it kills it.
pub struct Server {
    child: Child,
    folder: TempDir,
    address: SocketAddr,
}

impl Server {
    /// Starts one that asks the model server at this URL, and waits until it is ready. But for the limits on what a
    /// user may do, its settings are the defaults.
    pub async fn start(options: &Options, model: &str) -> Result<Self, Failure> {
        let folder = TempDir::new()?;
        let address = free_address()?;
        let log = File::create(folder.path().join("log"))?;
        let mut command = Command::new(BINARY);
        command
            .arg("serve")
            .env_clear()
            .env("HOST", address.ip().to_string())
            .env("PORT", address.port().to_string())
            .env("DATA_DIR", folder.path())
            .env("JWT_SECRET_KEY", SECRET)
            .env("LITELLM_URL", model)
            .env("MAX_CONVERSATIONS_PER_USER", "1000000");
        let retention = options.retention();
        command
            .envs(retention.map(|kept| ("STREAM_RETENTION_SECONDS", kept.as_secs_f64().to_string())))
            .envs(options.database.as_ref().map(|url| ("DATABASE_URL", url)))
            .envs(options.redis.as_ref().map(|url| ("REDIS_URL", url)))
            .envs(options.settings.iter().map(|(name, value)| (name, value)))
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        let mut server = Self {
            child: command.spawn()?,
            folder,
            address,
        };
        server.wait_until_ready().await?;
        Ok(server)
    }

    async fn wait_until_ready(&mut self) -> Result<(), Failure> {
        let deadline = Instant::now() + PATIENCE;
        while !is_ready(self.address).await {
            if self.child.try_wait()?.is_some() || Instant::now() > deadline {
                let log = fs::read_to_string(self.folder.path().join("log"))?;
                return Err(format!("the server did not start:\n{log}").into());
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// A new user.
    pub fn new_user(&self) -> Result<Caller, Failure> {
        Caller::new(self.address, SECRET)
    }

    /// Bytes of its memory that are resident.
    pub fn resident(&self) -> Result<u64, Failure> {
        process::resident(self.child.id())
    }

    /// What both cores together have spent on it so far.
    pub fn time_spent(&self) -> Result<Duration, Failure> {
        process::time_spent(self.child.id())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Fails only if it has ended already, which is what is wanted.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

async fn is_ready(address: SocketAddr) -> bool {
    let asking = async {
        let mut socket = TcpStream::connect(address).await?;
        socket
            .write_all(b"GET /ready HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n")
            .await?;
        let mut response = String::new();
        socket.read_to_string(&mut response).await?;
        Ok::<_, std::io::Error>(response.starts_with("HTTP/1.1 200"))
    };
    asking.await.unwrap_or(false)
}

fn free_address() -> Result<SocketAddr, Failure> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}
