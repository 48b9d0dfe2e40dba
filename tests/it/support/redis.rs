//! A Redis server of a test's own, to be killed, frozen and started anew; and a client of it.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use ai_chat_orchestrator::config::Settings;
use ai_chat_orchestrator::services::redis::Redis;
use ai_chat_orchestrator::utils::metrics::Metrics;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::process::free_port;
use super::signals;
use super::time::{eventually, within};

/// A running server, empty at first. Dropping it kills it.
pub struct RedisServer {
    child: Child,
    port: u16,
    arguments: &'static [&'static str],
}

impl RedisServer {
    /// Starts one on a free port.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Starts one on a free port with more arguments.
    pub async fn start_with(arguments: &'static [&'static str]) -> Self {
        Self::start_on(free_port(), arguments).await
    }

    /// Starts one on this port.
    pub async fn start_on(port: u16, arguments: &'static [&'static str]) -> Self {
        let child = spawn(port, arguments);
        let mut server = Self {
            child,
            port,
            arguments,
        };
        server.listening().await;
        server
    }

    /// Where it listens.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Its URL.
    pub fn url(&self) -> String {
        url_on(self.port)
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        self.child.kill().expect("SIGKILL");
        self.child.wait().expect("its end");
    }

    /// Starts it again after it was killed: on the same port, and empty.
    pub async fn restart(&mut self) {
        self.child = spawn(self.port, self.arguments);
        self.listening().await;
    }

    /// Freezes it: its connections stay, and are silent.
    pub fn pause(&self) {
        signals::send("STOP", self.child.id());
    }

    /// Lets it go on.
    pub fn resume(&self) {
        signals::send("CONT", self.child.id());
    }

    async fn listening(&mut self) {
        eventually("Redis to listen", async || {
            if let Some(status) = self.child.try_wait().expect("the state of Redis") {
                panic!("redis-server ended with {status}");
            }
            TcpStream::connect(("127.0.0.1", self.port)).await.ok()
        })
        .await;
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // Fails only if it has ended already, which is what is wanted.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// The URL of a server on this port.
pub fn url_on(port: u16) -> String {
    format!("redis://127.0.0.1:{port}/0")
}

fn spawn(port: u16, arguments: &[&str]) -> Child {
    Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
        .args(["--save", "", "--appendonly", "no", "--dir", "/tmp"])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("redis-server: run scripts/test, which installs it")
}

/// The client under test with its background work, as a server has it.
pub struct RedisClient {
    /// The client.
    pub redis: Redis,
    /// What it counts.
    pub metrics: Arc<Metrics>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl RedisClient {
    /// A client of that server. It gives a request more time than a busy machine needs.
    pub fn of(url: &str) -> Self {
        Self::with(url, &[("REDIS_TIMEOUT_MS", "2000")])
    }

    /// A client of that server with some settings changed.
    pub fn with(url: &str, changes: &[(&str, &str)]) -> Self {
        let pairs = [("REDIS_URL", url)].into_iter().chain(changes.iter().copied());
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let settings = Settings::from_pairs(pairs).expect("valid settings");
        let metrics = Arc::new(Metrics::new(0).expect("families"));
        let redis = Redis::new(&settings.cache, metrics.clone()).expect("a client");
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        for work in redis.background(&stop) {
            tasks.spawn(work);
        }
        Self {
            redis,
            metrics,
            stop,
            tasks,
        }
    }

    /// As [`Self::of`], when it is up.
    pub async fn up(url: &str) -> Self {
        let client = Self::of(url);
        client.is_up().await;
        client
    }

    /// Waits until Redis is up.
    pub async fn is_up(&self) {
        let mut availability = self.redis.availability();
        within("Redis to be up", availability.wait_for(|now| now.is_up()))
            .await
            .expect("a client");
    }

    /// Waits until Redis is known to be down.
    pub async fn is_down(&self) {
        let mut availability = self.redis.availability();
        within("Redis to be down", availability.wait_for(|now| !now.is_up()))
            .await
            .expect("a client");
    }

    /// How often Redis was lost.
    pub fn losses(&self) -> u64 {
        self.redis.availability().borrow().losses()
    }

    /// Stops the background work and waits for its end.
    pub async fn close(self) {
        self.stop.cancel();
        self.tasks.close();
        within("the client's background work", self.tasks.wait()).await;
    }
}
