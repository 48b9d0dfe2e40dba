//! Overwriting what the file may still hold of users who were erased.
//!
//! `secure_delete` overwrites rows as they are removed. Three things are beyond it:
//! - the index of texts: a removed text is only marked as such until FTS5 merges the segments that have its words. All of
//!   them are merged, some pages at a time, so that what is left is one segment without anything removed
//! - pages of b-trees: when SQLite spreads rows over more pages, it leaves copies of them in what becomes free space, and
//!   overwrites only what it knows of. The free space between a page's cell pointers and its cells is overwritten here
//! - the write-ahead log, which has pages as they were: it is written back and cut off
//!
//! A step is a write like others, so that these wait for one step at most.

use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};
use tokio::sync::Mutex;

use super::values::millis;
use super::{SqliteDatabase, pages};
use crate::utils::database::DatabaseError;

/// Pages of the index that are written in one step: some 5 ms.
const MERGE_PAGES: i64 = 64;

/// How long the log may wait for those who read, each time; writers wait as long.
const READERS_WITHIN: Duration = Duration::from_millis(100);

/// How often that is tried.
const LOG_TRIES: u32 = 100;

/// Between two tries.
const LOG_PAUSE: Duration = Duration::from_millis(100);

const TO_SCRUB: &str = "SELECT count(*) > 0 FROM tombstones WHERE scrubbed = 0";

const SCRUBBED: &str = "UPDATE tombstones SET scrubbed = 1 WHERE scrubbed = 0 AND erased_at <= ?1";

/// A number below zero has all segments merged into one; those above zero go on with that.
const MERGE: &str = "INSERT INTO message_search (message_search, rank) VALUES ('merge', ?1)";

const PAGE_SIZE: &str = "PRAGMA page_size";

const PAGE_COUNT: &str = "PRAGMA page_count";

/// One page after the other: a range would read the whole file.
const PAGES: &str = "WITH RECURSIVE number (n) AS (SELECT ?1 UNION ALL SELECT n + 1 FROM number WHERE n < ?2)
     SELECT n, data FROM number CROSS JOIN sqlite_dbpage WHERE pgno = n";

const REPLACE: &str = "UPDATE sqlite_dbpage SET data = ?2 WHERE pgno = ?1";

/// Scrubs a file, once at a time. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Scrubber {
    /// How the file is opened.
    file: Arc<SqliteConnectOptions>,
    one: Arc<Mutex<()>>,
}

impl Scrubber {
    pub(super) fn new(file: SqliteConnectOptions) -> Self {
        Self {
            file: Arc::new(file.busy_timeout(READERS_WITHIN)),
            one: Arc::default(),
        }
    }

    /// Scrubs, if anybody was erased since the last time. Of many who wait for the same, one does it.
    pub(super) async fn run(&self, database: &SqliteDatabase) -> Result<(), DatabaseError> {
        let _one = self.one.lock().await;
        let needed: bool = sqlx::query_scalar(TO_SCRUB).fetch_one(&database.readers).await?;
        if !needed {
            return Ok(());
        }
        let begun_at = database.clock.now();
        merge(database).await?;
        clear_pages(database).await?;
        self.cut_log().await?;
        database
            .writer
            .write(move |connection| {
                Box::pin(async move {
                    let done = sqlx::query(SCRUBBED).bind(millis(begun_at));
                    done.execute(connection).await?;
                    Ok(())
                })
            })
            .await
    }

    /// Writes the log back into the file and cuts it off, as soon as nobody reads from it.
    async fn cut_log(&self) -> Result<(), DatabaseError> {
        let mut connection = self.file.connect().await?;
        for _ in 0..LOG_TRIES {
            let (busy, ..): (i64, i64, i64) = sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)")
                .fetch_one(&mut connection)
                .await?;
            if busy == 0 {
                return Ok(connection.close().await?);
            }
            tokio::time::sleep(LOG_PAUSE).await;
        }
        Err(DatabaseError::TimedOut)
    }
}

/// Merges the index into one segment.
async fn merge(database: &SqliteDatabase) -> Result<(), DatabaseError> {
    let mut pages = -MERGE_PAGES;
    loop {
        let step = database
            .writer
            .write(move |connection| Box::pin(merge_some(connection, pages)));
        if !step.await? {
            return Ok(());
        }
        pages = MERGE_PAGES;
    }
}

/// Tells whether there was anything to merge: else the statement itself is the only change.
async fn merge_some(connection: &mut SqliteConnection, pages: i64) -> Result<bool, DatabaseError> {
    let before: i64 = total_changes(connection).await?;
    sqlx::query(MERGE).bind(pages).execute(&mut *connection).await?;
    Ok(pages < 0 || total_changes(connection).await? - before >= 2)
}

async fn total_changes(connection: &mut SqliteConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar("SELECT total_changes()")
        .fetch_one(connection)
        .await
}

/// Overwrites the free space of all pages: in one step those that one page of the map tells of.
async fn clear_pages(database: &SqliteDatabase) -> Result<(), DatabaseError> {
    let page_size: i64 = sqlx::query_scalar(PAGE_SIZE).fetch_one(&database.readers).await?;
    // Pages that are added meanwhile have nothing old on them.
    let pages: i64 = sqlx::query_scalar(PAGE_COUNT)
        .fetch_one(&database.readers)
        .await?;
    let group = page_size / pages::MAP_ENTRY as i64 + 1;
    // The first page is before the first map.
    let mut map = pages::FIRST_MAP;
    while map <= pages {
        let (from, to) = (map, (map + group - 1).min(pages));
        let step = database
            .writer
            .write(move |connection| Box::pin(clear_some(connection, from, to)));
        step.await?;
        map += group;
    }
    Ok(())
}

/// The first of these pages tells what the others are.
async fn clear_some(connection: &mut SqliteConnection, from: i64, to: i64) -> Result<(), DatabaseError> {
    let mut found: Vec<(i64, Vec<u8>)> = sqlx::query_as(PAGES)
        .bind(from)
        .bind(to)
        .fetch_all(&mut *connection)
        .await?;
    let Some((_, map)) = found.first().cloned() else {
        return Ok(());
    };
    let kinds = map.chunks_exact(pages::MAP_ENTRY);
    for ((number, page), kind) in found.iter_mut().skip(1).zip(kinds) {
        if pages::is_tree(kind) && pages::clear_free_space(page) {
            sqlx::query(REPLACE)
                .bind(*number)
                .bind(std::mem::take(page))
                .execute(&mut *connection)
                .await?;
        }
    }
    Ok(())
}
