//! `page` and `limit`, within the bounds that the settings give.

use axum::extract::{FromRef, FromRequestParts};
use http::request::Parts;

use crate::models::common::{Page, PageQuery};
use crate::utils::errors::{ApiError, FieldErrors};

use super::Query;

/// How many items a page has.
#[derive(Debug, Clone, Copy)]
pub struct PageLimits {
    /// `DEFAULT_PAGE_SIZE`.
    pub default: u32,
    /// `MAX_PAGE_SIZE`.
    pub max: u32,
}

impl<S> FromRequestParts<S> for Page
where
    S: Sync,
    PageLimits: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Query(query) = Query::<PageQuery>::from_request_parts(parts, state).await?;
        PageLimits::from_ref(state).page(query)
    }
}

impl PageLimits {
    /// The page that is asked for.
    ///
    /// # Errors
    /// A `VALIDATION_ERROR` if `page` or `limit` is out of bounds.
    pub fn page(self, query: PageQuery) -> Result<Page, ApiError> {
        let page = query.page.unwrap_or(1);
        let limit = query.limit.unwrap_or(self.default);
        let mut errors = FieldErrors::default();
        errors.check(page >= 1, "page", || "must be at least 1".to_owned());
        errors.check((1..=self.max).contains(&limit), "limit", || {
            format!("must be between 1 and {}", self.max)
        });
        errors.into_result()?;
        Ok(Page { page, limit })
    }
}
