//! API keys in SQLite.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::SqliteConnection;

use super::SqliteDatabase;
use super::conversations::save_user;
use super::values::{count, millis};
use crate::models::api_key::ApiKey;
use crate::models::ids::{ApiKeyId, UserId};
use crate::models::scope::Scopes;
use crate::services::api_keys::{
    ApiKeyChanges, ApiKeyError, ApiKeyRecords, KeyRecord, MAX_REVOKED_KEPT, NewApiKey, PublicId,
    USE_RECORDED_EVERY,
};
use crate::services::auth::Caller;
use crate::services::sql::records::{ShownKeyRecord, VerifiedKeyRecord};
use crate::utils::database::DatabaseError;

statements! {
    COUNT = "SELECT count(*) FROM api_keys WHERE user_id = ?1 AND revoked_at IS NULL";

    INSERT = "INSERT INTO api_keys (id, user_id, name, public_id, hash, scopes, expires_at, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         RETURNING id, name, public_id, scopes, is_active, expires_at, last_used_at, created_at";

    LIST = "SELECT id, name, public_id, scopes, is_active, expires_at, last_used_at, created_at
         FROM api_keys WHERE user_id = ?1 AND revoked_at IS NULL ORDER BY created_at, id";

    UPDATE = "UPDATE api_keys
         SET name = coalesce(?3, name), scopes = coalesce(?4, scopes), is_active = coalesce(?5, is_active)
         WHERE id = ?2 AND user_id = ?1 AND revoked_at IS NULL
         RETURNING id, name, public_id, scopes, is_active, expires_at, last_used_at, created_at";

    REVOKE = "UPDATE api_keys SET revoked_at = ?3 WHERE id = ?2 AND user_id = ?1 AND revoked_at IS NULL
         RETURNING id, name, public_id, scopes, is_active, expires_at, last_used_at, created_at";

    FORGET_REVOKED = "DELETE FROM api_keys WHERE id IN
         (SELECT id FROM api_keys WHERE user_id = ?1 AND revoked_at IS NOT NULL
          ORDER BY revoked_at DESC, id DESC LIMIT -1 OFFSET ?2)";

    FIND = "SELECT id, user_id, hash, scopes, is_active, revoked_at IS NOT NULL AS is_revoked, expires_at
         FROM api_keys WHERE public_id = ?1";

    RECORD_USE = "UPDATE api_keys SET last_used_at = ?2 WHERE id = ?1 AND (last_used_at IS NULL OR last_used_at <= ?3)";
}

#[async_trait]
impl ApiKeyRecords for SqliteDatabase {
    async fn create(&self, caller: &Caller, key: NewApiKey, limit: u32) -> Result<ApiKey, ApiKeyError> {
        let caller = caller.clone();
        self.writer
            .write(move |connection| Box::pin(async move { insert(connection, &caller, &key, limit).await }))
            .await
    }

    async fn list(&self, user: UserId) -> Result<Vec<ApiKey>, DatabaseError> {
        let rows: Vec<ShownKeyRecord> = sqlx::query_as(LIST).bind(user).fetch_all(&self.readers).await?;
        Ok(rows.into_iter().map(Into::into).collect())
    }

    async fn update(
        &self,
        user: UserId,
        id: ApiKeyId,
        changes: ApiKeyChanges,
    ) -> Result<Option<ApiKey>, DatabaseError> {
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    let changed: Option<ShownKeyRecord> = sqlx::query_as(UPDATE)
                        .bind(user)
                        .bind(id)
                        .bind(changes.name)
                        .bind(changes.scopes.map(Scopes::to_names))
                        .bind(changes.is_active)
                        .fetch_optional(connection)
                        .await?;
                    Ok(changed.map(Into::into))
                })
            })
            .await
    }

    async fn revoke(&self, user: UserId, id: ApiKeyId) -> Result<Option<ApiKey>, DatabaseError> {
        let now = millis(self.clock.now());
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    let revoked: Option<ShownKeyRecord> = sqlx::query_as(REVOKE)
                        .bind(user)
                        .bind(id)
                        .bind(now)
                        .fetch_optional(&mut *connection)
                        .await?;
                    let forget = sqlx::query(FORGET_REVOKED).bind(user).bind(MAX_REVOKED_KEPT);
                    forget.execute(connection).await?;
                    Ok(revoked.map(Into::into))
                })
            })
            .await
    }

    async fn find(&self, public_id: &PublicId) -> Result<Option<KeyRecord>, DatabaseError> {
        let found: Option<VerifiedKeyRecord> = sqlx::query_as(FIND)
            .bind(public_id.as_str())
            .fetch_optional(&self.readers)
            .await?;
        found.map(VerifiedKeyRecord::into_record).transpose()
    }

    async fn record_use(&self, id: ApiKeyId, at: DateTime<Utc>) -> Result<(), DatabaseError> {
        self.writer
            .write(move |connection| {
                Box::pin(async move {
                    let recorded = sqlx::query(RECORD_USE)
                        .bind(id)
                        .bind(millis(at))
                        .bind(millis(at - USE_RECORDED_EVERY));
                    recorded.execute(connection).await?;
                    Ok(())
                })
            })
            .await
    }
}

async fn insert(
    connection: &mut SqliteConnection,
    caller: &Caller,
    key: &NewApiKey,
    limit: u32,
) -> Result<ApiKey, ApiKeyError> {
    save_user(connection, caller, key.created_at).await?;
    let current: i64 = sqlx::query_scalar(COUNT)
        .bind(caller.user_id)
        .fetch_one(&mut *connection)
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
        .fetch_one(connection)
        .await?;
    Ok(stored.into())
}
