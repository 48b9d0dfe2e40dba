//! What users do with their keys: requests are checked, and what was done is counted and told.

use chrono::{DateTime, Datelike as _, SubsecRound as _, Utc};

use super::secret::NewSecret;
use super::{ApiKeyChanges, ApiKeyError, ApiKeyParts, ApiKeyVerifier, NewApiKey};
use crate::models::api_key::{
    ApiKey, CreateApiKeyRequest, CreatedApiKey, DeletedApiKey, UpdateApiKeyRequest,
};
use crate::models::common::Page;
use crate::models::ids::{ApiKeyId, UserId};
use crate::models::scope::Scope;
use crate::services::auth::Caller;
use crate::utils::errors::{ApiError, ErrorCode, FieldErrors};
use crate::utils::validation::{YEARS, check_length, check_printable};

/// Keys that a user may have, expired and inactive ones included, revoked ones not.
pub const MAX_KEYS_PER_USER: u32 = 50;

/// Characters of a key's name.
const MAX_NAME_CHARS: usize = 100;

/// Making, listing, changing and revoking API keys.
pub struct ApiKeyService {
    parts: ApiKeyParts,
    verifier: ApiKeyVerifier,
}

impl ApiKeyService {
    /// A service for keys, and who verifies them: one, since it has to hear of changes.
    #[must_use]
    pub fn new(parts: ApiKeyParts) -> Self {
        Self {
            verifier: ApiKeyVerifier::new(parts.clone()),
            parts,
        }
    }

    /// Who verifies keys.
    #[must_use]
    pub const fn verifier(&self) -> &ApiKeyVerifier {
        &self.verifier
    }

    /// Makes a key of the caller, which is shown whole this once.
    ///
    /// # Errors
    /// A field out of bounds, [`MAX_KEYS_PER_USER`], keys that are switched off, or a failing database.
    pub async fn create(
        &self,
        caller: &Caller,
        request: CreateApiKeyRequest,
    ) -> Result<CreatedApiKey, ApiError> {
        self.require_enabled()?;
        let now = self.parts.clock.now();
        let mut errors = FieldErrors::default();
        check_name(&mut errors, &request.name);
        check_scopes(&mut errors, &request.scopes);
        if let Some(expires_at) = request.expires_at {
            check_expiry(&mut errors, expires_at, now);
        }
        errors.into_result()?;
        let secret = NewSecret::generate().map_err(ApiKeyError::from)?;
        let new = NewApiKey {
            id: ApiKeyId::new(&self.parts.clock),
            name: request.name,
            public_id: secret.public_id,
            hash: secret.hash,
            scopes: request.scopes.into_iter().collect(),
            expires_at: request.expires_at.map(|at| at.trunc_subsecs(3)),
            created_at: now,
        };
        let shown = self.parts.records.create(caller, new, MAX_KEYS_PER_USER).await?;
        self.tell("created", "api_key_created", caller.user_id, shown.id);
        Ok(CreatedApiKey {
            shown,
            key: secret.key,
        })
    }

    /// One page of a user's keys, the oldest first, and how many there are.
    ///
    /// # Errors
    /// Keys that are switched off, or a failing database.
    pub async fn list(&self, user: UserId, page: Page) -> Result<(Vec<ApiKey>, u64), ApiError> {
        self.require_enabled()?;
        // All of them are few: see `MAX_KEYS_PER_USER`.
        let all = self.parts.records.list(user).await.map_err(ApiKeyError::from)?;
        let total = all.len() as u64;
        let skipped = usize::try_from(page.offset()).unwrap_or(usize::MAX);
        let items = all.into_iter().skip(skipped).take(page.limit as usize);
        Ok((items.collect(), total))
    }

    /// Changes a key. What was changed holds at once here, and in all other instances within five seconds.
    ///
    /// # Errors
    /// A field out of bounds or no field at all, if there is no such key, keys are switched off, or the database fails.
    pub async fn update(
        &self,
        user: UserId,
        id: ApiKeyId,
        request: UpdateApiKeyRequest,
    ) -> Result<ApiKey, ApiError> {
        self.require_enabled()?;
        check_changes(&request).into_result()?;
        let changes = ApiKeyChanges {
            name: request.name,
            scopes: request.scopes.map(|scopes| scopes.into_iter().collect()),
            is_active: request.is_active,
        };
        let changed = self.parts.records.update(user, id, changes).await;
        let changed = changed.map_err(ApiKeyError::from)?.ok_or(ApiKeyError::NotFound)?;
        self.verifier.forget(&changed).await;
        self.count("updated");
        Ok(changed)
    }

