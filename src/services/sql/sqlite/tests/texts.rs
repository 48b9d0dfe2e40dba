//! The full-text index has what is in the texts, and nothing else.

use sqlx::SqliteConnection;

use super::super::SqliteRows;
use super::{Fixture, database, edited};
use crate::models::ids::MessageId;
use crate::services::conversations::search::{Hit, SearchQuery, user_key};
use crate::services::conversations::{ConversationFilter, MessageFilter};
use crate::services::sql::rows::{ConversationRows as _, MessageRows as _, SearchRows as _};

/// The messages that a search over all conversations finds, the newest first; and those that a search within the
/// conversation finds, which uses no index.
async fn found(
    rows: &mut SqliteRows<&mut SqliteConnection>,
    fixture: &Fixture,
    query: &str,
) -> (Vec<MessageId>, Vec<MessageId>) {
    let query = SearchQuery::parse(query);
    let everywhere = rows
        .conversation_hits(fixture.user, &query, &ConversationFilter::default())
        .await
        .expect("hits");
    let here = rows
        .message_hits(fixture.conversation, &query, MessageFilter::default())
        .await
        .expect("hits");
    for hit in &here {
        assert!(everywhere.contains(hit), "{hit:?}");
    }
    let ids = |hits: Vec<Hit>| hits.into_iter().filter_map(|hit| hit.message_id).collect();
    (ids(everywhere), ids(here))
}

/// How many texts the index has with a term of the user that begins so.
async fn indexed(rows: &mut SqliteRows<&mut SqliteConnection>, fixture: &Fixture, start: &str) -> i64 {
    let terms = format!("\"{}{start}\"*", user_key(fixture.user));
    let (texts,): (i64,) =
        sqlx::query_as("SELECT count(*) FROM message_search WHERE message_search MATCH ?1")
            .bind(terms)
            .fetch_one(rows.connection())
            .await
            .expect("a count");
    texts
}

async fn check_index(rows: &mut SqliteRows<&mut SqliteConnection>) {
    sqlx::query("INSERT INTO message_search (message_search, rank) VALUES ('integrity-check', 0)")
        .execute(rows.connection())
        .await
        .expect("a whole index");
}

#[tokio::test]
async fn the_index_follows_the_texts() {
    let mut connection = database().await;
    let mut rows = SqliteRows::new(&mut connection);
    let (fixture, other) = (Fixture::new(1, 1), Fixture::new(2, 2));
    for fixture in [&fixture, &other] {
        fixture.insert(&mut rows, &fixture.row(None)).await;
    }
    let first = fixture.add(&mut rows, 1, None, "Café in 東京都").await;
    let last = fixture.add(&mut rows, 2, Some(first), "cafe 京 東").await;
    let empty = fixture.add(&mut rows, 3, Some(last), "...").await;
    other.add(&mut rows, 4, None, "cafe").await;

    assert_eq!(
        found(&mut rows, &fixture, "caf").await,
        (vec![last, first], vec![last, first])
    );
    assert_eq!(
        found(&mut rows, &fixture, "東京").await,
        (vec![first], vec![first])
    );
    assert_eq!(found(&mut rows, &fixture, "nothing").await, (vec![], vec![]));

    let changed = rows.set_text(first, edited("Tea"));
    changed.await.expect("changed");
    let changed = rows.set_text(empty, edited("coffee"));
    changed.await.expect("changed");
    assert_eq!(found(&mut rows, &fixture, "caf").await.0, [last]);
    assert_eq!(found(&mut rows, &fixture, "tea").await.0, [first]);
    assert_eq!(found(&mut rows, &fixture, "coffee").await.0, [empty]);
    let changed = rows.set_text(empty, edited(""));
    changed.await.expect("changed");
    assert_eq!(indexed(&mut rows, &fixture, "coffee").await, 0);
    check_index(&mut rows).await;

    rows.delete_messages(&[last, empty]).await.expect("removed");
    assert_eq!(indexed(&mut rows, &fixture, "").await, 1);
    assert_eq!(indexed(&mut rows, &other, "").await, 1);
    check_index(&mut rows).await;
}

#[tokio::test]
async fn a_removed_conversation_leaves_nothing_in_the_index() {
    const MESSAGES: u128 = 300;
    let mut connection = database().await;
    let mut rows = SqliteRows::new(&mut connection);
    let (fixture, other) = (Fixture::new(1, 1), Fixture::new(1, 2));
    for fixture in [&fixture, &other] {
        fixture.insert(&mut rows, &fixture.row(None)).await;
    }
    let mut parent = None;
    for number in 1..=MESSAGES {
        parent = Some(
            fixture
                .add(&mut rows, number, parent, &format!("word{number}"))
                .await,
        );
    }
    other.add(&mut rows, 1_000, None, "word1").await;
    assert_eq!(indexed(&mut rows, &fixture, "word").await, 301);

    rows.delete_conversation(fixture.conversation)
        .await
        .expect("removed");
    assert_eq!(indexed(&mut rows, &fixture, "").await, 1);
    assert_eq!(found(&mut rows, &other, "word1").await.0.len(), 1);
    let (left,): (i64,) = sqlx::query_as("SELECT count(*) FROM message_texts")
        .fetch_one(rows.connection())
        .await
        .expect("a count");
    assert_eq!(left, 1);
    check_index(&mut rows).await;
}

#[tokio::test]
async fn a_job_that_fails_leaves_nothing_in_the_index() {
    let mut connection = database().await;
    let mut rows = SqliteRows::new(&mut connection);
    let fixture = Fixture::new(1, 1);
    fixture.insert(&mut rows, &fixture.row(None)).await;
    sqlx::raw_sql("BEGIN; SAVEPOINT job")
        .execute(rows.connection())
        .await
        .expect("begun");
    fixture.add(&mut rows, 1, None, "kept").await;
    sqlx::raw_sql("RELEASE job; SAVEPOINT job")
        .execute(rows.connection())
        .await
        .expect("kept");
    fixture.add(&mut rows, 2, None, "dropped").await;
    sqlx::raw_sql("ROLLBACK TO job; RELEASE job; COMMIT")
        .execute(rows.connection())
        .await
        .expect("committed");
    assert_eq!(indexed(&mut rows, &fixture, "kept").await, 1);
    assert_eq!(indexed(&mut rows, &fixture, "dropped").await, 0);
    check_index(&mut rows).await;
}

#[tokio::test]
async fn occurrences_are_counted_in_characters() {
    let mut connection = database().await;
    let mut rows = SqliteRows::new(&mut connection);
    let fixture = Fixture::new(1, 1);
    fixture
        .insert(&mut rows, &fixture.row(Some("東京 tea, tea")))
        .await;
    fixture
        .add(&mut rows, 1, None, "東京 and 東京, teas and tea")
        .await;
    let query = SearchQuery::parse("東京 tea");
    let mut hits = rows
        .conversation_hits(fixture.user, &query, &ConversationFilter::default())
        .await
        .expect("hits");
    hits.sort_unstable_by_key(|hit| hit.message_id);
    let numbers: Vec<_> = hits.iter().map(|hit| (hit.occurrences, hit.length)).collect();
    let texts = ["東 京 tea tea", "東 京 and 東 京 teas and tea"];
    let expected = texts.map(|text| (query.occurrences(text), text.chars().count() as u64));
    assert_eq!(numbers, expected);
}
