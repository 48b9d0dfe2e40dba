//! The counts of answers follow the messages.

use sqlx::SqliteConnection;
use uuid::Uuid;

use super::super::SqliteRows;
use super::{Fixture, database, edited};
use crate::models::ids::MessageId;
use crate::models::message::Role;
use crate::services::sql::rows::{ConversationRows as _, MessageRows as _};

/// What the user's statistics say of the models.
async fn counts(rows: &mut SqliteRows<&mut SqliteConnection>, fixture: &Fixture) -> Vec<(String, u64)> {
    let stats = rows.conversation_stats(fixture.user, None).await.expect("stats");
    let models = stats.models.into_iter();
    models.map(|of| (of.model, of.count)).collect()
}

/// Adds a copy of a message, said by this role and model.
async fn say(
    rows: &mut SqliteRows<&mut SqliteConnection>,
    fixture: &Fixture,
    like: MessageId,
    (number, role, model): (u128, Role, Option<&str>),
) -> MessageId {
    let mut said = rows.message_rows(&[like]).await.expect("read");
    said[0].id = MessageId(Uuid::from_u128(number));
    said[0].role = role;
    said[0].model = model.map(str::to_owned);
    let added = rows.insert_messages(fixture.user, fixture.conversation, &said);
    added.await.expect("added");
    said[0].id
}

#[tokio::test]
async fn answers_are_counted_by_their_models() {
    let mut connection = database().await;
    let mut rows = SqliteRows::new(&mut connection);
    let fixture = Fixture::new(1, 1);
    fixture.insert(&mut rows, &fixture.row(None)).await;
    let question = fixture.add(&mut rows, 1, None, "?").await;
    let first = say(&mut rows, &fixture, question, (2, Role::Assistant, Some("a"))).await;
    let second_answer = say(&mut rows, &fixture, question, (3, Role::Assistant, Some("a"))).await;
    say(&mut rows, &fixture, question, (4, Role::Assistant, Some("b"))).await;
    say(&mut rows, &fixture, question, (5, Role::Assistant, None)).await;
    say(&mut rows, &fixture, question, (6, Role::User, Some("a"))).await;
    assert_eq!(
        counts(&mut rows, &fixture).await,
        [("a".to_owned(), 2), ("b".to_owned(), 1)]
    );

    rename(&mut rows, first, Some("b")).await;
    rename(&mut rows, second_answer, Some("c")).await;
    assert_eq!(
        counts(&mut rows, &fixture).await,
        [("b".to_owned(), 2), ("c".to_owned(), 1)]
    );

    rename(&mut rows, second_answer, None).await;
    rows.delete_messages(&[first]).await.expect("deleted");
    assert_eq!(counts(&mut rows, &fixture).await, [("b".to_owned(), 1)]);

    let text = rows.set_text(question, edited("!"));
    text.await.expect("changed");
    assert_eq!(counts(&mut rows, &fixture).await, [("b".to_owned(), 1)]);
}

/// Has another model be the one that answered.
async fn rename(rows: &mut SqliteRows<&mut SqliteConnection>, id: MessageId, model: Option<&str>) {
    sqlx::query("UPDATE messages SET model = ?2 WHERE id = ?1")
        .bind(id)
        .bind(model)
        .execute(rows.connection())
        .await
        .expect("renamed");
}
