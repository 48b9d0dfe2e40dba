//! What a store does, whichever SQL database is beneath it: each operation runs in one transaction, over
//! [`Rows`](super::rows::Rows).
//!
//! - `create`: conversations, and what changes in them
//! - `place`: where something new goes in a tree, and the fork that it may need
//! - `turns`, `answers`: what is asked, and how its answer ends; `repeats`: what is asked more than once
//! - `accounts`: what is held back for an answer, and what it is charged in the end
//! - `erasure`: removing a user, with `late`, answers that come after it, and `anonymous`, what stays of usage
//! - `messages`: adding, editing and deleting without a model
//! - `branches`: making, changing and deleting; `stats` says what is on one
//! - `merge`: bringing one branch into another
//! - `import`: copies of conversations from elsewhere
//! - `reads`, `search`: what is shown
//!
//! A writing operation locks its conversation first. Whoever holds that lock may read, decide and write: nobody else
//! changes anything in the conversation until the transaction ends.

mod accounts;
mod anonymous;
mod answers;
mod branches;
mod create;
mod erasure;
mod import;
mod late;
mod merge;
mod messages;
mod place;
mod reads;
mod repeats;
mod search;
mod stats;
mod turns;

use std::collections::HashSet;

use chrono::{DateTime, Utc};

pub use accounts::{change_account, hold, lock as lock_account, settle};
pub use answers::{close_abandoned, save_answer};
pub use branches::{activate_branch, create_branch, delete_branch, update_branch};
pub use create::{create_conversation, delete_conversation, update_conversation};
pub use erasure::erase_some;
pub use import::import_conversation;
pub use merge::merge_branch;
pub use messages::{add_message, delete_message, edit_message};
pub use reads::{detail, full, message, messages_after, path};
pub use repeats::answered_before;
pub use search::{search_conversations, search_messages};
pub use stats::branch_stats;
pub use turns::append_turn;

use super::database::SqlDatabase;
use super::rows::{BranchRow, ConversationRow, Node, Rows, RunningAnswer};
use crate::models::ids::{BranchId, ConversationId, InstanceId, MessageId, UserId};
use crate::models::money::Money;
use crate::services::conversations::{StoreError, StoreLimits};
use crate::utils::clock::Clock;

/// Characters of the first user message that a conversation shows as its preview.
const PREVIEW_CHARS: usize = 200;

/// What operations go by beside the rows.
#[derive(Debug, Clone)]
pub struct Environment {
    /// How many of a thing there may be.
    pub limits: StoreLimits,
    /// Time and ids.
    pub clock: Clock,
    /// The instance that this is.
    pub instance: InstanceId,
}

impl Environment {
    /// That of a database, with these limits.
    pub fn of<D: SqlDatabase>(database: &D, limits: StoreLimits) -> Self {
        Self {
            limits,
            clock: database.clock().clone(),
            instance: database.instance(),
        }
    }
}

/// The user's conversation, locked.
async fn lock(rows: &mut dyn Rows, user: UserId, id: ConversationId) -> Result<ConversationRow, StoreError> {
    rows.lock_conversation(user, id)
        .await?
        .ok_or(StoreError::ConversationNotFound)
}

async fn branch(
    rows: &mut dyn Rows,
    conversation: ConversationId,
    id: BranchId,
) -> Result<BranchRow, StoreError> {
    rows.branch_row(conversation, id)
        .await?
        .ok_or(StoreError::BranchNotFound)
}

async fn node(rows: &mut dyn Rows, conversation: ConversationId, id: MessageId) -> Result<Node, StoreError> {
    rows.node(conversation, id)
        .await?
        .ok_or(StoreError::MessageNotFound)
}

/// Refuses to add more of a thing, in the plural, than there may be.
fn check_limit(what: &'static str, limit: u32, current: u64, adding: u64) -> Result<(), StoreError> {
    if current.saturating_add(adding) > u64::from(limit) {
        return Err(StoreError::LimitReached { what, limit, current });
    }
    Ok(())
}

/// Refuses what must not happen while an answer is being written.
fn refuse_running(
    running: &[RunningAnswer],
    in_the_way: impl Fn(&RunningAnswer) -> bool,
) -> Result<(), StoreError> {
    match running.iter().find(|answer| in_the_way(answer)) {
        Some(answer) => Err(StoreError::GenerationInProgress {
            stream_id: answer.stream_id,
        }),
        None => Ok(()),
    }
}

fn preview_of(text: &str) -> String {
    text.chars().take(PREVIEW_CHARS).collect()
}

/// Sets the preview after the first message of the user may have changed.
async fn refresh_preview(rows: &mut dyn Rows, conversation: &mut ConversationRow) -> Result<(), StoreError> {
    let first = rows.first_user_text(conversation.shown.id).await?;
    conversation.shown.preview = first.as_deref().map(preview_of);
    Ok(())
}

/// Removes a message with all that follows it. What ended or forked there ends and forks before it. The conversation's
/// counts change; saving it is the caller's.
async fn cut(
    rows: &mut dyn Rows,
    conversation: &mut ConversationRow,
    message: &Node,
    ids: &[MessageId],
    now: DateTime<Utc>,
) -> Result<u64, StoreError> {
    let gone: HashSet<MessageId> = ids.iter().copied().collect();
    let is_gone = |id: Option<MessageId>| id.is_some_and(|id| gone.contains(&id));
    for mut branch in rows.branch_rows(conversation.shown.id).await? {
        let (head, fork) = (is_gone(branch.head), is_gone(branch.fork));
        if head {
            branch.head = message.parent_id;
        }
        if fork {
            branch.fork = message.parent_id;
        }
        if head || fork {
            branch.updated_at = now;
            rows.save_branch(&branch).await?;
        }
    }
    remove(rows, conversation, ids).await
}

/// Removes messages and takes them off what the conversation tells about its messages.
async fn remove(
    rows: &mut dyn Rows,
    conversation: &mut ConversationRow,
    ids: &[MessageId],
) -> Result<u64, StoreError> {
    let removed = rows.delete_messages(ids).await?;
    let shown = &mut conversation.shown;
    shown.message_count = shown.message_count.saturating_sub(removed.messages);
    shown.total_tokens = shown.total_tokens.saturating_sub(removed.tokens);
    shown.total_cost = Money::from_nano(shown.total_cost.nano().saturating_sub(removed.cost.nano()));
    if removed.messages > 0 {
        shown.last_message_at = rows.newest_message_at(shown.id).await?;
    }
    Ok(removed.messages)
}
