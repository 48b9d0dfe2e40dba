//! What may be done with conversations, whoever keeps them.
//!
//! Requests are checked here, features that are switched off are refused, and what was done is counted and told.
//! What then happens is the store's business, in one transaction for each method.
//!
//! - `conversations`, `branches`, `messages`: one of them, and lists
//! - `batch`: one operation on many conversations
//! - `export`, `import`: conversations as files, in memory that does not grow with them

mod batch;
mod branches;
mod checks;
mod conversations;
mod export;
mod import;
mod messages;

use std::path::PathBuf;
use std::sync::Arc;

use self::import::ImportPlaces;
use super::{ConversationStore, RunningAnswers};
use crate::config::{AppSettings, BusinessSettings, FeatureSettings};
use crate::models::ids::{ConversationId, UserId};
use crate::services::analytics::FeatureUses;
use crate::utils::clock::Clock;
use crate::utils::errors::{ApiError, ErrorCode};
use crate::utils::metrics::Metrics;

pub use branches::BranchOrder;
pub use export::Export;

/// The settings of conversations.
#[derive(Debug, Clone)]
pub struct ConversationSettings {
    features: FeatureSettings,
    max_batch_size: usize,
    max_message_length: usize,
    data_dir: PathBuf,
}

impl ConversationSettings {
    /// From the settings of the service.
    #[must_use]
    pub fn new(app: &AppSettings, business: &BusinessSettings, features: &FeatureSettings) -> Self {
        Self {
            features: features.clone(),
            max_batch_size: business.max_batch_operation_size as usize,
            max_message_length: business.max_message_length,
            data_dir: app.data_dir.clone(),
        }
    }
}

/// What the service of conversations works with.
pub struct ConversationParts {
    /// Where conversations are kept.
    pub store: Arc<dyn ConversationStore>,
    /// Counts what users do.
    pub feature_uses: FeatureUses,
    /// The answers that are being written.
    pub answers: Arc<dyn RunningAnswers>,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// Time and ids.
    pub clock: Clock,
    /// Its settings.
    pub settings: ConversationSettings,
}

/// Conversations, their branches and messages.
pub struct ConversationService {
    store: Arc<dyn ConversationStore>,
    feature_uses: FeatureUses,
    answers: Arc<dyn RunningAnswers>,
    metrics: Arc<Metrics>,
    clock: Clock,
    settings: ConversationSettings,
    imports: ImportPlaces,
}

impl ConversationService {
    /// A service for conversations.
    #[must_use]
    pub fn new(parts: ConversationParts) -> Self {
        let ConversationParts {
            store,
            feature_uses,
            answers,
            metrics,
            clock,
            settings,
        } = parts;
        Self {
            store,
            feature_uses,
            answers,
            metrics,
            clock,
            settings,
            imports: ImportPlaces::default(),
        }
    }

    /// Counts something that was done.
    fn count(&self, operation: &'static str) {
        self.metrics.conversations.with_label_values(&[operation]).inc();
    }

    /// Counts something that was done, and tells of it.
    fn tell(&self, operation: &'static str, event: &'static str, user: UserId, conversation: ConversationId) {
        self.count(operation);
        tracing::info!(
            event,
            user_id = %user,
            conversation_id = %conversation,
            "business_event"
        );
    }
}

/// Refuses what the operator has switched off.
fn require(is_on: bool, setting: &'static str) -> Result<(), ApiError> {
    if is_on {
        return Ok(());
    }
    Err(ApiError::new(
        ErrorCode::FeatureDisabled,
        format!("The operator has switched this off ({setting})."),
    ))
}
