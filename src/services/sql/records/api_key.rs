//! API keys as they are read.

use sqlx::FromRow;

use super::StoredTime;
use crate::models::api_key::ApiKey;
use crate::models::ids::{ApiKeyId, UserId};
use crate::models::scope::Scopes;
use crate::services::api_keys::{KeyHash, KeyRecord, KeyState, PublicId};
use crate::utils::database::DatabaseError;

/// The columns that lists show.
#[derive(Debug, FromRow)]
pub(in super::super) struct ShownKeyRecord {
    id: ApiKeyId,
    name: String,
    public_id: String,
    scopes: String,
    is_active: bool,
    expires_at: Option<StoredTime>,
    last_used_at: Option<StoredTime>,
    created_at: StoredTime,
}

impl From<ShownKeyRecord> for ApiKey {
    fn from(record: ShownKeyRecord) -> Self {
        Self {
            id: record.id,
            name: record.name,
            prefix: PublicId::prefix_of(&record.public_id),
            scopes: Scopes::from_names(&record.scopes).iter().collect(),
            is_active: record.is_active,
            expires_at: record.expires_at.map(Into::into),
            last_used_at: record.last_used_at.map(Into::into),
            created_at: record.created_at.into(),
        }
    }
}

/// The columns that a key is verified by.
#[derive(FromRow)]
pub(in super::super) struct VerifiedKeyRecord {
    id: ApiKeyId,
    user_id: UserId,
    hash: Vec<u8>,
    scopes: String,
    is_active: bool,
    is_revoked: bool,
    expires_at: Option<StoredTime>,
}

impl VerifiedKeyRecord {
    pub(in super::super) fn into_record(self) -> Result<KeyRecord, DatabaseError> {
        let hash = KeyHash::from_bytes(&self.hash);
        Ok(KeyRecord {
            id: self.id,
            user_id: self.user_id,
            hash: hash.ok_or_else(|| DatabaseError::corrupt("hash", "not of 32 bytes"))?,
            scopes: Scopes::from_names(&self.scopes),
            state: match (self.is_revoked, self.is_active) {
                (true, _) => KeyState::Revoked,
                (false, false) => KeyState::Inactive,
                (false, true) => KeyState::Active,
            },
            expires_at: self.expires_at.map(Into::into),
        })
    }
}
