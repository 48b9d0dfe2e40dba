//! What conversations ask of whoever writes answers into them.

use async_trait::async_trait;

use crate::models::ids::{ConversationId, UserId};

/// The answers that are being written.
#[async_trait]
pub trait RunningAnswers: Send + Sync + 'static {
    /// Stops what this user has written into a conversation, and waits a moment for it to be stored. Nothing
    /// happens where nothing is being written.
    async fn stop_in(&self, user: UserId, conversation: ConversationId);
}
