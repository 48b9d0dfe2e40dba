//! Where users are kept.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::models::ids::UserId;
use crate::models::user::{
    AccountStatus, Preferences, Profile, Theme, UpdatePreferencesRequest, UpdateProfileRequest,
};
use crate::services::auth::Caller;
use crate::services::billing::Account;
use crate::utils::database::DatabaseError;

/// All that is kept of a user: the profile and the preferences. What the user has not said is `None`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct User {
    /// The `sub` of their tokens.
    pub id: UserId,
    /// As the last token said that had one.
    pub email: Option<String>,
    /// What the operator calls them.
    pub role: String,
    /// What they want to be called.
    pub display_name: Option<String>,
    /// Where a picture of them is.
    pub avatar_url: Option<String>,
    /// An object.
    pub metadata: Box<RawValue>,
    /// An IANA time zone.
    pub timezone: Option<String>,
    /// A BCP 47 language tag.
    pub language: Option<String>,
    /// The model that answers.
    pub default_model: Option<String>,
    /// How freely it answers.
    pub default_temperature: Option<f64>,
    /// How many tokens it may write.
    pub default_max_tokens: Option<u64>,
    /// How frontends look.
    pub theme: Option<Theme>,
    /// Whether answers are streamed.
    pub enable_streaming: Option<bool>,
    /// How many messages it is sent.
    pub max_context_messages: Option<u32>,
    /// What it is told first.
    pub custom_system_message: Option<String>,
    /// Whether frontends warn when the balance is low.
    pub low_balance_alerts: Option<bool>,
    /// When they were first heard of.
    pub created_at: DateTime<Utc>,
    /// When any of this last changed.
    pub updated_at: DateTime<Utc>,
}

/// What changes of a user; what is `None` stays, what is `Some(None)` is emptied.
#[derive(Debug, Clone, Default)]
pub struct UserChanges {
    pub(super) display_name: Option<Option<String>>,
    pub(super) avatar_url: Option<Option<String>>,
    pub(super) metadata: Option<Option<Box<RawValue>>>,
    pub(super) timezone: Option<Option<String>>,
    pub(super) language: Option<Option<String>>,
    pub(super) default_model: Option<Option<String>>,
    pub(super) default_temperature: Option<Option<f64>>,
    pub(super) default_max_tokens: Option<Option<u64>>,
    pub(super) theme: Option<Option<Theme>>,
    pub(super) enable_streaming: Option<Option<bool>>,
    pub(super) max_context_messages: Option<Option<u32>>,
    pub(super) custom_system_message: Option<Option<String>>,
    pub(super) low_balance_alerts: Option<Option<bool>>,
}

/// Where users are kept. Several instances may work on it at once.
#[async_trait]
pub trait ProfileStore: Send + Sync + 'static {
    /// A user; `None` if nothing was ever heard of them.
    ///
    /// # Errors
    /// A failing store.
    async fn find(&self, user: UserId) -> Result<Option<User>, DatabaseError>;

    /// The caller, who becomes known with this, and whose address is that of their token, if it has one.
    ///
    /// # Errors
    /// A failing store.
    async fn provision(&self, caller: &Caller) -> Result<User, DatabaseError>;

    /// Changes the caller, who becomes known with this.
    ///
    /// # Errors
    /// A failing store.
    async fn update(&self, caller: &Caller, changes: UserChanges) -> Result<User, DatabaseError>;
}

