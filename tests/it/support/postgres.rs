//! Databases on the PostgreSQL server that `scripts/test` has started.

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use super::token;

/// A database that nobody else uses. It is there until it is [removed](Self::remove).
pub struct PostgresDatabase {
    name: String,
}

impl PostgresDatabase {
    /// Makes an empty one.
    pub async fn create() -> Self {
        let name = format!("test_{}", token::new_uuid().simple());
        administer(&format!("CREATE DATABASE {name}")).await;
        Self { name }
    }

    /// Its URL.
    pub fn url(&self) -> String {
        let server = server_url();
        let (server, _) = server.rsplit_once('/').expect("a URL that names a database");
        format!("{server}/{}", self.name)
    }

    /// A connection to it.
    pub async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.url()).await.expect("the database")
    }

    /// Sets a parameter for the sessions that begin from now on.
    pub async fn set(&self, parameter: &str, value: &str) {
        administer(&format!("ALTER DATABASE {} SET {parameter} = {value}", self.name)).await;
    }

    /// Removes it, whoever is connected to it.
    pub async fn remove(self) {
        administer(&format!("DROP DATABASE {} WITH (FORCE)", self.name)).await;
    }

    /// The same from where nothing can be awaited; needs a multi-threaded test runtime.
    pub fn remove_blocking(self) {
        block_in_place(|| Handle::current().block_on(self.remove()));
    }
}

async fn administer(sql: &str) {
    let mut connection = PgConnection::connect(&server_url()).await.expect("PostgreSQL");
    let done = sqlx::query(AssertSqlSafe(sql.to_owned()))
        .execute(&mut connection)
        .await;
    done.expect("a database made, changed or removed");
    connection.close().await.expect("a closed connection");
}

#[expect(
    clippy::disallowed_methods,
    reason = "what scripts/test has started is told by the environment"
)]
fn server_url() -> String {
    std::env::var("TEST_POSTGRES_URL").expect("TEST_POSTGRES_URL: run scripts/test, which starts PostgreSQL")
}
