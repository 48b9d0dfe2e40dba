//! Stopping all that is being written into a conversation.

use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;

use super::Engine;
use crate::models::ids::{ConversationId, UserId};
use crate::services::conversations::RunningAnswers;

/// How long stopped answers may take to be stored. One that takes longer goes on alone.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

#[async_trait]
impl RunningAnswers for Engine {
    async fn stop_in(&self, user: UserId, conversation: ConversationId) {
        let running = self.0.registry.all_running_in(user, conversation);
        for generation in &running {
            generation.cancel();
        }
        let ends = join_all(running.iter().map(|generation| generation.ended()));
        // An answer that was lost has ended too.
        let _ = tokio::time::timeout(STOP_PATIENCE, ends).await;
    }
}
