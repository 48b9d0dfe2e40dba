//! API keys as the API shows and takes them.

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize, Serializer};
use utoipa::ToSchema;

use super::ids::ApiKeyId;
use super::scope::Scope;
use crate::utils::patch::not_null;

/// An API key, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ApiKey {
    /// Its id.
    pub id: ApiKeyId,
    /// What its owner calls it.
    #[schema(example = "nightly import")]
    pub name: String,
    /// How the key begins: enough to tell it from others, of no use to who wants to call the service.
    #[schema(example = "sk-aco-7h2k9m4q8r3t5w6x")]
    pub prefix: String,
    /// What it may be used for.
    pub scopes: Vec<Scope>,
    /// Whether it works. One that does not can be made to work again.
    pub is_active: bool,
    /// When it ceases to work; null: never.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was last used, to within a minute; null: never.
    pub last_used_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// An API key that was made just now.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CreatedApiKey {
    /// The key as lists show it.
    #[serde(flatten)]
    pub shown: ApiKey,
    /// The whole key. Only a hash of it is stored: it is never shown again.
    #[serde(serialize_with = "expose")]
    #[schema(value_type = String, example = "sk-aco-7h2k9m4q8r3t5w6x-…")]
    pub key: SecretString,
}

fn expose<S: Serializer>(key: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(key.expose_secret())
}

/// A key to be made.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[schema(example = json!({"name": "nightly import", "scopes": ["chat", "conversations:read"]}))]
pub struct CreateApiKeyRequest {
    /// 1 to 100 characters.
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    /// What it may be used for: at least one.
    #[schema(min_items = 1)]
    pub scopes: Vec<Scope>,
    /// When it ceases to work, a time to come. Absent or null: never.
    pub expires_at: Option<DateTime<Utc>>,
}

/// What changes in a key: at least one field. What is absent stays.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[schema(example = json!({"is_active": false}))]
pub struct UpdateApiKeyRequest {
    /// 1 to 100 characters; cannot be null.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = String, required = false, min_length = 1, max_length = 100)]
    pub name: Option<String>,
    /// What it may be used for from now on: at least one; cannot be null.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = Vec<Scope>, required = false, min_items = 1)]
    pub scopes: Option<Vec<Scope>>,
    /// Whether it works; cannot be null.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = bool, required = false)]
    pub is_active: Option<bool>,
}

impl UpdateApiKeyRequest {
    /// Whether it asks for nothing.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.name.is_none() && self.scopes.is_none() && self.is_active.is_none()
    }
}

/// A key that was revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct DeletedApiKey {
    /// Its id.
    pub id: ApiKeyId,
    /// Always true.
    #[schema(example = true)]
    pub deleted: bool,
}
