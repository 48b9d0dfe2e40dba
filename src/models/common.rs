//! The envelope of every answer, and pages of lists.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

/// The body of a successful answer.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq, ToSchema)]
pub struct Success<T> {
    /// Always true.
    #[schema(example = true)]
    pub success: bool,
    /// What was asked for.
    pub data: T,
    /// What some lists tell about themselves: counts, filters applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<Map<String, Value>>,
}

impl<T> Success<T> {
    /// An answer without metadata.
    #[must_use]
    pub const fn new(data: T) -> Self {
        Self {
            success: true,
            data,
            metadata: None,
        }
    }

    /// Adds one entry to `metadata`.
    #[must_use]
    pub fn with_metadata(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.metadata
            .get_or_insert_default()
            .insert(name.to_owned(), value.into());
        self
    }
}

/// Which part of a list is wanted. Made within bounds by the `Page` extractor, so that services need not check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Page {
    /// 1 for the first.
    pub page: u32,
    /// Most items on a page; at least 1.
    pub limit: u32,
}

impl Page {
    /// How many items come before this page.
    #[must_use]
    pub fn offset(self) -> u64 {
        u64::from(self.page.saturating_sub(1)) * u64::from(self.limit)
    }
}

/// Which end of a list comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SortOrder {
    /// The smallest, the oldest.
    Asc,
    /// The largest, the newest.
    Desc,
}

/// The query parameters of every list.
#[derive(Debug, Clone, Copy, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// The page, from 1.
    #[param(minimum = 1, default = 1)]
    pub page: Option<u32>,
    /// Items on a page: 1 to `MAX_PAGE_SIZE` (100), else `DEFAULT_PAGE_SIZE` (20).
    #[param(minimum = 1, example = 20)]
    pub limit: Option<u32>,
}

/// One page of a list.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq, ToSchema)]
pub struct PageData<T> {
    /// The items; empty past the end.
    pub items: Vec<T>,
    /// Where this page stands in the list.
    pub pagination: Pagination,
}

impl<T> PageData<T> {
    /// A page of a list that has `total` items in all.
    #[must_use]
    pub fn new(items: Vec<T>, page: Page, total: u64) -> Self {
        Self {
            items,
            pagination: Pagination::new(page, total),
        }
    }
}

/// Where a page stands in its list.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, PartialEq, Eq, ToSchema)]
pub struct Pagination {
    /// This page, from 1.
    pub page: u32,
    /// Most items on a page.
    pub limit: u32,
    /// Items in the whole list.
    pub total: u64,
    /// Pages in the whole list; 0 if it is empty.
    pub pages: u64,
    /// Whether a page with items follows.
    pub has_next: bool,
    /// Whether a page with items comes before.
    pub has_prev: bool,
}

impl Pagination {
    /// The place of `page` in a list of `total` items.
    #[must_use]
    pub fn new(page: Page, total: u64) -> Self {
        let pages = total.div_ceil(u64::from(page.limit.max(1)));
        Self {
            page: page.page,
            limit: page.limit,
            total,
            pages,
            has_next: u64::from(page.page) < pages,
            has_prev: page.page > 1 && pages > 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_pages() {
        let at = |page, total| Pagination::new(Page { page, limit: 20 }, total);
        assert_eq!(
            (at(1, 0).pages, at(1, 0).has_next, at(1, 0).has_prev),
            (0, false, false)
        );
        assert_eq!((at(1, 20).pages, at(1, 20).has_next), (1, false));
        assert_eq!((at(1, 21).pages, at(1, 21).has_next), (2, true));
        assert!(at(9, 21).has_prev && !at(9, 21).has_next, "past the end");
        let far = Page {
            page: u32::MAX,
            limit: u32::MAX,
        };
        assert_eq!(far.offset(), u64::from(u32::MAX - 1) * u64::from(u32::MAX));
    }

    #[test]
    fn leaves_out_absent_metadata() {
        let plain = serde_json::to_string(&Success::new(1)).expect("json");
        assert_eq!(plain, r#"{"success":true,"data":1}"#);
        let told = serde_json::to_string(&Success::new(1).with_metadata("count", 3)).expect("json");
        assert_eq!(told, r#"{"success":true,"data":1,"metadata":{"count":3}}"#);
    }
}
