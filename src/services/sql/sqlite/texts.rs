//! The texts of messages as they are searched. Triggers keep the full-text index in step with them.
//!
//! Invariant: a message has a row here if and only if there is something in its text that could be found.

use sqlx::SqliteConnection;

use crate::models::ids::{MessageId, UserId};
use crate::services::conversations::search::{index_text, user_key};

statements! {
    SET = "INSERT INTO message_texts (number, conversation_id, user_key, text)
     SELECT number, conversation_id, ?2, ?3 FROM messages WHERE id = ?1
     ON CONFLICT (number) DO UPDATE SET text = excluded.text";
    REMOVE = "DELETE FROM message_texts WHERE number = (SELECT number FROM messages WHERE id = ?1)";
    OWNER = "SELECT c.user_id FROM messages m JOIN conversations c ON c.id = m.conversation_id WHERE m.id = ?1";
}

/// Makes a message searchable that is not yet.
pub(super) async fn add(
    connection: &mut SqliteConnection,
    user: UserId,
    message: MessageId,
    content: &str,
) -> sqlx::Result<()> {
    let text = index_text(content);
    if text.is_empty() {
        return Ok(());
    }
    set(connection, user, message, &text).await
}

/// Makes a message searchable by another text.
pub(super) async fn replace(
    connection: &mut SqliteConnection,
    message: MessageId,
    content: &str,
) -> sqlx::Result<()> {
    let text = index_text(content);
    if text.is_empty() {
        sqlx::query(REMOVE).bind(message).execute(connection).await?;
        return Ok(());
    }
    let owner: Option<(UserId,)> = sqlx::query_as(OWNER)
        .bind(message)
        .fetch_optional(&mut *connection)
        .await?;
    match owner {
        Some((user,)) => set(connection, user, message, &text).await,
        None => Ok(()),
    }
}

async fn set(
    connection: &mut SqliteConnection,
    user: UserId,
    message: MessageId,
    text: &str,
) -> sqlx::Result<()> {
    sqlx::query(SET)
        .bind(message)
        .bind(user_key(user))
        .bind(text)
        .execute(connection)
        .await?;
    Ok(())
}
