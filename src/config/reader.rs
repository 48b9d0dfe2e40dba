//! Reads settings one after the other and collects what is wrong, so that no problem hides another.

use std::collections::HashMap;

use super::catalogue::Setting;
use super::problems::{ConfigErrors, Problem, shown};
use super::sections::Notes;
use super::source::Source;
use super::syntax::Syntax;

/// Turns the given texts into values. A value that cannot be used is noted and replaced by the default, so that
/// reading goes on; [`Reader::finish`] then refuses the whole.
pub(super) struct Reader {
    values: HashMap<&'static str, String>,
    problems: Vec<Problem>,
    notes: Notes,
}

impl Reader {
    pub fn new(source: Source) -> Self {
        Self {
            values: source.values,
            problems: source.problems,
            notes: Notes {
                warnings: source.warnings,
                not_yet_effective: Vec::new(),
            },
        }
    }

    /// The value given, or the default where that is a text, or nothing.
    pub fn optional<S: Syntax>(&mut self, setting: &'static Setting<S>) -> Option<S::Value> {
        let default = setting.default_text();
        let text = self.values.get(setting.name).map(String::as_str);
        if setting.later && text.is_some() && text != default {
            self.notes.not_yet_effective.push(setting.name);
        }
        if let Some(text) = text {
            let value = setting.syntax.parse(text);
            if value.is_some() {
                return value;
            }
            self.problems.push(Problem {
                setting: setting.name.to_owned(),
                given: Some(shown(text, S::SECRET)),
                allowed: setting.syntax.allowed(),
            });
        }
        default.and_then(|text| setting.syntax.parse(text))
    }

    /// As [`Reader::optional`], for a setting whose default is a text (a test sees to it that each such text parses)
    /// or that is a list, which is empty unless given.
    pub fn value<S: Syntax>(&mut self, setting: &'static Setting<S>) -> S::Value
    where
        S::Value: Default,
    {
        self.optional(setting).unwrap_or_default()
    }

    /// The text given for a setting, as a problem may show it.
    pub fn given<S: Syntax>(&self, setting: &Setting<S>) -> Option<String> {
        self.values.get(setting.name).map(|text| shown(text, S::SECRET))
    }

    /// Whether none of these settings has a problem yet. A check that compares settings asks this first: a default
    /// that stands in for a bad value must not lead to a second, misleading problem.
    pub fn sound(&self, names: &[&str]) -> bool {
        !self
            .problems
            .iter()
            .any(|problem| names.contains(&problem.setting.as_str()))
    }

    /// Notes a problem that only shows when settings are seen together.
    pub fn refuse<S: Syntax>(&mut self, setting: &Setting<S>, allowed: impl Into<String>) {
        self.problems.push(Problem {
            setting: setting.name.to_owned(),
            given: self.given(setting).or_else(|| {
                setting
                    .default_text()
                    .map(|text| format!("{text:?} (the default)"))
            }),
            allowed: allowed.into(),
        });
    }

    /// Notes something that the operator should know.
    pub fn warn(&mut self, warning: String) {
        self.notes.warnings.push(warning);
    }

    /// What was noted on the way, or every problem.
    pub fn finish(self) -> Result<Notes, ConfigErrors> {
        if self.problems.is_empty() {
            Ok(self.notes)
        } else {
            Err(ConfigErrors::new(self.problems))
        }
    }
}
