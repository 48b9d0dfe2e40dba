//! Tests of the SQL itself, on a database in memory. What the store does is tested on all databases alike.

mod counts;
mod lists;
mod plans;
mod texts;
mod tree;

use chrono::{DateTime, Utc};
use serde_json::value::RawValue;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, SqliteConnection};
use uuid::Uuid;

use super::SqliteRows;
use super::open::MIGRATIONS;
use crate::models::branch::BranchStatus;
use crate::models::conversation::{Conversation, ConversationStatus};
use crate::models::ids::{BranchId, ConversationId, MessageId, UserId};
use crate::models::message::{MessageStatus, Role};
use crate::models::money::Money;
use crate::services::auth::Caller;
use crate::services::conversations::search::index_text;
use crate::services::sql::rows::{
    BranchRow, BranchRows as _, ConversationRow, ConversationRows as _, Jump, MessageRow, MessageRows as _,
    NewText, jump_below,
};

/// An empty database in memory.
async fn database() -> SqliteConnection {
    let mut connection = SqliteConnectOptions::new()
        .in_memory(true)
        .foreign_keys(true)
        .connect()
        .await
        .expect("a database");
    MIGRATIONS.run(&mut connection).await.expect("the schema");
    connection
}

/// The second with this number.
fn second(number: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(number, 0).expect("a time")
}

/// A conversation of a user with an empty main branch, both with the same number for an id.
struct Fixture {
    user: UserId,
    conversation: ConversationId,
    branch: BranchId,
}

impl Fixture {
    fn new(user: u128, conversation: u128) -> Self {
        Self {
            user: UserId(Uuid::from_u128(user)),
            conversation: ConversationId(Uuid::from_u128(conversation)),
            branch: BranchId(Uuid::from_u128(conversation)),
        }
    }

    fn row(&self, title: Option<&str>) -> ConversationRow {
        ConversationRow {
            search_title: title.map(index_text).unwrap_or_default(),
            source_hash: None,
            shown: Conversation {
                id: self.conversation,
                title: title.map(str::to_owned),
                model: None,
                status: ConversationStatus::Active,
                system_message: None,
                metadata: RawValue::from_string("{}".to_owned()).expect("JSON"),
                user_id: self.user,
                active_branch_id: self.branch,
                message_count: 0,
                branch_count: 1,
                total_tokens: 0,
                total_cost: Money::ZERO,
                preview: None,
                imported_from: None,
                created_at: second(1),
                updated_at: second(1),
                last_message_at: None,
            },
        }
    }

    async fn insert(&self, rows: &mut SqliteRows<&mut SqliteConnection>, row: &ConversationRow) {
        let caller = Caller::signed_in(self.user, None);
        // The two rows need each other, until the end of a transaction.
        sqlx::query("BEGIN")
            .execute(rows.connection())
            .await
            .expect("begun");
        rows.lock_user(&caller, second(1)).await.expect("a user");
        rows.insert_conversation(row).await.expect("a conversation");
        let main = BranchRow {
            id: self.branch,
            conversation_id: self.conversation,
            name: "Main".to_owned(),
            status: BranchStatus::Active,
            is_main: true,
            fork: None,
            head: None,
            source_id: None,
            created_at: second(1),
            updated_at: second(1),
        };
        rows.insert_branch(&main).await.expect("a branch");
        sqlx::query("COMMIT")
            .execute(rows.connection())
            .await
            .expect("committed");
    }

    /// Adds a message with this number for an id; tells its id.
    async fn add(
        &self,
        rows: &mut SqliteRows<&mut SqliteConnection>,
        number: u128,
        parent: Option<MessageId>,
        content: &str,
    ) -> MessageId {
        let (depth, jump) = match parent {
            None => (1, Jump::default()),
            Some(parent) => {
                let node = rows.node(self.conversation, parent).await.expect("read");
                let node = node.expect("a parent");
                (
                    node.depth + 1,
                    jump_below(parent, node.depth, node.jump, node.jump_of_jump),
                )
            }
        };
        let row = MessageRow {
            id: MessageId(Uuid::from_u128(number)),
            branch_id: self.branch,
            parent_id: parent,
            depth,
            jump,
            role: Role::User,
            content: content.to_owned(),
            parts: None,
            model: None,
            status: MessageStatus::Completed,
            finish_reason: None,
            usage: None,
            latency_ms: None,
            first_token_ms: None,
            tool_calls: None,
            tool_call_id: None,
            reasoning: None,
            metadata: None,
            edited: false,
            origin_id: None,
            source_id: None,
            source_hash: None,
            created_at: second(1),
            updated_at: second(1),
        };
        let inserted = rows.insert_messages(self.user, self.conversation, std::slice::from_ref(&row));
        inserted.await.expect("a message");
        row.id
    }
}

/// A text that somebody gave a message.
fn edited(content: &str) -> NewText<'_> {
    NewText {
        content,
        parts: None,
        edited: true,
        source_hash: None,
        updated_at: second(2),
    }
}
