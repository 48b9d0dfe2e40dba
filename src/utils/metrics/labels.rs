//! The values of labels: closed lists, and bounds on those that come from outside.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Mutex, PoisonError, RwLock};

/// The label value for what is over a limit, or unknown.
pub(super) const OTHER: &str = "other";

/// Distinct models named in labels; the rest is `other`.
const MODEL_LABEL_LIMIT: usize = 200;

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
    limit: usize,
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

    /// Whether no value is let through.
    pub(super) const fn is_nothing(&self) -> bool {
        self.limit == 0
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

/// Tells whether there is a model of that name.
type IsKnown = Box<dyn Fn(&str) -> bool + Send + Sync>;

/// The labels of models. Whoever asks for models that do not exist must not use up the limit for those that do, so once
/// it is known which there are, no others are named.
pub(super) struct ModelLabels {
    limit: LabelLimit,
    is_known: RwLock<IsKnown>,
}

impl Default for ModelLabels {
    fn default() -> Self {
        Self {
            limit: LabelLimit::new(MODEL_LABEL_LIMIT),
            is_known: RwLock::new(Box::new(|_| true)),
        }
    }
}

impl fmt::Debug for ModelLabels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.limit.fmt(f)
    }
}

impl ModelLabels {
    /// Says which models there are.
    pub(super) fn know(&self, is_known: impl Fn(&str) -> bool + Send + Sync + 'static) {
        *self.is_known.write().unwrap_or_else(PoisonError::into_inner) = Box::new(is_known);
    }

    /// The model itself, or `other`.
    pub(super) fn admit<'a>(&self, model: &'a str) -> &'a str {
        let is_known = self.is_known.read().unwrap_or_else(PoisonError::into_inner);
        if is_known(model) {
            self.limit.admit(model)
        } else {
            OTHER
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_stop_growing() {
        let labels = ModelLabels::default();
        let names = (0..10_000).map(|n| format!("model-{n}"));
        let admitted: HashSet<_> = names.map(|name| labels.admit(&name).to_owned()).collect();
        assert_eq!(admitted.len(), MODEL_LABEL_LIMIT + 1);
        assert_eq!(labels.admit("model-3"), "model-3");
        assert_eq!(labels.admit("model-9999"), OTHER);
    }

    #[test]
    fn models_that_do_not_exist_take_no_place() {
        let labels = ModelLabels::default();
        labels.know(|name| name.starts_with("real-"));
        for n in 0..10_000 {
            assert_eq!(labels.admit(&format!("made-up-{n}")), OTHER);
        }
        assert_eq!(labels.admit("real-1"), "real-1");
    }
}
