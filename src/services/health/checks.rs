//! Checks of what has no check of its own.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Check, Importance};
use crate::services::conversations::ConversationStore;
use crate::services::llm::Model;

/// The model server: asked without asking a model.
pub struct ModelCheck(Arc<dyn Model>);

impl ModelCheck {
    /// A check of this server.
    #[must_use]
    pub fn new(model: Arc<dyn Model>) -> Self {
        Self(model)
    }
}

#[async_trait]
impl Check for ModelCheck {
    fn name(&self) -> &'static str {
        "llm"
    }

    fn importance(&self) -> Importance {
        Importance::Critical
    }

    async fn check(&self) -> Result<Option<String>, String> {
        match self.0.check().await {
            Ok(()) => Ok(Some(self.0.name().to_owned())),
            Err(error) => {
                tracing::warn!(%error, "the model server does not answer its health check");
                Err("the model server does not answer".to_owned())
            }
        }
    }
}

/// Where conversations are kept.
pub struct ConversationsCheck(Arc<dyn ConversationStore>);

impl ConversationsCheck {
    /// A check of this store.
    #[must_use]
    pub fn new(store: Arc<dyn ConversationStore>) -> Self {
        Self(store)
    }
}

#[async_trait]
impl Check for ConversationsCheck {
    fn name(&self) -> &'static str {
        "conversations"
    }

    fn importance(&self) -> Importance {
        Importance::Critical
    }

    async fn check(&self) -> Result<Option<String>, String> {
        match self.0.check().await {
            Ok(()) => Ok(Some(self.0.name().to_owned())),
            Err(error) => {
                tracing::warn!(%error, "the conversation store does not answer");
                Err("the conversation store does not answer".to_owned())
            }
        }
    }
}

/// The cache of this process, which is there as long as the process is.
pub struct InProcessCache;

#[async_trait]
impl Check for InProcessCache {
    fn name(&self) -> &'static str {
        "cache"
    }

    fn importance(&self) -> Importance {
        Importance::Optional
    }

    async fn check(&self) -> Result<Option<String>, String> {
        Ok(Some("memory".to_owned()))
    }
}