impl User {
    /// Changes what is to be changed.
    pub fn apply(&mut self, changes: UserChanges, now: DateTime<Utc>) {
        let UserChanges {
            display_name,
            avatar_url,
            metadata,
            timezone,
            language,
            default_model,
            default_temperature,
            default_max_tokens,
            theme,
            enable_streaming,
            max_context_messages,
            custom_system_message,
            low_balance_alerts,
        } = changes;
        set(&mut self.display_name, display_name);
        set(&mut self.avatar_url, avatar_url);
        set(&mut self.timezone, timezone);
        set(&mut self.language, language);
        set(&mut self.default_model, default_model);
        set(&mut self.default_temperature, default_temperature);
        set(&mut self.default_max_tokens, default_max_tokens);
        set(&mut self.theme, theme);
        set(&mut self.enable_streaming, enable_streaming);
        set(&mut self.max_context_messages, max_context_messages);
        set(&mut self.custom_system_message, custom_system_message);
        set(&mut self.low_balance_alerts, low_balance_alerts);
        if let Some(metadata) = metadata {
            self.metadata = metadata.unwrap_or_else(empty_object);
        }
        self.updated_at = now;
    }
}

impl UserChanges {
    /// Whether nothing changes.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.display_name.is_none()
            && self.avatar_url.is_none()
            && self.metadata.is_none()
            && self.timezone.is_none()
            && self.language.is_none()
            && self.default_model.is_none()
            && self.default_temperature.is_none()
            && self.default_max_tokens.is_none()
            && self.theme.is_none()
            && self.enable_streaming.is_none()
            && self.max_context_messages.is_none()
            && self.custom_system_message.is_none()
            && self.low_balance_alerts.is_none()
    }
}

fn set<T>(field: &mut Option<T>, change: Option<Option<T>>) {
    if let Some(value) = change {
        *field = value;
    }
}

fn empty_object() -> Box<RawValue> {
    // What an empty map is written as is an object.
    serde_json::value::to_raw_value(&serde_json::Map::new()).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

impl User {
    /// The profile of the user who has this account.
    pub(super) fn into_profile(self, account: &Account) -> Profile {
        let user = self;
        Profile {
            status: if account.is_suspended {
                AccountStatus::Suspended
            } else {
                AccountStatus::Active
            },
            spend: account.spend,
            max_budget: account.max_budget,
            available_balance: account.available(),
            id: user.id,
            email: user.email,
            display_name: user.display_name,
            avatar_url: user.avatar_url,
            timezone: user.timezone,
            language: user.language,
            role: user.role,
            default_model: user.default_model,
            default_temperature: user.default_temperature,
            default_max_tokens: user.default_max_tokens,
            metadata: user.metadata,
            created_at: user.created_at,
            updated_at: user.updated_at,
        }
    }
}

impl From<User> for Preferences {
    fn from(user: User) -> Self {
        Self {
            theme: user.theme.unwrap_or_default(),
            language: user.language,
            timezone: user.timezone,
            default_model: user.default_model,
            default_temperature: user.default_temperature,
            default_max_tokens: user.default_max_tokens,
            enable_streaming: user.enable_streaming.unwrap_or(true),
            max_context_messages: user.max_context_messages,
            custom_system_message: user.custom_system_message,
            low_balance_alerts: user.low_balance_alerts.unwrap_or(true),
        }
    }
}

impl From<UpdateProfileRequest> for UserChanges {
    fn from(request: UpdateProfileRequest) -> Self {
        Self {
            display_name: request.display_name,
            avatar_url: request.avatar_url,
            metadata: request.metadata,
            timezone: request.timezone,
            language: request.language,
            default_model: request.default_model,
            default_temperature: request.default_temperature,
            default_max_tokens: request.default_max_tokens,
            ..Self::default()
        }
    }
}

impl From<UpdatePreferencesRequest> for UserChanges {
    fn from(request: UpdatePreferencesRequest) -> Self {
        Self {
            theme: request.theme,
            language: request.language,
            timezone: request.timezone,
            default_model: request.default_model,
            default_temperature: request.default_temperature,
            default_max_tokens: request.default_max_tokens,
            enable_streaming: request.enable_streaming,
            max_context_messages: request.max_context_messages,
            custom_system_message: request.custom_system_message,
            low_balance_alerts: request.low_balance_alerts,
            ..Self::default()
        }
    }
}
