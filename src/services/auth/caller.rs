//! Who is asking: made once per request, then passed down as a value.

use std::sync::Arc;

use crate::models::ids::UserId;

/// The authenticated caller of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The user that the caller acts for.
    pub user_id: UserId,
    /// The address in the token, if it has one.
    pub email: Option<Arc<str>>,
}
