//! Appending one turn to a conversation in SQLite: everything here runs in one transaction of the writer.

use chrono::{DateTime, Utc};
use serde_json::value::RawValue;
use sqlx::{FromRow, SqliteConnection};

use super::rows::{count, json, named, stored};
use super::{branches, new_conversation};
use crate::models::ids::{BranchId, ConversationId, MessageId, StreamId, UserId};
use crate::models::message::{MessageContent, Role};
use crate::services::auth::Caller;
use crate::services::conversations::{
    ContextMessage, NewConversation, NewTurn, StoreError, StoreLimits, ToolResult, Turn, TurnInput,
    TurnTarget, unanswered_calls,
};
use crate::utils::clock::Clock;
use crate::utils::database::DatabaseError;

/// Characters of the first user message that a conversation shows as its preview.
const PREVIEW_CHARS: usize = 200;

/// The conversation that a turn goes into.
#[derive(Debug, FromRow)]
struct Conversation {
    active_branch_id: BranchId,
    system_message: Option<String>,
    message_count: i64,
    branch_count: i64,
}

/// The place that a turn is appended to.
struct Place {
    conversation_id: ConversationId,
    branch_id: BranchId,
    parent: Option<MessageId>,
    system_message: Option<String>,
    new_conversation: bool,
    forked: bool,
}

pub(super) async fn append(
    connection: &mut SqliteConnection,
    caller: &Caller,
    turn: &NewTurn,
    limits: StoreLimits,
    clock: &Clock,
) -> Result<Turn, StoreError> {
    let now = clock.now();
    let place = find_place(connection, caller, turn, limits, clock, now).await?;
    let mut writer = MessageWriter {
        connection,
        place: &place,
        now,
        depth: 0,
    };
    writer.depth = writer.depth_of(place.parent).await?;
    let user_message_id = match &turn.input {
        TurnInput::Message(content) => writer.user_message(MessageId::new(clock), content).await?,
        TurnInput::ToolResults(results) => writer.tool_results(clock, results).await?,
    };
    let message_id = MessageId::new(clock);
    writer
        .answer_place(message_id, user_message_id, &turn.model)
        .await?;
    let added = match &turn.input {
        TurnInput::Message(_) => 2,
        TurnInput::ToolResults(results) => results.len() + 1,
    };
    update_counts(connection, &place, turn, message_id, added, now).await?;
    let context = context(connection, user_message_id, limits.context_messages).await?;
    let claim = Claim {
        caller,
        turn,
        place: &place,
        question: user_message_id,
        answer: message_id,
        sent_bytes: context.iter().map(|message| message.content.len()).sum(),
    };
    claim.insert(connection, now).await?;
    Ok(Turn {
        conversation_id: place.conversation_id,
        new_conversation: place.new_conversation,
        branch_id: place.branch_id,
        forked: place.forked,
        user_message_id,
        message_id,
        system_message: place.system_message,
        context,
    })
}

async fn find_place(
    connection: &mut SqliteConnection,
    caller: &Caller,
    turn: &NewTurn,
    limits: StoreLimits,
    clock: &Clock,
    now: DateTime<Utc>,
) -> Result<Place, StoreError> {
    let (conversation_id, branch_id, parent_message_id) = match turn.target {
        TurnTarget::Existing {
            conversation_id,
            branch_id,
            parent_message_id,
        } => (conversation_id, branch_id, parent_message_id),
        TurnTarget::NewConversation => {
            let (id, branch) = (ConversationId::new(clock), BranchId::new(clock));
            let new = NewConversation {
                model: turn.conversation_model.clone(),
                ..NewConversation::default()
            };
            new_conversation::insert(connection, caller, id, branch, &new, limits.conversations, now).await?;
            return Ok(Place {
                conversation_id: id,
                branch_id: branch,
                parent: None,
                system_message: None,
                new_conversation: true,
                forked: false,
            });
        }
    };
    let conversation = conversation(connection, caller.user_id, conversation_id).await?;
    let branch = branch_id.unwrap_or(conversation.active_branch_id);
    let head = head(connection, conversation_id, branch).await?;
    if let Some(parent) = parent_message_id {
        exists(connection, conversation_id, parent).await?;
    }
    let parent = parent_message_id.or(head);
    refuse_if_running(connection, conversation_id, parent).await?;
    let adding = match &turn.input {
        TurnInput::Message(_) => 2,
        TurnInput::ToolResults(results) => results.len() as u64 + 1,
    };
    let current = count(conversation.message_count);
    if current + adding > u64::from(limits.messages) {
        return Err(StoreError::LimitReached {
            what: "messages",
            limit: limits.messages,
            current,
        });
    }
    let mut place = Place {
        conversation_id,
        branch_id: branch,
        parent,
        system_message: conversation.system_message,
        new_conversation: false,
        forked: false,
    };
    if let Some(fork) = parent.filter(|_| parent != head) {
        let current = count(conversation.branch_count);
        if current >= u64::from(limits.branches) {
            return Err(StoreError::LimitReached {
                what: "branches",
                limit: limits.branches,
                current,
            });
        }
        place.branch_id = BranchId::new(clock);
        place.forked = true;
        let number = conversation.branch_count + 1;
        branches::insert_fork(connection, place.branch_id, conversation_id, fork, number, now).await?;
    }
    Ok(place)
}

