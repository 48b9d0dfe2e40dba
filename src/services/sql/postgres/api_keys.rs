//! API keys in PostgreSQL.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::conversations::save_user;
use super::values::millis;
use super::{PostgresDatabase, WRITING};
use crate::models::api_key::ApiKey;
use crate::models::ids::{ApiKeyId, UserId};
use crate::models::scope::Scopes;
use crate::services::api_keys::{
    ApiKeyChanges, ApiKeyError, ApiKeyRecords, KeyRecord, MAX_REVOKED_KEPT, NewApiKey, PublicId,
    USE_RECORDED_EVERY,
};
use crate::services::auth::Caller;
use crate::services::sql::records::{ShownKeyRecord, VerifiedKeyRecord};
use crate::services::sql::values::count;
use crate::utils::database::DatabaseError;

/// A statement of its own after [`save_user`], so that it sees what the last holder of the lock has committed.
const COUNT: &str = "SELECT count(*) FROM api_keys WHERE user_id = $1 AND revoked_at IS NULL";

const INSERT: &str =
    "INSERT INTO api_keys (id, user_id, name, public_id, hash, scopes, expires_at, created_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
     RETURNING id, name, public_id, scopes, is_active, expires_at, last_used_at, created_at";

const LIST: &str = "SELECT id, name, public_id, scopes, is_active, expires_at, last_used_at, created_at
     FROM api_keys WHERE user_id = $1 AND revoked_at IS NULL ORDER BY created_at, id";

const UPDATE: &str = "UPDATE api_keys
     SET name = coalesce($3, name), scopes = coalesce($4, scopes), is_active = coalesce($5, is_active)
     WHERE id = $2 AND user_id = $1 AND revoked_at IS NULL
     RETURNING id, name, public_id, scopes, is_active, expires_at, last_used_at, created_at";

const REVOKE: &str =
    "UPDATE api_keys SET revoked_at = $3 WHERE id = $2 AND user_id = $1 AND revoked_at IS NULL
     RETURNING id, name, public_id, scopes, is_active, expires_at, last_used_at, created_at";

const FORGET_REVOKED: &str = "DELETE FROM api_keys WHERE id IN
     (SELECT id FROM api_keys WHERE user_id = $1 AND revoked_at IS NOT NULL
      ORDER BY revoked_at DESC, id DESC OFFSET $2)";

const FIND: &str =
    "SELECT id, user_id, hash, scopes, is_active, revoked_at IS NOT NULL AS is_revoked, expires_at
     FROM api_keys WHERE public_id = $1";

const RECORD_USE: &str =
    "UPDATE api_keys SET last_used_at = $2 WHERE id = $1 AND (last_used_at IS NULL OR last_used_at <= $3)";

#[async_trait]
impl ApiKeyRecords for PostgresDatabase {
    async fn create(&self, caller: &Caller, key: NewApiKey, limit: u32) -> Result<ApiKey, ApiKeyError> {
        let mut transaction = self.pool.begin_with(WRITING).await?;
        save_user(&mut transaction, caller, key.created_at).await?;
        let current: i64 = sqlx::query_scalar(COUNT)
            .bind(caller.user_id)
            .fetch_one(&mut *transaction)
            .await?;
        ApiKeyError::unless_below(limit, count(current))?;
        let stored: ShownKeyRecord = sqlx::query_as(INSERT)
            .bind(key.id)
            .bind(caller.user_id)
            .bind(&key.name)
            .bind(key.public_id.as_str())
            .bind(key.hash.as_bytes())
            .bind(key.scopes.to_names())
            .bind(key.expires_at.map(millis))
            .bind(millis(key.created_at))
            .fetch_one(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(stored.into())
    }

    async fn list(&self, user: UserId) -> Result<Vec<ApiKey>, DatabaseError> {
        let rows: Vec<ShownKeyRecord> = sqlx::query_as(LIST).bind(user).fetch_all(&self.pool).await?;
        Ok(rows.into_iter().map(Into::into).collect())
    }

    async fn update(
        &self,
        user: UserId,
        id: ApiKeyId,
        changes: ApiKeyChanges,
    ) -> Result<Option<ApiKey>, DatabaseError> {
        let changed: Option<ShownKeyRecord> = sqlx::query_as(UPDATE)
            .bind(user)
            .bind(id)
            .bind(changes.name)
            .bind(changes.scopes.map(Scopes::to_names))
            .bind(changes.is_active)
            .fetch_optional(&self.pool)
            .await?;
        Ok(changed.map(Into::into))
    }

    async fn revoke(&self, user: UserId, id: ApiKeyId) -> Result<Option<ApiKey>, DatabaseError> {
        let mut transaction = self.pool.begin_with(WRITING).await?;
        let revoked: Option<ShownKeyRecord> = sqlx::query_as(REVOKE)
            .bind(user)
            .bind(id)
            .bind(millis(self.clock.now()))
            .fetch_optional(&mut *transaction)
            .await?;
        sqlx::query(FORGET_REVOKED)
            .bind(user)
            .bind(i64::from(MAX_REVOKED_KEPT))
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(revoked.map(Into::into))
    }

    async fn find(&self, public_id: &PublicId) -> Result<Option<KeyRecord>, DatabaseError> {
        let found: Option<VerifiedKeyRecord> = sqlx::query_as(FIND)
            .bind(public_id.as_str())
            .fetch_optional(&self.pool)
            .await?;
        found.map(VerifiedKeyRecord::into_record).transpose()
    }

    async fn record_use(&self, id: ApiKeyId, at: DateTime<Utc>) -> Result<(), DatabaseError> {
        sqlx::query(RECORD_USE)
            .bind(id)
            .bind(millis(at))
            .bind(millis(at - USE_RECORDED_EVERY))
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}
