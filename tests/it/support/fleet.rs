//! Several instances of the service, as processes of their own, on one PostgreSQL server, one model server and, where that
//! is wanted, one Redis.

use tempfile::TempDir;

use super::process::{Process, free_port};
use super::redis::{RedisServer, url_on};
use super::slow_proxy::SlowProxy;
use super::{PrivatePostgres, Upstream, token};

/// Rate limits that nobody meets, and that every request asks about.
const WIDE_LIMITS: [(&str, &str); 5] = [
    ("RATE_LIMIT_ENABLED", "true"),
    ("USER_RATE_LIMIT_PER_MINUTE", "1000000"),
    ("USER_RATE_LIMIT_BURST", "1000000"),
    ("RATE_LIMIT_PER_MINUTE", "1000000"),
    ("RATE_LIMIT_BURST", "1000000"),
];

/// Instances that can be ended and started again, each at its own address.
pub struct Fleet {
    instances: Vec<Instance>,
    /// The database of all of them.
    pub postgres: PrivatePostgres,
    /// The model server of all of them.
    pub upstream: Upstream,
    redis: Option<RedisServer>,
    proxy: Option<SlowProxy>,
}

struct Instance {
    data_dir: TempDir,
    port: u16,
    process: Option<Process>,
}

impl Fleet {
    /// Starts so many instances on an empty database, without Redis.
    pub async fn start(count: usize) -> Self {
        Self::start_on(count, None).await
    }

    /// Starts so many instances on an empty database, with Redis: each request asks it, for limits that nobody meets.
    pub async fn with_redis(count: usize) -> Self {
        Self::start_on(count, Some(RedisServer::start().await)).await
    }

    /// The same with a Redis that can be made slow.
    pub async fn with_slow_redis(count: usize) -> Self {
        let redis = RedisServer::start().await;
        let proxy = SlowProxy::before(redis.port()).await;
        Self::start_through(count, Some(redis), Some(proxy)).await
    }

    async fn start_on(count: usize, redis: Option<RedisServer>) -> Self {
        Self::start_through(count, redis, None).await
    }

    async fn start_through(count: usize, redis: Option<RedisServer>, proxy: Option<SlowProxy>) -> Self {
        let instance = || Instance {
            data_dir: TempDir::new().expect("a temporary folder"),
            port: free_port(),
            process: None,
        };
        let mut fleet = Self {
            instances: (0..count).map(|_| instance()).collect(),
            postgres: PrivatePostgres::start().await,
            upstream: Upstream::start().await,
            redis,
            proxy,
        };
        for number in 0..count {
            fleet.launch(number).await;
        }
        fleet
    }

    /// Starts an instance that does not run, and waits until it is ready.
    pub async fn launch(&mut self, number: usize) {
        let (database, models) = (self.postgres.url(), self.upstream.url());
        let proxied = self.proxy.as_ref().map(|proxy| url_on(proxy.port()));
        let redis = proxied.or_else(|| self.redis.as_ref().map(RedisServer::url));
        let mut settings = vec![
            ("DATABASE_URL", database.as_str()),
            ("LITELLM_URL", models.as_str()),
            ("JWT_SECRET_KEY", token::SECRET),
        ];
        if let Some(url) = &redis {
            settings.push(("REDIS_URL", url));
            settings.extend(WIDE_LIMITS);
        }
        let instance = &mut self.instances[number];
        assert!(instance.process.is_none(), "instance {number} runs");
        let process = Process::serve_on(instance.port, instance.data_dir.path(), &settings).await;
        instance.process = Some(process);
    }

    /// Ends an instance at once, as a power loss would.
    pub fn kill(&mut self, number: usize) {
        let process = self.instances[number].process.take();
        process.expect("it runs").kill();
    }

    /// Asks an instance to end, and waits until it has.
    pub async fn terminate(&mut self, number: usize) {
        let mut process = self.instances[number].process.take().expect("it runs");
        process.terminate();
        let status = process.exit().await;
        assert!(status.success(), "{status}: {}", process.stderr());
    }

    /// The Redis of a fleet that was started with one.
    pub fn redis(&mut self) -> &mut RedisServer {
        self.redis.as_mut().expect("a fleet with Redis")
    }

    /// What makes the Redis of this fleet slow.
    pub fn slow_redis(&self) -> &SlowProxy {
        self.proxy.as_ref().expect("a fleet whose Redis can be slow")
    }

    /// The addresses of all instances, whether or not they run.
    pub fn bases(&self) -> Vec<String> {
        let ports = self.instances.iter().map(|instance| instance.port);
        ports.map(|port| format!("http://127.0.0.1:{port}")).collect()
    }
}
