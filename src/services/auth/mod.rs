//! Who is asking: from a bearer token to a [`Caller`].
//!
//! - [`Authenticator`]: checks access tokens as Supabase signs them, and remembers the ones it has checked
//! - [`bearer_token`]: finds the token in a request's headers
//! - [`DevelopmentSecret`] and [`DevelopmentToken`]: a signing secret and tokens for an installation that was
//!   given none
//!
//! What a caller may do is not decided here: every store method takes the user it acts for. No token, and no
//! part of one, is ever logged or kept; the cache holds a hash.

mod authenticator;
mod bearer;
mod caller;
mod claims;
mod development;
mod error;
mod failed_attempts;

pub use authenticator::Authenticator;
pub use bearer::bearer_token;
pub use caller::Caller;
pub use development::{DevelopmentSecret, DevelopmentToken, SecretFileError};
pub use error::AuthError;
pub use failed_attempts::FailedAttempts;
