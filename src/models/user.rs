//! Users as the API shows and takes them: who they are, and what they prefer.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::ids::UserId;
use super::money::Money;
use crate::utils::patch::nullable;

/// How a frontend looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Theme {
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
    /// As the device is set.
    #[default]
    System,
}

impl Theme {
    /// The name, as stored and as shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
            Self::System => "system",
        }
    }

    /// The theme of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Light, Self::Dark, Self::System]
            .into_iter()
            .find(|theme| theme.as_str() == name)
    }
}

/// Whether a user may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum AccountStatus {
    /// The user may.
    Active,
    /// An operator has suspended the account.
    Suspended,
}

/// A user's profile.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Profile {
    /// Whose it is.
    pub id: UserId,
    /// As the last access token said that had one.
    #[schema(example = "ada@example.com")]
    pub email: Option<String>,
    /// What the user wants to be called.
    #[schema(example = "Ada")]
    pub display_name: Option<String>,
    /// Where a picture of the user is.
    pub avatar_url: Option<String>,
    /// An IANA time zone; null: times are in UTC.
    #[schema(example = "Europe/Vienna")]
    pub timezone: Option<String>,
    /// A BCP 47 language tag.
    #[schema(example = "de-AT")]
    pub language: Option<String>,
    /// What the operator calls the user.
    #[schema(example = "user")]
    pub role: String,
    /// The model that answers where neither the request nor the conversation names one; null: `DEFAULT_MODEL`.
    pub default_model: Option<String>,
    /// Sent to the model where the request has none; null: nothing is sent.
    pub default_temperature: Option<f64>,
    /// Sent to the model where the request has none; null: `DEFAULT_MAX_TOKENS`.
    pub default_max_tokens: Option<u64>,
    /// Whether the user may come.
    pub status: AccountStatus,
    /// What was spent in all, in US dollars.
    #[schema(value_type = f64, example = 0.7)]
    pub spend: Money,
    /// What may be spent in all; null: as much as the user likes.
    #[schema(value_type = Option<f64>, example = 10.0)]
    pub max_budget: Option<Money>,
    /// What is left: neither spent nor reserved for answers that are being written; null: as much as the user likes.
    #[schema(value_type = Option<f64>, example = 9.3)]
    pub available_balance: Option<Money>,
    /// Whatever frontends keep here.
    #[schema(value_type = Object)]
    pub metadata: Box<RawValue>,
    /// When the service first heard of the user.
    pub created_at: DateTime<Utc>,
    /// When any of this, or of the preferences, last changed.
    pub updated_at: DateTime<Utc>,
}

/// What changes in a profile: at least one field. What is absent stays, null empties. Other fields are refused.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"display_name": "Ada", "timezone": "Europe/Vienna"}))]
pub struct UpdateProfileRequest {
    /// 1 to 100 characters.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 100)]
    pub display_name: Option<Option<String>>,
    /// An http or https URL of at most 2,000 characters.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>, max_length = 2000)]
    pub avatar_url: Option<Option<String>>,
    /// An IANA time zone.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>, example = "Europe/Vienna")]
    pub timezone: Option<Option<String>>,
    /// A BCP 47 language tag.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>, example = "de-AT")]
    pub language: Option<Option<String>>,
    /// 1 to 100 characters.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 100)]
    pub default_model: Option<Option<String>>,
    /// 0 to `MAX_TEMPERATURE` (2).
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<f64>, minimum = 0)]
    pub default_temperature: Option<Option<f64>>,
    /// 1 to `MAX_OUTPUT_TOKENS` (32,768).
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<u64>, minimum = 1)]
    pub default_max_tokens: Option<Option<u64>>,
    /// An object of at most 10,000 bytes, which takes the place of the old one as a whole.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<Option<Box<RawValue>>>,
}

/// What a user prefers. What the profile has too is the same there.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Preferences {
    /// How frontends look.
    pub theme: Theme,
    /// A BCP 47 language tag.
    #[schema(example = "de-AT")]
    pub language: Option<String>,
    /// An IANA time zone; null: times are in UTC.
    #[schema(example = "Europe/Vienna")]
    pub timezone: Option<String>,
    /// The model that answers where neither the request nor the conversation names one; null: `DEFAULT_MODEL`.
    pub default_model: Option<String>,
    /// Sent to the model where the request has none; null: nothing is sent.
    pub default_temperature: Option<f64>,
    /// Sent to the model where the request has none; null: `DEFAULT_MAX_TOKENS`.
    pub default_max_tokens: Option<u64>,
    /// Whether answers are streamed where the request does not say.
    pub enable_streaming: bool,
    /// The newest messages that the model is sent; null: `MAX_CONTEXT_MESSAGES`, which is also the most.
    pub max_context_messages: Option<u32>,
    /// What the model is told first where neither the request nor the conversation says anything.
    pub custom_system_message: Option<String>,
    /// Whether frontends warn when the balance is low.
    pub low_balance_alerts: bool,
}

/// What changes in the preferences: at least one field. What is absent stays, null is the default again. Other fields are
/// refused.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"theme": "dark", "default_temperature": 0.4}))]
pub struct UpdatePreferencesRequest {
    /// Null: `system`.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<Theme>)]
    pub theme: Option<Option<Theme>>,
    /// A BCP 47 language tag.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>, example = "de-AT")]
    pub language: Option<Option<String>>,
    /// An IANA time zone.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>, example = "Europe/Vienna")]
    pub timezone: Option<Option<String>>,
    /// 1 to 100 characters.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 100)]
    pub default_model: Option<Option<String>>,
    /// 0 to `MAX_TEMPERATURE` (2).
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<f64>, minimum = 0)]
    pub default_temperature: Option<Option<f64>>,
    /// 1 to `MAX_OUTPUT_TOKENS` (32,768).
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<u64>, minimum = 1)]
    pub default_max_tokens: Option<Option<u64>>,
    /// Null: true.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<bool>)]
    pub enable_streaming: Option<Option<bool>>,
    /// 1 to `MAX_CONTEXT_MESSAGES` (100).
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<u32>, minimum = 1)]
    pub max_context_messages: Option<Option<u32>>,
    /// At most 8,000 characters.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>, max_length = 8000)]
    pub custom_system_message: Option<Option<String>>,
    /// Null: true.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<bool>)]
    pub low_balance_alerts: Option<Option<bool>>,
}
