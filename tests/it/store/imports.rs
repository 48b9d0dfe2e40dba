//! Conversations from elsewhere, as a file would bring them.

use std::io;
use std::ops::ControlFlow;

use ai_chat_orchestrator::models::branch::BranchStatus;
use ai_chat_orchestrator::models::ids::{ConversationId, UserId};
use ai_chat_orchestrator::models::message::{MessageStatus, Role};
use ai_chat_orchestrator::services::conversations::transfer::export::{ExportFormat, ExportWriter};
use ai_chat_orchestrator::services::conversations::transfer::import::ImportedConversation;
use ai_chat_orchestrator::services::conversations::transfer::import::{
    ImportedBranch, ImportedMessage, check_syntax, read,
};
use ai_chat_orchestrator::services::conversations::{ConversationStore, MessageCursor};
use ai_chat_orchestrator::utils::clock::Clock;

/// Messages that an export reads at once: few, so that there are several batches.
const BATCH: u32 = 7;

/// A conversation of one branch, in which question and answer take turns.
pub fn chain(source: &str, length: usize) -> ImportedConversation {
    let messages = (0..length)
        .map(|index| {
            let role = if index % 2 == 0 {
                Role::User
            } else {
                Role::Assistant
            };
            message(
                index.checked_sub(1),
                role,
                &format!("message {index}"),
                &format!("m{index}"),
            )
        })
        .collect();
    conversation(
        source,
        messages,
        vec![branch("main", None, length.checked_sub(1))],
    )
}

/// A conversation; the first branch is the main and the active one.
pub fn conversation(
    source: &str,
    messages: Vec<ImportedMessage>,
    mut branches: Vec<ImportedBranch>,
) -> ImportedConversation {
    branches[0].is_main = true;
    ImportedConversation {
        source: format!("export:{source}"),
        title: Some("Imported".to_owned()),
        model: None,
        system_message: None,
        archived: false,
        metadata: None,
        created_at: None,
        updated_at: None,
        messages,
        branches,
        branches_are_leaves: false,
        active_branch: 0,
    }
}

/// A message on the main branch.
pub fn message(parent: Option<usize>, role: Role, words: &str, source_id: &str) -> ImportedMessage {
    ImportedMessage {
        source_id: source_id.to_owned(),
        parent,
        branch: 0,
        role,
        content: words.to_owned(),
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
        merged_from: None,
        edited: false,
        created_at: None,
        updated_at: None,
    }
}

/// A branch that is not the main one.
pub fn branch(name: &str, fork: Option<usize>, head: Option<usize>) -> ImportedBranch {
    ImportedBranch {
        source_id: name.to_owned(),
        name: name.to_owned(),
        status: BranchStatus::Active,
        is_main: false,
        fork,
        head,
        created_at: None,
        updated_at: None,
    }
}

/// Writes a conversation as JSON and reads it again.
pub async fn exported(
    store: &dyn ConversationStore,
    clock: &Clock,
    user: UserId,
    id: ConversationId,
) -> ImportedConversation {
    let file = export(store, clock, user, id).await;
    check_syntax(io::Cursor::new(&file)).expect("JSON");
    let mut found = Vec::new();
    read(io::Cursor::new(&file), |conversation| {
        found.push(conversation.expect("a conversation without a problem"));
        ControlFlow::Continue(())
    })
    .expect("a file that can be read");
    assert_eq!(found.len(), 1);
    found.remove(0)
}

async fn export(store: &dyn ConversationStore, clock: &Clock, user: UserId, id: ConversationId) -> Vec<u8> {
    let detail = store.conversation(user, id).await.expect("a store that answers");
    let mut writer = ExportWriter::new(ExportFormat::Json, clock.now());
    let mut file = writer
        .begin(&detail.expect("the conversation"))
        .expect("JSON")
        .to_vec();
    let mut after = MessageCursor::default();
    loop {
        let batch = store
            .messages_after(user, id, after, BATCH)
            .await
            .expect("a batch");
        file.extend(writer.messages(&batch.messages).expect("JSON"));
        if let Some(branches) = batch.branches {
            file.extend(writer.end(&branches).expect("JSON"));
            return file;
        }
        after = batch.next;
    }
}
