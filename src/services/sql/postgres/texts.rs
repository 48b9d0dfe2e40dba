//! The texts of messages as they are searched. Their terms are a generated column, always in step with them.
//!
//! Invariant: a message has a row here if and only if there is something in its text that could be found.

use sqlx::PgConnection;

use crate::models::ids::{MessageId, UserId};
use crate::services::conversations::search::{index_text, user_key};

const ADD: &str = "INSERT INTO message_texts
         (number, user_id, conversation_id, message_id, created_at, user_key, text)
     SELECT m.number, $1, m.conversation_id, m.id, m.created_at, $2, new.text
     FROM unnest($3::uuid[], $4::text[]) new (id, text) JOIN messages m ON m.id = new.id";

const SET: &str = "INSERT INTO message_texts
         (number, user_id, conversation_id, message_id, created_at, user_key, text)
     SELECT m.number, c.user_id, m.conversation_id, m.id, m.created_at, $3, $2
     FROM messages m JOIN conversations c ON c.id = m.conversation_id WHERE m.id = $1
     ON CONFLICT (number) DO UPDATE SET text = excluded.text";

const OWNER: &str =
    "SELECT c.user_id FROM messages m JOIN conversations c ON c.id = m.conversation_id WHERE m.id = $1";

const REMOVE: &str = "DELETE FROM message_texts WHERE number = (SELECT number FROM messages WHERE id = $1)";

/// Makes messages searchable that are not yet.
pub(super) async fn add(
    connection: &mut PgConnection,
    user: UserId,
    contents: impl Iterator<Item = (MessageId, &str)> + Send,
) -> sqlx::Result<()> {
    let (ids, texts): (Vec<MessageId>, Vec<String>) = contents
        .map(|(id, content)| (id, index_text(content)))
        .filter(|(_, text)| !text.is_empty())
        .unzip();
    if ids.is_empty() {
        return Ok(());
    }
    sqlx::query(ADD)
        .bind(user)
        .bind(user_key(user))
        .bind(ids)
        .bind(texts)
        .execute(connection)
        .await?;
    Ok(())
}

/// Makes a message searchable by another text.
pub(super) async fn replace(
    connection: &mut PgConnection,
    message: MessageId,
    content: &str,
) -> sqlx::Result<()> {
    let text = index_text(content);
    if text.is_empty() {
        sqlx::query(REMOVE).bind(message).execute(connection).await?;
        return Ok(());
    }
    let owner: Option<UserId> = sqlx::query_scalar(OWNER)
        .bind(message)
        .fetch_optional(&mut *connection)
        .await?;
    if let Some(owner) = owner {
        sqlx::query(SET)
            .bind(message)
            .bind(text)
            .bind(user_key(owner))
            .execute(connection)
            .await?;
    }
    Ok(())
}
