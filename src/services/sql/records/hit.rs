//! Hits of a search as they are read.

use sqlx::FromRow;

use super::StoredTime;
use crate::models::ids::{ConversationId, MessageId};
use crate::services::conversations::search::Hit;
use crate::services::sql::values::count;

/// The columns of a hit.
#[derive(Debug, FromRow)]
pub(in super::super) struct HitRecord {
    conversation_id: ConversationId,
    message_id: Option<MessageId>,
    occurrences: i64,
    length: i64,
    at: StoredTime,
}

impl From<HitRecord> for Hit {
    fn from(record: HitRecord) -> Self {
        Self {
            conversation_id: record.conversation_id,
            message_id: record.message_id,
            occurrences: count(record.occurrences),
            length: count(record.length),
            at: record.at.into(),
        }
    }
}
