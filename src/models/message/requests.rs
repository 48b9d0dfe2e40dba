//! What the routes of messages take.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{MessageContent, Role};
use crate::models::common::PageQuery;
use crate::models::ids::{BranchId, MessageId};

/// Whose words may be written without asking a model: anyone's but a tool's, which only answer a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum WritableRole {
    /// The person.
    User,
    /// The model.
    Assistant,
    /// Instructions.
    System,
}

impl From<WritableRole> for Role {
    fn from(role: WritableRole) -> Self {
        match role {
            WritableRole::User => Self::User,
            WritableRole::Assistant => Self::Assistant,
            WritableRole::System => Self::System,
        }
    }
}

/// A message that is added as it is; no model is asked.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[schema(example = json!({"role": "user", "content": "Explain quantum computing in one paragraph."}))]
pub struct CreateMessageRequest {
    /// Text of 1 to `MAX_MESSAGE_LENGTH` (32,000) characters, or content parts.
    pub content: MessageContent,
    /// Who speaks.
    pub role: WritableRole,
    /// The message to follow. Absent: the branch's head. If it is not the head, a new branch is forked there and
    /// activated.
    pub parent_id: Option<MessageId>,
    /// Absent: the conversation's active branch.
    pub branch_id: Option<BranchId>,
    /// An object of at most 10,000 bytes.
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<Box<RawValue>>,
}

/// Another text for a message of the user.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[schema(example = json!({"content": "Explain it to a child.", "create_branch": true}))]
pub struct EditMessageRequest {
    /// Text of 1 to `MAX_MESSAGE_LENGTH` (32,000) characters, or content parts.
    pub content: MessageContent,
    /// Whether the message stays as it is, and the new text is a message beside it on a new, active branch.
    #[schema(default = false)]
    pub create_branch: Option<bool>,
    /// The name of that branch, 1 to 100 characters; only with `create_branch`. Absent: "Branch" and its number.
    #[schema(min_length = 1, max_length = 100)]
    pub branch_name: Option<String>,
}

/// How a message is answered anew; everything may be left out.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[schema(example = json!({"model": "gpt-4o-mini", "stream": true}))]
pub struct RegenerateRequest {
    /// At most 100 characters. Absent: the conversation's model, else `DEFAULT_MODEL`.
    #[schema(max_length = 100)]
    pub model: Option<String>,
    /// 0 to `MAX_TEMPERATURE` (2). Absent: not sent to the model.
    #[schema(minimum = 0)]
    pub temperature: Option<f64>,
    /// 1 to `MAX_OUTPUT_TOKENS` (32,768). Absent: `DEFAULT_MAX_TOKENS` (2,000).
    #[schema(minimum = 1)]
    pub max_tokens: Option<u64>,
    /// For this answer only; at most 8,000 characters. Absent: the conversation's.
    #[schema(max_length = 8000)]
    pub system_message: Option<String>,
    /// The name of the new branch, 1 to 100 characters. Absent: "Branch" and its number.
    #[schema(min_length = 1, max_length = 100)]
    pub branch_name: Option<String>,
    /// Whether the answer is streamed as server-sent events.
    #[schema(default = true)]
    pub stream: Option<bool>,
}

/// What is looked for among the messages of a conversation.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[schema(example = json!({"q": "quantum", "role": "assistant"}))]
pub struct SearchMessagesRequest {
    /// 1 to 200 characters. Any text is only that: there is no syntax.
    #[schema(min_length = 1, max_length = 200)]
    pub q: String,
    /// Of this role.
    pub role: Option<Role>,
    /// Of this model; at most 100 characters.
    #[schema(max_length = 100)]
    pub model: Option<String>,
    /// On the path of this branch.
    pub branch_id: Option<BranchId>,
    /// Stored at this time or later.
    pub created_after: Option<DateTime<Utc>>,
    /// Stored before this time.
    pub created_before: Option<DateTime<Utc>>,
    /// Whose usage is at least so many tokens.
    pub min_tokens: Option<u32>,
    /// Whose usage is at most so many tokens.
    pub max_tokens: Option<u32>,
    /// The page, from 1; wins over the query's.
    #[schema(minimum = 1)]
    pub page: Option<u32>,
    /// Items on a page: 1 to `MAX_PAGE_SIZE` (100); wins over the query's.
    #[schema(minimum = 1)]
    pub limit: Option<u32>,
}

impl SearchMessagesRequest {
    /// The page that is wanted, by the body or else by the query.
    #[must_use]
    pub fn page_or(&self, query: PageQuery) -> PageQuery {
        PageQuery {
            page: self.page.or(query.page),
            limit: self.limit.or(query.limit),
        }
    }
}
