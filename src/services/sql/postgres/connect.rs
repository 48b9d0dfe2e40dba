//! Connecting to a PostgreSQL server, with limits on how long anything may take.

use std::fmt;
use std::io;
use std::str::FromStr as _;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};

use crate::config::DatabaseSettings;

/// The schema, oldest change first. A database that knows changes beyond these is refused.
static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("migrations/postgres");

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long somebody may wait for a free connection, and for a new one to be made.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection that was not used for this long is asked first whether it still works. A server that restarts is
/// away for longer, so that nobody is handed one of the connections that it ended.
const TEST_AFTER: Duration = Duration::from_secs(1);

/// What the server itself ends: statements, waiting for locks, transactions in which nothing happens.
const TIME_LIMITS: [(&str, &str); 3] = [
    ("statement_timeout", "30s"),
    ("lock_timeout", "5s"),
    ("idle_in_transaction_session_timeout", "30s"),
];

/// What every session asks of the server: to find out within a minute about an end that vanished, which also lets the
/// networks between hear that it is alive; not to compile statements, which takes longer than any of ours; and to take
/// the costs of memory and SSDs for granted. With those of a rotating disk, joining the 1,000 hits of a search would read
/// all messages of everybody, up to some hundred thousand of them.
const SESSION: [(&str, &str); 5] = [
    ("tcp_keepalives_idle", "30"),
    ("tcp_keepalives_interval", "10"),
    ("tcp_keepalives_count", "3"),
    ("jit", "off"),
    ("random_page_cost", "1.1"),
];

/// What text has to be stored in: the service counts in its characters, and has no others.
const ENCODING: &str = "UTF8";

/// The name under which the sessions are shown to whoever looks after the server.
const APPLICATION: &str = "ai-chat-orchestrator";

/// Why the database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL says something that cannot be done.
    #[error("DATABASE_URL cannot be used: {0}")]
    Url(#[source] sqlx::Error),
    /// The server does not answer, or refuses.
    #[error("{server} cannot be used: {source}")]
    Server {
        /// Host, port and database.
        server: String,
        /// What it said.
        source: sqlx::Error,
    },
    /// The database was made for other text.
    #[error("{server} is encoded in {encoding}; make a database with ENCODING 'UTF8'")]
    Encoding {
        /// Host, port and database.
        server: String,
        /// Its encoding.
        encoding: String,
    },
    /// The schema could not be brought up to date.
    #[error("the schema of {server} cannot be used: {source}")]
    Migrate {
        /// Host, port and database.
        server: String,
        /// Which change, and why.
        source: sqlx::migrate::MigrateError,
    },
}

/// A server and how to connect to it. Shows itself without the password.
#[derive(Clone)]
pub(super) struct Server {
    options: PgConnectOptions,
}

impl Server {
    pub(super) fn new(url: &SecretString) -> Result<Self, OpenError> {
        let options = PgConnectOptions::from_str(url.expose_secret())
            .map_err(OpenError::Url)?
            .disable_statement_logging();
        let options = match options.get_application_name() {
            Some(_) => options,
            None => options.application_name(APPLICATION),
        };
        Ok(Self {
            options: options.options(SESSION),
        })
    }

    /// A session without limits on its statements, for migrations and locks.
    pub(super) async fn connect_session(&self) -> Result<PgConnection, OpenError> {
        match tokio::time::timeout(CONNECT_TIMEOUT, self.options.connect()).await {
            Ok(connected) => connected.map_err(|source| self.failed(source)),
            Err(_) => {
                let late = io::Error::new(io::ErrorKind::TimedOut, "no connection within 5 seconds");
                Err(self.failed(late.into()))
            }
        }
    }

    /// Brings the schema up to date.
    pub(super) async fn migrate(&self) -> Result<(), OpenError> {
        let mut session = self.connect_session().await?;
        let encoding: String = sqlx::query_scalar("SELECT current_setting('server_encoding')")
            .fetch_one(&mut session)
            .await
            .map_err(|source| self.failed(source))?;
        if encoding != ENCODING {
            return Err(OpenError::Encoding {
                server: self.to_string(),
                encoding,
            });
        }
        MIGRATIONS
            .run(&mut session)
            .await
            .map_err(|source| OpenError::Migrate {
                server: self.to_string(),
                source,
            })?;
        session.close().await.map_err(|source| self.failed(source))
    }

    /// Connections for everything else, made when they are needed.
    pub(super) fn pool(&self, settings: &DatabaseSettings) -> PgPool {
        PgPoolOptions::new()
            .max_connections(settings.max_connections)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .test_before_acquire(false)
            .before_acquire(|connection, meta| {
                Box::pin(async move {
                    if meta.idle_for >= TEST_AFTER {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            })
            .connect_lazy_with(self.options.clone().options(TIME_LIMITS))
    }

    pub(super) fn failed(&self, source: sqlx::Error) -> OpenError {
        OpenError::Server {
            server: self.to_string(),
            source,
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options = &self.options;
        match options.get_socket() {
            Some(socket) => write!(f, "{}", socket.display())?,
            None => write!(f, "{}:{}", options.get_host(), options.get_port())?,
        }
        write!(f, "/{}", options.get_database().unwrap_or(options.get_username()))
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