async fn conversation(
    connection: &mut SqliteConnection,
    user: UserId,
    id: ConversationId,
) -> Result<Conversation, StoreError> {
    sqlx::query_as(
        "SELECT active_branch_id, system_message, message_count, branch_count
         FROM conversations WHERE id = ?1 AND user_id = ?2",
    )
    .bind(id)
    .bind(user)
    .fetch_optional(connection)
    .await?
    .ok_or(StoreError::ConversationNotFound)
}

async fn head(
    connection: &mut SqliteConnection,
    conversation: ConversationId,
    branch: BranchId,
) -> Result<Option<MessageId>, StoreError> {
    let row: Option<(Option<MessageId>,)> =
        sqlx::query_as("SELECT head_message_id FROM branches WHERE id = ?1 AND conversation_id = ?2")
            .bind(branch)
            .bind(conversation)
            .fetch_optional(connection)
            .await?;
    row.map(|(head,)| head).ok_or(StoreError::BranchNotFound)
}

async fn exists(
    connection: &mut SqliteConnection,
    conversation: ConversationId,
    message: MessageId,
) -> Result<(), StoreError> {
    let row: Option<(i64,)> = sqlx::query_as("SELECT 1 FROM messages WHERE id = ?1 AND conversation_id = ?2")
        .bind(message)
        .bind(conversation)
        .fetch_optional(connection)
        .await?;
    row.map(|_| ()).ok_or(StoreError::MessageNotFound)
}

/// One answer at a time for each place: neither a second one to the same parent, nor one to a message whose own
/// answer is still being written.
async fn refuse_if_running(
    connection: &mut SqliteConnection,
    conversation: ConversationId,
    parent: Option<MessageId>,
) -> Result<(), StoreError> {
    let running: Option<(StreamId,)> = sqlx::query_as(
        "SELECT id FROM generations
         WHERE conversation_id = ?1 AND status = 'streaming'
           AND (parent_id IS ?2 OR user_message_id = ?2 OR message_id = ?2)
         LIMIT 1",
    )
    .bind(conversation)
    .bind(parent)
    .fetch_optional(connection)
    .await?;
    match running {
        Some((stream_id,)) => Err(StoreError::GenerationInProgress { stream_id }),
        None => Ok(()),
    }
}

/// Writes messages one below the other.
struct MessageWriter<'a> {
    connection: &'a mut SqliteConnection,
    place: &'a Place,
    now: DateTime<Utc>,
    /// The depth of the last message written, or of the parent.
    depth: i64,
}

impl MessageWriter<'_> {
    async fn depth_of(&mut self, message: Option<MessageId>) -> sqlx::Result<i64> {
        let Some(message) = message else { return Ok(0) };
        let (depth,): (i64,) = sqlx::query_as("SELECT depth FROM messages WHERE id = ?1")
            .bind(message)
            .fetch_one(&mut *self.connection)
            .await?;
        Ok(depth)
    }

    async fn user_message(
        &mut self,
        id: MessageId,
        content: &MessageContent,
    ) -> Result<MessageId, StoreError> {
        let parts = match content {
            MessageContent::Text(_) => None,
            MessageContent::Parts(parts) => Some(
                serde_json::to_string(parts)
                    .map_err(|error| DatabaseError::Corrupt(format!("content parts: {error}")))?,
            ),
        };
        self.insert(
            id,
            self.place.parent,
            Role::User,
            &content.text(),
            parts.as_deref(),
            None,
        )
        .await?;
        Ok(id)
    }

    /// Appends the results below the answer whose calls they answer, all of them.
    async fn tool_results(&mut self, clock: &Clock, results: &[ToolResult]) -> Result<MessageId, StoreError> {
        let invalid = |message: &str| StoreError::InvalidToolResults(message.to_owned());
        let mut last = self
            .place
            .parent
            .ok_or_else(|| invalid("there is no message whose tool calls they answer"))?;
        let row: Option<(Option<String>,)> = sqlx::query_as("SELECT tool_calls FROM messages WHERE id = ?1")
            .bind(last)
            .fetch_optional(&mut *self.connection)
            .await?;
        let calls = row
            .and_then(|(calls,)| calls)
            .ok_or_else(|| invalid("the parent message has no tool calls"))
            .and_then(|calls| Ok(json(calls)?))?;
        if let Some(problem) = unanswered_calls(&calls, results) {
            return Err(StoreError::InvalidToolResults(problem));
        }
        for result in results {
            let id = MessageId::new(clock);
            let call = Some(result.tool_call_id.as_str());
            self.insert(id, Some(last), Role::Tool, &result.content, None, call)
                .await?;
            last = id;
        }
        Ok(last)
    }

    async fn insert(
        &mut self,
        id: MessageId,
        parent: Option<MessageId>,
        role: Role,
        content: &str,
        parts: Option<&str>,
        tool_call: Option<&str>,
    ) -> sqlx::Result<()> {
        self.depth += 1;
        sqlx::query(
            "INSERT INTO messages
                 (id, conversation_id, branch_id, parent_id, depth, role, content, parts, tool_call_id, created_at, updated_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?10)",
        )
        .bind(id)
        .bind(self.place.conversation_id)
        .bind(self.place.branch_id)
        .bind(parent)
        .bind(self.depth)
        .bind(role.as_str())
        .bind(content)
        .bind(parts)
        .bind(tool_call)
        .bind(self.now.timestamp_millis())
        .execute(&mut *self.connection)
        .await?;
        Ok(())
    }

    async fn answer_place(&mut self, id: MessageId, question: MessageId, model: &str) -> sqlx::Result<()> {
        self.insert(id, Some(question), Role::Assistant, "", None, None)
            .await?;
        sqlx::query("UPDATE messages SET status = 'streaming', model = ?2 WHERE id = ?1")
            .bind(id)
            .bind(model)
            .execute(&mut *self.connection)
            .await?;
        Ok(())
    }
}

