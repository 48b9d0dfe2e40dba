//! The models as they were found at one time.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};

use super::merge;
use super::sources::Gathered;
use crate::models::model::{ModelInfo, RefreshReport};

/// What stands for any text in a pattern.
const ANY: char = '*';

/// All models, in the order of their ids.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    models: Vec<ModelInfo>,
    places: HashMap<String, usize>,
    /// The longest pattern first, since it says most.
    patterns: Vec<Gathered>,
    found_at: DateTime<Utc>,
}

impl Snapshot {
    /// The models of what was gathered. Names with a `*` are patterns, and no models.
    pub(super) fn new(gathered: Vec<Gathered>, found_at: DateTime<Utc>) -> Self {
        let (mut patterns, named): (Vec<_>, Vec<_>) = gathered
            .into_iter()
            .partition(|gathered| gathered.facts.id.contains(ANY));
        patterns.sort_by_key(|pattern| std::cmp::Reverse(pattern.facts.id.len()));
        let today = found_at.date_naive();
        let mut models: Vec<_> = named
            .iter()
            .map(|gathered| merge::model(gathered, today))
            .collect();
        models.sort_by(|one, other| one.id.cmp(&other.id));
        let places = models
            .iter()
            .enumerate()
            .map(|(at, model)| (model.id.clone(), at));
        Self {
            places: places.collect(),
            models,
            patterns,
            found_at,
        }
    }

    /// All models that have names of their own.
    pub(super) fn models(&self) -> &[ModelInfo] {
        &self.models
    }

    /// The patterns of other names that the model server takes.
    pub(super) fn patterns(&self) -> impl Iterator<Item = &str> {
        self.patterns.iter().map(|pattern| pattern.facts.id.as_str())
    }

    /// When they were found.
    pub(super) const fn found_at(&self) -> DateTime<Utc> {
        self.found_at
    }

    /// The model of this name: one that is listed, or one that a pattern covers.
    pub(super) fn find(&self, id: &str) -> Option<Cow<'_, ModelInfo>> {
        match self.places.get(id) {
            Some(at) => self.models.get(*at).map(Cow::Borrowed),
            None => self.covered(id).map(Cow::Owned),
        }
    }

    /// Whether there is a model of this name.
    pub(super) fn has(&self, id: &str) -> bool {
        self.places.contains_key(id) || self.patterns().any(|pattern| covers(pattern, id))
    }

    /// What has changed since `before`.
    pub(super) fn changes_since(&self, before: Option<&Self>) -> RefreshReport {
        let ids = |snapshot: &Self| -> HashSet<String> { snapshot.places.keys().cloned().collect() };
        let (now, before) = (ids(self), before.map(ids).unwrap_or_default());
        RefreshReport {
            models: now.len(),
            added: now.difference(&before).count(),
            removed: before.difference(&now).count(),
        }
    }

    /// A model that only a pattern speaks of. What is well known of it is known.
    fn covered(&self, id: &str) -> Option<ModelInfo> {
        let pattern = self
            .patterns
            .iter()
            .find(|pattern| covers(&pattern.facts.id, id))?;
        let mut gathered = pattern.clone();
        id.clone_into(&mut gathered.facts.id);
        let mut model = merge::model(&gathered, self.found_at.date_naive());
        model.metadata.wildcard = Some(pattern.facts.id.clone());
        Some(model)
    }
}

/// A model that no server has listed: what is well known of it.
pub(super) fn unlisted(id: &str, now: DateTime<Utc>) -> ModelInfo {
    let mut gathered = Gathered::default();
    id.clone_into(&mut gathered.facts.id);
    merge::model(&gathered, now.date_naive())
}

/// Whether a pattern covers a name: each `*` in it stands for any text, an empty one too. The name must not be a pattern.
fn covers(pattern: &str, name: &str) -> bool {
    let Some((head, rest)) = pattern.split_once(ANY) else {
        return pattern == name;
    };
    let Some(mut left) = name.strip_prefix(head).filter(|_| !name.contains(ANY)) else {
        return false;
    };
    let mut parts: Vec<&str> = rest.split(ANY).collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        match left.split_once(part) {
            Some((_, behind)) => left = behind,
            None => return false,
        }
    }
    left.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::llm::ModelFacts;

    fn snapshot(ids: &[&str]) -> Snapshot {
        let gathered = |id: &&str| Gathered {
            facts: ModelFacts {
                id: (*id).to_owned(),
                ..ModelFacts::default()
            },
            ..Gathered::default()
        };
        Snapshot::new(ids.iter().map(gathered).collect(), DateTime::UNIX_EPOCH)
    }

    #[test]
    fn patterns_cover_names() {
        for (pattern, name, expected) in [
            ("*", "anything/at:all", true),
            ("openai/*", "openai/gpt-4o", true),
            ("openai/*", "openai/", true),
            ("openai/*", "openai", false),
            ("openai/*", "azure/openai/gpt", false),
            ("*/gpt-*", "openai/gpt-4o", true),
            ("*/gpt-*", "openai/o3", false),
            ("a*b*c", "a-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("*", "openai/*", false),
            ("exact", "exact", true),
        ] {
            assert_eq!(covers(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn what_a_pattern_covers_is_there_but_not_listed() {
        let snapshot = snapshot(&["openai/*", "*", "b", "a"]);
        let ids: Vec<_> = snapshot.models().iter().map(|model| model.id.as_str()).collect();
        assert_eq!(ids, ["a", "b"]);
        assert_eq!(snapshot.patterns().collect::<Vec<_>>(), ["openai/*", "*"]);
        let model = snapshot.find("openai/gpt-4o").expect("covered");
        assert_eq!(
            model.metadata.wildcard.as_deref(),
            Some("openai/*"),
            "the longer pattern"
        );
        assert_eq!(model.limits.context_window, Some(128_000), "it is well known");
        assert!(snapshot.has("openai/gpt-4o") && !snapshot.has("openai/*"));
        let unknown = snapshot.find("a").expect("listed");
        assert_eq!(unknown.pricing.input_per_1m, None);
    }

    #[test]
    fn changes_are_counted() {
        let report = |now: &[&str], before: Option<&[&str]>| {
            let before = before.map(snapshot);
            let report = snapshot(now).changes_since(before.as_ref());
            (report.models, report.added, report.removed)
        };
        assert_eq!(report(&["a", "b"], None), (2, 2, 0));
        assert_eq!(report(&["b", "c", "d"], Some(&["a", "b"])), (3, 2, 1));
    }
}
