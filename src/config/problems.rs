//! What is wrong with the settings, said so that an operator can put it right in one go.

use std::fmt;

/// What stands in for a value that must not be shown.
const REDACTED: &str = "[REDACTED]";

/// The most characters of a given value that a problem repeats.
const MAX_SHOWN_CHARS: usize = 100;

/// One setting that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The name of the setting, or the place of the fault in `.env`.
    pub setting: String,
    /// What was given; `None` if nothing was. Secrets are redacted.
    pub given: Option<String>,
    /// What would have been accepted.
    pub allowed: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.given {
            Some(given) => write!(f, "{}: given {given}; allowed: {}", self.setting, self.allowed),
            None => write!(f, "{}: not given; needed: {}", self.setting, self.allowed),
        }
    }
}

/// Every problem of the settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigErrors {
    problems: Vec<Problem>,
}

impl ConfigErrors {
    pub(super) const fn new(problems: Vec<Problem>) -> Self {
        Self { problems }
    }

    /// The problems, in the order of the settings. Never empty.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problems.len() {
            1 => f.write_str("1 problem in the settings:")?,
            count => write!(f, "{count} problems in the settings:")?,
        }
        for problem in &self.problems {
            write!(f, "\n  {problem}")?;
        }
        Ok(())
    }
}

/// A given value in quotes, on one line and of bounded length; redacted if the setting is secret or if the value
/// looks like a URL with a password.
pub(super) fn shown(text: &str, secret: bool) -> String {
    if secret || text.contains('@') {
        return REDACTED.to_owned();
    }
    let mut start: String = text.chars().take(MAX_SHOWN_CHARS).collect();
    if start.len() < text.len() {
        start.push('…');
    }
    format!("{start:?}")
}
