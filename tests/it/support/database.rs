//! The server's database, from outside: the ledger of any; of a file, what its rows say, and a lock that holds up the
//! server's writes.

use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, SqliteConnection};
use uuid::Uuid;

const LEDGER: &str = "SELECT * FROM usage_events ORDER BY id, attempt";

/// The ledger of a server on any store, which the API does not show.
pub enum Ledger {
    /// In the server's file.
    Sqlite(Database),
    /// On a PostgreSQL server.
    Postgres(PgConnection),
}

impl Ledger {
    /// All entries, the oldest first.
    pub async fn entries(&mut self) -> Vec<UsageRow> {
        match self {
            Self::Sqlite(database) => database.usage().await,
            Self::Postgres(connection) => {
                let rows = sqlx::query_as(LEDGER).fetch_all(connection).await;
                rows.expect("the ledger")
            }
        }
    }

    /// The tables that have this id in any column of any row, as text or as bytes.
    pub async fn mentions(&mut self, id: Uuid) -> Vec<String> {
        match self {
            Self::Sqlite(database) => database.mentions(id).await,
            Self::Postgres(connection) => mentions_on_server(connection, id).await,
        }
    }

    /// The figures of the first row of a query, written alike for both.
    pub async fn numbers(&mut self, sql: &'static str) -> Vec<i64> {
        let rows = match self {
            Self::Sqlite(database) => sqlx::query_scalar(sql).fetch_all(&mut database.0).await,
            Self::Postgres(connection) => sqlx::query_scalar(sql).fetch_all(connection).await,
        };
        rows.expect("numbers")
    }

    /// Runs the statements that are meant for this store: those for a file or those for a PostgreSQL server.
    pub async fn execute(&mut self, file: &'static str, server: &'static str) {
        match self {
            Self::Sqlite(database) => database.execute(file).await,
            Self::Postgres(connection) => {
                let done = sqlx::raw_sql(server).execute(connection).await;
                done.expect("a statement");
            }
        }
    }
}

/// A connection of the test's own to a database file.
pub struct Database(SqliteConnection);

/// One entry of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct UsageRow {
    pub user_id: Uuid,
    pub request_id: String,
    pub conversation_id: Option<Uuid>,
    pub message_id: Option<Uuid>,
    pub model: String,
    pub status: String,
    pub error: Option<String>,
    pub streamed: bool,
    pub prompt_tokens: i64,
    pub completion_tokens: i64,
    pub estimated: bool,
    /// Nano-dollars.
    pub cost: Option<i64>,
}

impl Database {
    /// The database of the server that keeps its data here.
    pub async fn open(data_dir: &Path) -> Self {
        let options = SqliteConnectOptions::new().filename(data_dir.join("orchestrator.db"));
        Self(options.connect().await.expect("the server's database"))
    }

    /// The number that a statement tells.
    pub async fn number(&mut self, sql: &'static str) -> i64 {
        let number = sqlx::query_scalar(sql).fetch_one(&mut self.0).await;
        number.expect("a number")
    }

    /// How many rows a table has.
    pub async fn count(&mut self, table: &str) -> i64 {
        let sql = AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
        let count = sqlx::query_scalar(sql).fetch_one(&mut self.0).await;
        count.expect("a table")
    }

    /// The tables that have this id in any column of any row, as text or as bytes.
    pub async fn mentions(&mut self, id: Uuid) -> Vec<String> {
        let columns: Vec<(String, String)> = sqlx::query_as(
            "SELECT t.name, c.name FROM sqlite_schema t JOIN pragma_table_xinfo(t.name) c
             WHERE t.type = 'table' AND t.sql NOT LIKE 'CREATE VIRTUAL%'",
        )
        .fetch_all(&mut self.0)
        .await
        .expect("columns");
        assert!(columns.len() > 100, "{columns:?}");
        let mut found = Vec::new();
        for (table, column) in columns {
            let sql = AssertSqlSafe(format!(
                "SELECT count(*) FROM \"{table}\" WHERE instr(CAST(\"{column}\" AS BLOB), ?1)
                 OR instr(lower(CAST(\"{column}\" AS TEXT)), ?2) OR instr(lower(CAST(\"{column}\" AS TEXT)), ?3)"
            ));
            let count: i64 = sqlx::query_scalar(sql)
                .bind(id)
                .bind(id.to_string())
                .bind(id.simple().to_string())
                .fetch_one(&mut self.0)
                .await
                .expect("a count");
            if count > 0 {
                found.push(format!("{table}.{column}"));
            }
        }
        found
    }

    /// The ledger, oldest entry first.
    pub async fn usage(&mut self) -> Vec<UsageRow> {
        let rows = sqlx::query_as(LEDGER).fetch_all(&mut self.0);
        rows.await.expect("the ledger")
    }

    /// What SQLite finds wrong with the file: `ok`.
    pub async fn integrity(&mut self) -> String {
        let checked = sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&mut self.0);
        checked.await.expect("a check")
    }

    /// Runs statements.
    pub async fn execute(&mut self, sql: &'static str) {
        let done = sqlx::raw_sql(sql).execute(&mut self.0).await;
        done.expect("a statement");
    }

    /// Writes into every conversation what the service itself would never write.
    pub async fn corrupt_metadata(&mut self) {
        let written = sqlx::query("UPDATE conversations SET metadata = '{'").execute(&mut self.0);
        written.await.expect("written");
    }

    /// Keeps the server from writing until the lock is released. Reading goes on.
    pub async fn lock(mut self) -> Lock {
        let locked = sqlx::query("BEGIN EXCLUSIVE").execute(&mut self.0).await;
        locked.expect("a lock");
        Lock(self)
    }

    /// Closes the connection, so that a server that starts finds the file as the last one left it.
    pub async fn close(self) {
        self.0.close().await.expect("a closed connection");
    }
}

/// A held lock.
pub struct Lock(Database);

impl Lock {
    /// Lets the server write again.
    pub async fn release(mut self) -> Database {
        let released = sqlx::query("ROLLBACK").execute(&mut self.0.0).await;
        released.expect("the end of the lock");
        self.0
    }
}

/// A row as text has ids with hyphens, and bytes as hexadecimal digits.
async fn mentions_on_server(connection: &mut PgConnection, id: Uuid) -> Vec<String> {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT table_name::text FROM information_schema.tables
         WHERE table_schema = 'public' AND table_type = 'BASE TABLE'",
    )
    .fetch_all(&mut *connection)
    .await
    .expect("tables");
    assert!(tables.len() > 10, "{tables:?}");
    let mut found = Vec::new();
    for table in tables {
        let sql = AssertSqlSafe(format!(
            "SELECT count(*) FROM \"{table}\" AS t
             WHERE position($1 in lower(t::text)) > 0 OR position($2 in lower(t::text)) > 0"
        ));
        let count: i64 = sqlx::query_scalar(sql)
            .bind(id.to_string())
            .bind(id.simple().to_string())
            .fetch_one(&mut *connection)
            .await
            .expect("a count");
        if count > 0 {
            found.push(table);
        }
    }
    found
}
