//! The values of labels: closed lists, and limits on those that are not.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

/// The label value for what is over a limit.
pub(super) const OTHER: &str = "other";

/// Why a request was refused before any work was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejection {
    /// Not signed in.
    Auth,
    /// The API key may not be used for this.
    Scope,
    /// A field is not valid, or the body is not JSON.
    Validation,
    /// Too many requests or streams of one caller.
    RateLimit,
    /// Too many requests in all.
    Overload,
    /// The body is too large.
    TooLarge,
}

impl Rejection {
    /// All reasons.
    pub const ALL: &'static [Self] = &[
        Self::Auth,
        Self::Scope,
        Self::Validation,
        Self::RateLimit,
        Self::Overload,
        Self::TooLarge,
    ];

    /// The label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Scope => "scope",
            Self::Validation => "validation",
            Self::RateLimit => "rate_limit",
            Self::Overload => "overload",
            Self::TooLarge => "too_large",
        }
    }
}

/// Lets the first `limit` distinct values of a label through and calls the rest `other`.
#[derive(Debug)]
pub struct LabelLimit {
    pub(super) limit: usize,
    seen: Mutex<HashSet<Box<str>>>,
}

impl LabelLimit {
    /// A limit on distinct values.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            seen: Mutex::new(HashSet::new()),
        }
    }

    /// The value itself, or `other` once the limit is used up by other values.
    pub fn admit<'a>(&self, value: &'a str) -> &'a str {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.contains(value) {
            return value;
        }
        if seen.len() >= self.limit {
            return OTHER;
        }
        seen.insert(value.into());
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_stop_growing() {
        let limit = LabelLimit::new(100);
        for n in 0..10_000 {
            limit.admit(&format!("model-{n}"));
        }
        assert_eq!(limit.admit("model-3"), "model-3");
        assert_eq!(limit.admit("model-9999"), OTHER);
    }
}