    /// Revokes a key for good: at once here, and in all other instances within five seconds.
    ///
    /// # Errors
    /// If there is no such key, keys are switched off, or the database fails.
    pub async fn revoke(&self, user: UserId, id: ApiKeyId) -> Result<DeletedApiKey, ApiError> {
        self.require_enabled()?;
        let revoked = self.parts.records.revoke(user, id).await;
        let revoked = revoked.map_err(ApiKeyError::from)?.ok_or(ApiKeyError::NotFound)?;
        self.verifier.forget(&revoked).await;
        self.tell("revoked", "api_key_revoked", user, id);
        Ok(DeletedApiKey { id, deleted: true })
    }

    fn require_enabled(&self) -> Result<(), ApiError> {
        if self.parts.enabled {
            return Ok(());
        }
        Err(ApiError::new(
            ErrorCode::FeatureDisabled,
            "The operator has switched this off (ENABLE_USER_API_KEYS).",
        ))
    }

    fn count(&self, operation: &'static str) {
        self.parts.metrics.api_keys.with_label_values(&[operation]).inc();
    }

    /// Counts something that was done, and tells of it.
    fn tell(&self, operation: &'static str, event: &'static str, user: UserId, key: ApiKeyId) {
        self.count(operation);
        tracing::info!(event, user_id = %user, api_key_id = %key, "business_event");
    }
}

fn check_name(errors: &mut FieldErrors, name: &str) {
    check_length(errors, "name", name, 1, MAX_NAME_CHARS);
    check_printable(errors, "name", name);
}

fn check_scopes(errors: &mut FieldErrors, scopes: &[Scope]) {
    errors.check(!scopes.is_empty(), "scopes", || {
        let names = Scope::ALL.map(|scope| format!("`{scope}`")).join(", ");
        format!("must list at least one of {names}")
    });
}

fn check_expiry(errors: &mut FieldErrors, expires_at: DateTime<Utc>, now: DateTime<Utc>) {
    errors.check(expires_at > now, "expires_at", || {
        "must be a time to come".to_owned()
    });
    errors.check(expires_at.year() <= *YEARS.end(), "expires_at", || {
        format!("must be before the year {}", YEARS.end() + 1)
    });
}

fn check_changes(request: &UpdateApiKeyRequest) -> FieldErrors {
    let mut errors = FieldErrors::default();
    if let Some(name) = &request.name {
        check_name(&mut errors, name);
    }
    if let Some(scopes) = &request.scopes {
        check_scopes(&mut errors, scopes);
    }
    errors.check(!request.is_empty(), "body", || {
        "must have at least one of `name`, `scopes` and `is_active`".to_owned()
    });
    errors
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::utils::clock::Clock;

    fn is_valid(check: impl FnOnce(&mut FieldErrors)) -> bool {
        let mut errors = FieldErrors::default();
        check(&mut errors);
        errors.into_result().is_ok()
    }

    #[test]
    fn fields_have_bounds() {
        for (name, expected) in [
            (String::new(), false),
            ("é".repeat(100), true),
            ("é".repeat(101), false),
            ("a".repeat(10_000), false),
            ("a\u{7}".to_owned(), false),
        ] {
            assert_eq!(is_valid(|errors| check_name(errors, &name)), expected, "{name}");
        }
        assert!(is_valid(|errors| check_scopes(errors, &[Scope::Chat])));
        assert!(!is_valid(|errors| check_scopes(errors, &[])));
        let now = Clock::system().now();
        for (expires_at, expected) in [
            (now + TimeDelta::milliseconds(1), true),
            (now, false),
            (now - TimeDelta::days(1), false),
            (DateTime::<Utc>::MAX_UTC, false),
        ] {
            let valid = is_valid(|errors| check_expiry(errors, expires_at, now));
            assert_eq!(valid, expected, "{expires_at}");
        }
    }

    #[test]
    fn a_key_is_changed_by_something() {
        let is_valid = |json: &str| {
            let request = serde_json::from_str(json).expect("a request");
            check_changes(&request).into_result().is_ok()
        };
        assert!(!is_valid("{}") && !is_valid(r#"{"expires_at":null}"#));
        assert!(!is_valid(r#"{"name":""}"#) && !is_valid(r#"{"scopes":[]}"#));
        assert!(is_valid(r#"{"is_active":true}"#) && is_valid(r#"{"scopes":["chat"]}"#));
    }
}
