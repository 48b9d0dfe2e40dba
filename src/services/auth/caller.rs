//! Who is asking: made once per request, then passed down as a value.

use std::sync::Arc;

use crate::models::ids::{ApiKeyId, UserId};
use crate::models::scope::{Scope, Scopes};

use super::Forbidden;

/// The authenticated caller of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The user that the caller acts for.
    pub user_id: UserId,
    /// The address in the token, if it has one.
    pub email: Option<Arc<str>>,
    /// What the caller may do.
    pub scopes: Scopes,
    /// What the caller was known by.
    pub credential: Credential,
}

/// What a caller was known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credential {
    /// An access token: the user is signed in.
    Token,
    /// An API key of the user.
    ApiKey(ApiKeyId),
}

/// What a route asks of its callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// That they have this scope.
    Scope(Scope),
    /// That they are signed in: API keys are refused, whatever their scopes.
    SignedIn,
}

impl Caller {
    /// A user who is signed in, and may do everything.
    #[must_use]
    pub fn signed_in(user_id: UserId, email: Option<Arc<str>>) -> Self {
        Self {
            user_id,
            email,
            scopes: Scopes::all(),
            credential: Credential::Token,
        }
    }

    /// Whether the caller may do what asks for this.
    ///
    /// # Errors
    /// [`Forbidden`], which says what is missing.
    pub const fn check(&self, access: Access) -> Result<(), Forbidden> {
        match (access, self.credential) {
            (Access::Scope(scope), _) if !self.scopes.contains(scope) => Err(Forbidden::MissingScope(scope)),
            (Access::SignedIn, Credential::ApiKey(_)) => Err(Forbidden::NotWithApiKeys),
            (Access::Scope(_) | Access::SignedIn, _) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_key_is_held_to_its_scopes_and_a_token_to_none() {
        let user = Caller::signed_in(UserId(Uuid::from_u128(1)), None);
        let key = Caller {
            scopes: [Scope::Chat].into_iter().collect(),
            credential: Credential::ApiKey(ApiKeyId(Uuid::from_u128(2))),
            ..user.clone()
        };
        for scope in Scope::ALL {
            let expected = match scope {
                Scope::Chat => Ok(()),
                missing => Err(Forbidden::MissingScope(missing)),
            };
            assert_eq!(key.check(Access::Scope(scope)), expected);
            assert_eq!(user.check(Access::Scope(scope)), Ok(()));
        }
        let almighty = Caller {
            scopes: Scopes::all(),
            ..key
        };
        assert_eq!(almighty.check(Access::SignedIn), Err(Forbidden::NotWithApiKeys));
        assert_eq!(user.check(Access::SignedIn), Ok(()));
    }
}
