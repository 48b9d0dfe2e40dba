//! Conversations as a store would tell them.

use chrono::{DateTime, Utc};
use serde_json::value::{RawValue, to_raw_value};
use uuid::Uuid;

use super::super::export::{ExportFormat, ExportWriter};
use crate::models::branch::{Branch, BranchStatus};
use crate::models::conversation::{Conversation, ConversationDetail, ConversationStatus};
use crate::models::ids::{BranchId, ConversationId, MessageId, UserId};
use crate::models::message::{Message, MessageStatus, MessageUsage, Role};
use crate::models::money::Money;

/// A conversation as a store would tell it.
#[derive(Debug)]
pub(in super::super) struct Sample {
    pub(in super::super) detail: ConversationDetail,
    /// Parents before children.
    pub(in super::super) messages: Vec<Message>,
}

pub(in super::super) fn time(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_780_000_000 + seconds, 0).expect("a time")
}

pub(super) fn raw(json: &str) -> Box<RawValue> {
    RawValue::from_string(json.to_owned()).expect("json")
}

pub(super) fn message_id(n: usize) -> MessageId {
    MessageId(Uuid::from_u128(0x100 + n as u128))
}

pub(super) fn branch_id(n: usize) -> BranchId {
    BranchId(Uuid::from_u128(0x20 + n as u128))
}

/// A message on the first branch.
pub(in super::super) fn message(n: usize, parent: Option<usize>, role: Role, text: &str) -> Message {
    Message {
        id: message_id(n),
        conversation_id: ConversationId(Uuid::from_u128(0x10)),
        branch_id: branch_id(0),
        parent_id: parent.map(message_id),
        role,
        content: to_raw_value(text).expect("json"),
        model: (role == Role::Assistant).then(|| "demo/echo".to_owned()),
        status: MessageStatus::Completed,
        finish_reason: None,
        usage: None,
        latency_ms: None,
        time_to_first_token_ms: None,
        tool_calls: None,
        tool_call_id: None,
        reasoning: None,
        metadata: raw("{}"),
        children: Vec::new(),
        has_branches: false,
        edited: false,
        created_at: time(n as i64),
        updated_at: time(n as i64),
    }
}

pub(super) fn branch(n: usize, fork: Option<usize>, head: Option<usize>) -> Branch {
    Branch {
        id: branch_id(n),
        conversation_id: ConversationId(Uuid::from_u128(0x10)),
        name: if n == 0 {
            "Main".to_owned()
        } else {
            format!("Try {n}")
        },
        status: BranchStatus::Active,
        is_main: n == 0,
        is_active: n == 0,
        parent_message_id: fork.map(message_id),
        head_message_id: head.map(message_id),
        message_count: 0,
        own_message_count: 0,
        created_at: time(0),
        updated_at: time(1),
    }
}

impl Sample {
    pub(super) fn new(messages: Vec<Message>, branches: Vec<Branch>) -> Self {
        let conversation = Conversation {
            id: ConversationId(Uuid::from_u128(0x10)),
            title: Some("Sums & more".to_owned()),
            model: Some("demo/echo".to_owned()),
            status: ConversationStatus::Active,
            system_message: Some("be brief".to_owned()),
            metadata: raw(r#"{"k":1.50}"#),
            user_id: UserId(Uuid::from_u128(0x11)),
            active_branch_id: branches[0].id,
            message_count: messages.len() as u64,
            branch_count: branches.len() as u64,
            total_tokens: 0,
            total_cost: Money::ZERO,
            preview: None,
            created_at: time(0),
            updated_at: time(9),
            imported_from: None,
            last_message_at: None,
        };
        Self {
            detail: ConversationDetail {
                conversation,
                branches,
            },
            messages,
        }
    }

    /// A question with two answers.
    pub(in super::super) fn small() -> Self {
        let mut answer = message(1, Some(0), Role::Assistant, "2");
        answer.usage = Some(MessageUsage {
            prompt_tokens: 9,
            completion_tokens: 1,
            total_tokens: 10,
            cost_usd: Some(Money::from_nano(13_500)),
            estimated: false,
        });
        answer.latency_ms = Some(120);
        answer.finish_reason = Some("stop".to_owned());
        let mut other = message(2, Some(0), Role::Assistant, "# Two\n```\nof them");
        other.branch_id = branch_id(1);
        other.reasoning = Some("one\n\nand one".to_owned());
        Self::new(
            vec![message(0, None, Role::User, "=1+1?"), answer, other],
            vec![branch(0, None, Some(1)), branch(1, Some(0), Some(2))],
        )
    }

    /// The path of a branch, whole or after its fork.
    pub(in super::super) fn path(&self, branch: &Branch, whole: bool) -> Vec<Message> {
        let find = |id: MessageId| self.messages.iter().find(|message| message.id == id);
        let mut path = Vec::new();
        let mut next = branch.head_message_id;
        while let Some(message) = next
            .filter(|id| whole || Some(*id) != branch.parent_message_id)
            .and_then(find)
        {
            path.push(message.clone());
            next = message.parent_id;
        }
        path.reverse();
        path
    }

    /// The export as JSON, in pages of this many messages.
    pub(in super::super) fn json(&self, page: usize) -> Vec<u8> {
        let mut writer = ExportWriter::new(ExportFormat::Json, time(100));
        let mut file = writer.begin(&self.detail).expect("a beginning").to_vec();
        for messages in self.messages.chunks(page) {
            file.extend_from_slice(&writer.messages(messages).expect("messages"));
        }
        file.extend_from_slice(&writer.end(&self.detail.branches).expect("an end"));
        file
    }
}