async fn update_counts(
    connection: &mut SqliteConnection,
    place: &Place,
    turn: &NewTurn,
    head: MessageId,
    added: usize,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    let preview: Option<String> = match &turn.input {
        TurnInput::Message(content) => Some(content.text().chars().take(PREVIEW_CHARS).collect()),
        TurnInput::ToolResults(_) => None,
    };
    sqlx::query("UPDATE branches SET head_message_id = ?2, status = 'active', updated_at = ?3 WHERE id = ?1")
        .bind(place.branch_id)
        .bind(head)
        .bind(now.timestamp_millis())
        .execute(&mut *connection)
        .await?;
    sqlx::query(
        "UPDATE conversations
         SET message_count = message_count + ?2, preview = coalesce(preview, ?3), updated_at = ?4, last_message_at = ?4
         WHERE id = ?1",
    )
    .bind(place.conversation_id)
    .bind(i64::try_from(added).unwrap_or(i64::MAX))
    .bind(preview)
    .bind(now.timestamp_millis())
    .execute(connection)
    .await?;
    Ok(())
}

/// The place of an answer, taken for one generation.
struct Claim<'a> {
    caller: &'a Caller,
    turn: &'a NewTurn,
    place: &'a Place,
    question: MessageId,
    answer: MessageId,
    sent_bytes: usize,
}

impl Claim<'_> {
    async fn insert(&self, connection: &mut SqliteConnection, now: DateTime<Utc>) -> sqlx::Result<()> {
        sqlx::query(
            "INSERT INTO generations
                 (id, user_id, conversation_id, branch_id, parent_id, user_message_id, message_id, model, request_id,
                  streamed, sent_bytes, started_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        )
        .bind(self.turn.stream_id)
        .bind(self.caller.user_id)
        .bind(self.place.conversation_id)
        .bind(self.place.branch_id)
        .bind(self.place.parent)
        .bind(self.question)
        .bind(self.answer)
        .bind(&*self.turn.model)
        .bind(&*self.turn.request_id)
        .bind(self.turn.streamed)
        .bind(stored(self.sent_bytes as u64))
        .bind(now.timestamp_millis())
        .execute(connection)
        .await?;
        Ok(())
    }
}

#[derive(Debug, FromRow)]
struct ContextRow {
    role: String,
    content: String,
    parts: Option<String>,
    tool_calls: Option<String>,
    tool_call_id: Option<String>,
}

/// The newest `limit` messages of the path that ends at `head`, the oldest first.
async fn context(
    connection: &mut SqliteConnection,
    head: MessageId,
    limit: u32,
) -> Result<Vec<ContextMessage>, StoreError> {
    let rows: Vec<ContextRow> = sqlx::query_as(
        "WITH RECURSIVE path (id, n) AS (
             SELECT ?1, 1
             UNION ALL
             SELECT m.parent_id, path.n + 1 FROM path JOIN messages m ON m.id = path.id
             WHERE m.parent_id IS NOT NULL AND path.n < ?2
         )
         SELECT m.role, m.content, m.parts, m.tool_calls, m.tool_call_id
         FROM path JOIN messages m ON m.id = path.id ORDER BY m.depth",
    )
    .bind(head)
    .bind(limit)
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| row.into_context().map_err(StoreError::from))
        .collect()
}

impl ContextRow {
    fn into_context(self) -> Result<ContextMessage, DatabaseError> {
        let raw = |text: Option<String>| -> Result<Option<Box<RawValue>>, DatabaseError> {
            text.map(json).transpose()
        };
        Ok(ContextMessage {
            role: named(Role::from_name, &self.role)?,
            content: self.content,
            parts: raw(self.parts)?,
            tool_calls: raw(self.tool_calls)?,
            tool_call_id: self.tool_call_id,
        })
    }
}
