//! What the routes of conversations take.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::ConversationStatus;
use crate::utils::patch::{not_null, nullable};

/// What a new conversation starts with; everything may be left out.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
pub struct CreateConversationRequest {
    /// At most 200 characters.
    #[schema(example = "Quantum computing", max_length = 200)]
    pub title: Option<String>,
    /// At most 100 characters.
    #[schema(example = "gpt-4o-mini", max_length = 100)]
    pub model: Option<String>,
    /// At most 8,000 characters.
    #[schema(max_length = 8000)]
    pub system_message: Option<String>,
    /// An object of at most 10,000 bytes.
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<Box<RawValue>>,
}

/// What changes in a conversation: at least one field. What is absent stays, null empties.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[schema(example = json!({"title": "Quantum computing", "status": "archived"}))]
pub struct UpdateConversationRequest {
    /// 1 to 200 characters.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>, max_length = 200)]
    pub title: Option<Option<String>>,
    /// At most 100 characters.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>, max_length = 100)]
    pub model: Option<Option<String>>,
    /// Puts it away, or takes it out again; cannot be null.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = ConversationStatus, required = false)]
    pub status: Option<ConversationStatus>,
    /// At most 8,000 characters.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>, max_length = 8000)]
    pub system_message: Option<Option<String>>,
    /// An object of at most 10,000 bytes, which takes the place of the old one as a whole.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<Option<Box<RawValue>>>,
}

impl UpdateConversationRequest {
    /// Whether it asks for nothing.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.title.is_none()
            && self.model.is_none()
            && self.status.is_none()
            && self.system_message.is_none()
            && self.metadata.is_none()
    }
}

/// What is done with each conversation of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum BatchOperation {
    /// Put away.
    Archive,
    /// Take out again.
    Unarchive,
    /// Delete.
    Delete,
    /// Change as `parameters` say.
    Update,
}

/// One operation on many conversations.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[schema(example = json!({"operation": "archive", "conversation_ids": ["019aafc3-7c52-7d3c-9b1e-0d5f2f6f8a11"]}))]
pub struct BatchRequest {
    /// What is done.
    pub operation: BatchOperation,
    /// 1 to `MAX_BATCH_OPERATION_SIZE` (50) ids. What is no id fails alone, as an id that does not exist does.
    #[schema(min_items = 1)]
    pub conversation_ids: Vec<String>,
    /// With `update`: what changes. Refused with anything else.
    pub parameters: Option<UpdateConversationRequest>,
}

/// How far back a statistic looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(default = "all")]
pub enum StatsPeriod {
    /// 7 days.
    Week,
    /// 30 days.
    Month,
    /// 365 days.
    Year,
    /// To the beginning.
    #[default]
    All,
}

impl StatsPeriod {
    /// How many days that is; `None` for all.
    #[must_use]
    pub const fn days(self) -> Option<i64> {
        match self {
            Self::Week => Some(7),
            Self::Month => Some(30),
            Self::Year => Some(365),
            Self::All => None,
        }
    }
}

/// Which conversations a list shows, by their status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(default = "active")]
pub enum StatusFilter {
    /// Those in use.
    #[default]
    Active,
    /// Those put away.
    Archived,
    /// Both.
    All,
}

/// What a list of conversations is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(default = "updated_at")]
pub enum ConversationSort {
    /// When they were made.
    CreatedAt,
    /// When they last changed.
    #[default]
    UpdatedAt,
    /// When their newest message was stored; those without one are the oldest.
    LastMessageAt,
    /// Their titles, letter by letter without regard to case and accents; those without one come first.
    Title,
    /// How many messages they have.
    MessageCount,
}
