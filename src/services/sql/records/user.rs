//! Users as they are read.

use sqlx::FromRow;

use super::StoredTime;
use crate::models::ids::UserId;
use crate::models::user::Theme;
use crate::services::sql::values::{count, json, named};
use crate::services::users::User;
use crate::utils::database::DatabaseError;

/// The columns of a user.
#[derive(Debug, FromRow)]
pub(in super::super) struct UserRecord {
    id: UserId,
    email: Option<String>,
    role: String,
    display_name: Option<String>,
    avatar_url: Option<String>,
    metadata: String,
    timezone: Option<String>,
    language: Option<String>,
    default_model: Option<String>,
    default_temperature: Option<f64>,
    default_max_tokens: Option<i64>,
    theme: Option<String>,
    enable_streaming: Option<bool>,
    max_context_messages: Option<i64>,
    custom_system_message: Option<String>,
    low_balance_alerts: Option<bool>,
    created_at: StoredTime,
    updated_at: StoredTime,
}

impl UserRecord {
    pub(in super::super) fn into_user(self) -> Result<User, DatabaseError> {
        let theme = self.theme.as_deref().map(|name| named(Theme::from_name, name));
        Ok(User {
            id: self.id,
            email: self.email,
            role: self.role,
            display_name: self.display_name,
            avatar_url: self.avatar_url,
            metadata: json(self.metadata)?,
            timezone: self.timezone,
            language: self.language,
            default_model: self.default_model,
            default_temperature: self.default_temperature,
            default_max_tokens: self.default_max_tokens.map(count),
            theme: theme.transpose()?,
            enable_streaming: self.enable_streaming,
            max_context_messages: self
                .max_context_messages
                .map(|stored| u32::try_from(stored).unwrap_or(u32::MAX)),
            custom_system_message: self.custom_system_message,
            low_balance_alerts: self.low_balance_alerts,
            created_at: self.created_at.into(),
            updated_at: self.updated_at.into(),
        })
    }
}
