//! Who is asking: from a bearer token to a [`Caller`].
//!
//! - [`Presented`]: the credentials in a request's headers, a token or an API key
//! - [`Authenticator`]: checks access tokens as Supabase signs them, and remembers the ones it has checked; API keys are
//!   checked by [`services::api_keys`](crate::services::api_keys)
//! - [`Access`]: what a route asks of its callers, and [`Forbidden`] why they are refused
//! - [`DevelopmentSecret`] and [`DevelopmentToken`]: a signing secret and tokens for an installation that was
//!   given none
//!
//! What a caller may see is not decided here: every store method takes the user it acts for. No token, and no
//! part of one, is ever logged or kept; the cache holds a hash.

mod authenticator;
mod caller;
mod claims;
mod development;
mod error;
mod failed_attempts;
mod presented;

pub use authenticator::Authenticator;
pub use caller::{Access, Caller, Credential};
pub use development::{DevelopmentSecret, DevelopmentToken, SecretFileError};
pub use error::{AuthError, AuthFailure, Forbidden};
pub use failed_attempts::FailedAttempts;
pub use presented::{API_KEY_PREFIX, Presented, bearer_token};
