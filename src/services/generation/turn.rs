//! What an answer belongs to.

use serde::Serialize;

use crate::models::ids::{BranchId, ConversationId, MessageId, StreamId};

/// What an answer is for.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// A message of a conversation.
    Conversation(TurnIds),
    /// OpenAI-compatible chat: nothing is stored but the usage.
    Stateless {
        /// Whether the client asked for the usage in the stream.
        shows_usage: bool,
    },
}

/// The ids that tell a client of conversation chat where it is.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct TurnIds {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The branch.
    pub branch_id: BranchId,
    /// The user's message.
    pub user_message_id: MessageId,
    /// The answer.
    pub message_id: MessageId,
    /// The stream.
    pub stream_id: StreamId,
}
