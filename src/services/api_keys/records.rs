//! The table of API keys.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{ApiKeyError, KeyHash, PublicId};
use crate::models::api_key::ApiKey;
use crate::models::ids::{ApiKeyId, UserId};
use crate::models::scope::Scopes;
use crate::services::auth::Caller;
use crate::utils::database::DatabaseError;

/// Revoked keys of a user that are kept, the last revoked ones, so that who still uses one is told that it is revoked.
/// Older ones are as unknown as any other text.
pub const MAX_REVOKED_KEPT: u32 = 50;

/// How much time lies at least between two uses of a key that are recorded.
pub const USE_RECORDED_EVERY: Duration = Duration::from_secs(60);

/// A key to be stored.
#[derive(Debug, Clone)]
pub struct NewApiKey {
    /// Its id.
    pub id: ApiKeyId,
    /// What its owner calls it.
    pub name: String,
    /// How it is found.
    pub public_id: PublicId,
    /// What it is proven by.
    pub hash: KeyHash,
    /// What it may be used for.
    pub scopes: Scopes,
    /// When it ceases to work.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was made, in whole milliseconds.
    pub created_at: DateTime<Utc>,
}

/// What changes in a key; what is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct ApiKeyChanges {
    /// What its owner calls it.
    pub name: Option<String>,
    /// What it may be used for.
    pub scopes: Option<Scopes>,
    /// Whether it works.
    pub is_active: Option<bool>,
}

/// Whether a key works, but for its expiry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// It does.
    Active,
    /// Its owner has switched it off.
    Inactive,
    /// Its owner has revoked it, for good.
    Revoked,
}

/// What a key is verified by.
#[derive(Debug, Clone)]
pub struct KeyRecord {
    /// Its id.
    pub id: ApiKeyId,
    /// Whose it is.
    pub user_id: UserId,
    /// What it is proven by.
    pub hash: KeyHash,
    /// What it may be used for.
    pub scopes: Scopes,
    /// Whether it works.
    pub state: KeyState,
    /// When it ceases to work.
    pub expires_at: Option<DateTime<Utc>>,
}

/// The table of API keys. Several instances may work on it at once.
#[async_trait]
pub trait ApiKeyRecords: Send + Sync + 'static {
    /// Stores a key of the caller, who becomes known with it, unless they have `limit` keys that are not revoked: also when
    /// several are stored at once.
    ///
    /// # Errors
    /// [`ApiKeyError::LimitReached`], or a failing database.
    async fn create(&self, caller: &Caller, key: NewApiKey, limit: u32) -> Result<ApiKey, ApiKeyError>;

    /// The user's keys that are not revoked, the oldest first.
    ///
    /// # Errors
    /// A failing database.
    async fn list(&self, user: UserId) -> Result<Vec<ApiKey>, DatabaseError>;

    /// Changes a key; `None` if the user has no such key, or has revoked it.
    ///
    /// # Errors
    /// A failing database.
    async fn update(
        &self,
        user: UserId,
        id: ApiKeyId,
        changes: ApiKeyChanges,
    ) -> Result<Option<ApiKey>, DatabaseError>;

    /// Revokes a key for good, and forgets the user's revoked keys but for the last [`MAX_REVOKED_KEPT`]. `None` if the user
    /// has no such key, or has revoked it before.
    ///
    /// # Errors
    /// A failing database.
    async fn revoke(&self, user: UserId, id: ApiKeyId) -> Result<Option<ApiKey>, DatabaseError>;

    /// What a key is verified by, revoked or not.
    ///
    /// # Errors
    /// A failing database.
    async fn find(&self, public_id: &PublicId) -> Result<Option<KeyRecord>, DatabaseError>;

    /// Records a use of a key, unless one was recorded within [`USE_RECORDED_EVERY`] before.
    ///
    /// # Errors
    /// A failing database.
    async fn record_use(&self, id: ApiKeyId, at: DateTime<Utc>) -> Result<(), DatabaseError>;
}
