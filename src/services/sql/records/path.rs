//! Messages as operations read them: where they are in the tree, what a model is sent of them, what they add up to.

use sqlx::FromRow;

use super::StoredTime;
use crate::models::ids::{BranchId, MessageId};
use crate::models::message::{MessageStatus, Role};
use crate::models::money::Money;
use crate::services::conversations::ContextMessage;
use crate::services::sql::rows::{Figures, Jump, Node};
use crate::services::sql::values::{count, json, named};
use crate::utils::database::DatabaseError;

/// The columns that place a message in its tree.
#[derive(Debug, FromRow)]
pub(in super::super) struct NodeRecord {
    id: MessageId,
    parent_id: Option<MessageId>,
    branch_id: BranchId,
    depth: i64,
    jump_id: Option<MessageId>,
    jump_depth: i64,
    role: String,
    status: String,
    tool_calls: Option<String>,
    further_jump_id: Option<MessageId>,
    further_jump_depth: i64,
}

impl NodeRecord {
    pub(in super::super) fn into_node(self) -> Result<Node, DatabaseError> {
        Ok(Node {
            id: self.id,
            parent_id: self.parent_id,
            branch_id: self.branch_id,
            depth: self.depth,
            jump: Jump {
                id: self.jump_id,
                depth: self.jump_depth,
            },
            jump_of_jump: Jump {
                id: self.further_jump_id,
                depth: self.further_jump_depth,
            },
            role: named(Role::from_name, &self.role)?,
            status: named(MessageStatus::from_name, &self.status)?,
            tool_calls: self.tool_calls.map(json).transpose()?,
        })
    }
}

/// The columns of what a model is sent.
#[derive(Debug, FromRow)]
pub(in super::super) struct ContextRecord {
    role: String,
    content: String,
    parts: Option<String>,
    tool_calls: Option<String>,
    tool_call_id: Option<String>,
}

impl ContextRecord {
    pub(in super::super) fn into_context(self) -> Result<ContextMessage, DatabaseError> {
        Ok(ContextMessage {
            role: named(Role::from_name, &self.role)?,
            content: self.content,
            parts: self.parts.map(json).transpose()?,
            tool_calls: self.tool_calls.map(json).transpose()?,
            tool_call_id: self.tool_call_id,
        })
    }
}

/// The columns of what adds up on a path.
#[derive(Debug, FromRow)]
pub(in super::super) struct FiguresRecord {
    role: String,
    model: Option<String>,
    prompt_tokens: i64,
    completion_tokens: i64,
    cost: Money,
    latency_ms: Option<i64>,
    created_at: StoredTime,
}

impl FiguresRecord {
    pub(in super::super) fn into_figures(self) -> Result<Figures, DatabaseError> {
        Ok(Figures {
            role: named(Role::from_name, &self.role)?,
            model: self.model,
            prompt_tokens: count(self.prompt_tokens),
            completion_tokens: count(self.completion_tokens),
            cost: self.cost,
            latency_ms: self.latency_ms.map(count),
            created_at: self.created_at.into(),
        })
    }
}
