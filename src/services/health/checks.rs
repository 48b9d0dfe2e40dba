//! Checks of what has no check of its own.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Check, Importance};
use crate::services::conversations::ConversationStore;
use crate::services::llm::Model;
use crate::services::redis::Redis;

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

/// The cache: Redis where there is to be one, else the memory of this process, which is there as long as the process is.
pub struct CacheCheck(Option<Redis>);

impl CacheCheck {
    /// A check of the cache in this Redis, or in memory.
    #[must_use]
    pub const fn new(redis: Option<Redis>) -> Self {
        Self(redis)
    }
}

#[async_trait]
impl Check for CacheCheck {
    fn name(&self) -> &'static str {
        "cache"
    }

    fn importance(&self) -> Importance {
        Importance::Optional
    }

    async fn check(&self) -> Result<Option<String>, String> {
        match &self.0 {
            None => Ok(Some("memory".to_owned())),
            Some(redis) if redis.availability().borrow().is_up() => Ok(Some("redis".to_owned())),
            Some(_) => Err("Redis does not answer; each instance is on its own".to_owned()),
        }
    }
}
