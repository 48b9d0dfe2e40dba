//! What users read and change of themselves.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono_tz::Tz;
use tokio::time::timeout;

use super::{AnswerDefaults, ProfileStore, User, UserChanges, UserLimits, checks};
use crate::models::ids::UserId;
use crate::models::user::{Preferences, Profile, UpdatePreferencesRequest, UpdateProfileRequest};
use crate::services::auth::Caller;
use crate::services::billing::{Account, Billing};
use crate::services::conversations::StoreError;
use crate::utils::errors::{ApiError, FieldErrors};
use crate::utils::metrics::Metrics;

/// How long a chat waits for the preferences of its user.
const PREFERENCES_WITHIN: Duration = Duration::from_secs(1);

/// What not knowing them is called in `best_effort_failures_total`.
const PREFERENCES: &str = "chat_preferences";

/// Whoever knows what users may spend.
#[async_trait]
pub trait Accounts: Send + Sync + 'static {
    /// The account of a user.
    ///
    /// # Errors
    /// A failing database.
    async fn account(&self, user: UserId) -> Result<Account, ApiError>;
}

#[async_trait]
impl Accounts for Billing {
    async fn account(&self, user: UserId) -> Result<Account, ApiError> {
        Self::account(self, user).await
    }
}

/// What the service of users works with.
pub struct UserParts {
    /// What they may spend.
    pub accounts: Arc<dyn Accounts>,
    /// Where users are kept.
    pub profiles: Arc<dyn ProfileStore>,
    /// What their preferences may ask for.
    pub limits: UserLimits,
    /// The metrics.
    pub metrics: Arc<Metrics>,
}

/// Profiles and preferences.
pub struct UserService {
    parts: UserParts,
}

impl UserService {
    /// A service for users.
    #[must_use]
    pub const fn new(parts: UserParts) -> Self {
        Self { parts }
    }

    /// The caller's profile. Who was not known is from now on.
    ///
    /// # Errors
    /// A failing store.
    pub async fn profile(&self, caller: &Caller) -> Result<Profile, ApiError> {
        let user = self.user(caller).await?;
        self.with_account(user).await
    }

    /// Changes the caller's profile.
    ///
    /// # Errors
    /// A field out of bounds or no field at all, or a failing store.
    pub async fn update_profile(
        &self,
        caller: &Caller,
        request: UpdateProfileRequest,
    ) -> Result<Profile, ApiError> {
        let user = self.update(caller, request.into()).await?;
        self.with_account(user).await
    }

    async fn with_account(&self, user: User) -> Result<Profile, ApiError> {
        let account = self.parts.accounts.account(user.id).await?;
        Ok(user.into_profile(&account))
    }

    /// The caller's preferences.
    ///
    /// # Errors
    /// A failing store.
    pub async fn preferences(&self, caller: &Caller) -> Result<Preferences, ApiError> {
        Ok(self.user(caller).await?.into())
    }

    /// Changes the caller's preferences.
    ///
    /// # Errors
    /// A field out of bounds or no field at all, or a failing store.
    pub async fn update_preferences(
        &self,
        caller: &Caller,
        request: UpdatePreferencesRequest,
    ) -> Result<Preferences, ApiError> {
        Ok(self.update(caller, request.into()).await?.into())
    }

    /// What the user prefers where a chat says nothing. Whoever cannot be asked in time prefers nothing: no chat fails for
    /// it.
    pub async fn answer_defaults(&self, user: UserId) -> AnswerDefaults {
        let found = timeout(PREFERENCES_WITHIN, self.parts.profiles.find(user)).await;
        let reason = match found {
            Ok(Ok(found)) => {
                return found
                    .map(|user| AnswerDefaults::of(user, &self.parts.limits))
                    .unwrap_or_default();
            }
            Ok(Err(error)) => error.summary(),
            Err(_) => "no answer in time".to_owned(),
        };
        let failures = &self.parts.metrics.best_effort_failures;
        failures.with_label_values(&[PREFERENCES]).inc();
        tracing::warn!(reason, "a chat goes on without the preferences of its user");
        AnswerDefaults::default()
    }

    /// The time zone that is asked for in the parameter `timezone`, else that of the caller, else UTC.
    ///
    /// # Errors
    /// A name that is none, or a failing store.
    pub async fn timezone(&self, caller: &Caller, requested: Option<&str>) -> Result<Tz, ApiError> {
        if let Some(name) = requested {
            let mut errors = FieldErrors::default();
            let zone = checks::parse_timezone(&mut errors, "timezone", name);
            errors.into_result()?;
            return Ok(zone.unwrap_or(Tz::UTC));
        }
        let name = self.user(caller).await?.timezone;
        // One that a later release of the IANA's database has dropped is as good as none.
        Ok(name.and_then(|name| name.parse().ok()).unwrap_or(Tz::UTC))
    }

    async fn user(&self, caller: &Caller) -> Result<User, ApiError> {
        let user = self.parts.profiles.provision(caller).await;
        Ok(user.map_err(StoreError::from)?)
    }

    async fn update(&self, caller: &Caller, changes: UserChanges) -> Result<User, ApiError> {
        let mut errors = checks::check(&changes, &self.parts.limits);
        errors.check(!changes.is_empty(), "body", || {
            "must have at least one field that can be changed".to_owned()
        });
        errors.into_result()?;
        let changed = self.parts.profiles.update(caller, changes).await;
        Ok(changed.map_err(StoreError::from)?)
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use uuid::Uuid;

    use super::*;
    use crate::utils::database::DatabaseError;

    /// A store that fails, or does not even do that.
    struct Broken {
        hangs: bool,
    }

    #[async_trait]
    impl ProfileStore for Broken {
        async fn find(&self, _: UserId) -> Result<Option<User>, DatabaseError> {
            if self.hangs {
                return pending().await;
            }
            Err(DatabaseError::TimedOut)
        }

        async fn provision(&self, _: &Caller) -> Result<User, DatabaseError> {
            Err(DatabaseError::TimedOut)
        }

        async fn update(&self, _: &Caller, _: UserChanges) -> Result<User, DatabaseError> {
            Err(DatabaseError::TimedOut)
        }
    }

    #[async_trait]
    impl Accounts for Broken {
        async fn account(&self, _: UserId) -> Result<Account, ApiError> {
            Err(StoreError::from(DatabaseError::TimedOut).into())
        }
    }

    #[tokio::test]
    async fn no_chat_fails_or_waits_for_preferences() {
        for hangs in [false, true] {
            let metrics = Arc::new(Metrics::new(0).expect("families"));
            let users = UserService::new(UserParts {
                accounts: Arc::new(Broken { hangs }),
                profiles: Arc::new(Broken { hangs }),
                limits: UserLimits {
                    temperature: 2.0,
                    output_tokens: 100,
                    context_messages: 10,
                },
                metrics: metrics.clone(),
            });
            let defaults = users.answer_defaults(UserId(Uuid::from_u128(1))).await;
            assert_eq!(defaults, AnswerDefaults::default());
            let failures = metrics.best_effort_failures.with_label_values(&[PREFERENCES]);
            assert_eq!(failures.get(), 1);
        }
    }
}
