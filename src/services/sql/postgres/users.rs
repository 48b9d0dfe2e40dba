//! Users in PostgreSQL.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor};

use super::conversations::save_user;
use super::values::millis;
use super::{PostgresDatabase, WRITING};
use crate::models::ids::UserId;
use crate::models::user::Theme;
use crate::services::auth::Caller;
use crate::services::sql::records::UserRecord;
use crate::services::sql::values::stored;
use crate::services::users::{ProfileStore, User, UserChanges};
use crate::utils::database::DatabaseError;

const FIND: &str = "SELECT id, email, role, display_name, avatar_url, metadata::text AS metadata, timezone, language,
         default_model, default_temperature, default_max_tokens, theme, enable_streaming, max_context_messages,
         custom_system_message, low_balance_alerts, created_at, updated_at
     FROM users WHERE id = $1";

const SAVE: &str = "UPDATE users
     SET display_name = $2, avatar_url = $3, metadata = $4::json, timezone = $5, language = $6, default_model = $7,
         default_temperature = $8, default_max_tokens = $9, theme = $10, enable_streaming = $11,
         max_context_messages = $12, custom_system_message = $13, low_balance_alerts = $14, updated_at = $15
     WHERE id = $1";

#[async_trait]
impl ProfileStore for PostgresDatabase {
    async fn find(&self, user: UserId) -> Result<Option<User>, DatabaseError> {
        find(&self.pool, user).await
    }

    async fn provision(&self, caller: &Caller) -> Result<User, DatabaseError> {
        let mut transaction = self.pool.begin_with(WRITING).await?;
        let user = provision(&mut transaction, caller, self.clock.now()).await?;
        transaction.commit().await?;
        Ok(user)
    }

    async fn update(&self, caller: &Caller, changes: UserChanges) -> Result<User, DatabaseError> {
        let now = self.clock.now();
        let mut transaction = self.pool.begin_with(WRITING).await?;
        let mut user = provision(&mut transaction, caller, now).await?;
        user.apply(changes, now);
        save(&mut transaction, &user).await?;
        transaction.commit().await?;
        Ok(user)
    }
}

async fn find(executor: impl PgExecutor<'_>, user: UserId) -> Result<Option<User>, DatabaseError> {
    let found: Option<UserRecord> = sqlx::query_as(FIND).bind(user).fetch_optional(executor).await?;
    found.map(UserRecord::into_user).transpose()
}

/// The caller, whose row is locked with this.
async fn provision(
    connection: &mut PgConnection,
    caller: &Caller,
    now: DateTime<Utc>,
) -> Result<User, DatabaseError> {
    save_user(connection, caller, now).await?;
    let user = find(connection, caller.user_id).await?;
    user.ok_or_else(|| sqlx::Error::RowNotFound.into())
}

async fn save(connection: &mut PgConnection, user: &User) -> sqlx::Result<()> {
    sqlx::query(SAVE)
        .bind(user.id)
        .bind(&user.display_name)
        .bind(&user.avatar_url)
        .bind(user.metadata.get())
        .bind(&user.timezone)
        .bind(&user.language)
        .bind(&user.default_model)
        .bind(user.default_temperature)
        .bind(user.default_max_tokens.map(stored))
        .bind(user.theme.map(Theme::as_str))
        .bind(user.enable_streaming)
        .bind(user.max_context_messages.map(i64::from))
        .bind(&user.custom_system_message)
        .bind(user.low_balance_alerts)
        .bind(millis(user.updated_at))
        .execute(connection)
        .await?;
    Ok(())
}
