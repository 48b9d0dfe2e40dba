//! What each list of the model server last said.

use std::collections::{BTreeMap, BTreeSet};

use crate::models::model::ModelSource;
use crate::services::llm::{Dropped, ModelError, ModelFacts, SourceOutcome, SourceReport};

/// One list of one server. In order: the one that knows better comes first.
type SourceKey = (&'static str, ModelSource);

/// What is known from all lists, the last word of each.
#[derive(Debug, Default)]
pub(super) struct Sources(BTreeMap<SourceKey, Vec<ModelFacts>>);

/// What is said of one name by all lists together.
#[derive(Debug, Clone, Default)]
pub(super) struct Gathered {
    /// What is known.
    pub(super) facts: ModelFacts,
    /// The lists that it is in.
    pub(super) sources: Vec<ModelSource>,
    /// The list that its prices are from.
    pub(super) priced_by: Option<ModelSource>,
}

/// What came of the reports of one reading.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Absorbed {
    /// Something that is known is older than this reading.
    pub(super) is_stale: bool,
    /// Every list was read that a server has, so that nothing is gained by asking again soon.
    pub(super) is_complete: bool,
    /// What was left out of the lists.
    pub(super) dropped: Dropped,
}

impl Sources {
    /// Takes in what the servers said. Of a server that said nothing at all everything stays as it was.
    ///
    /// # Errors
    /// If no server said anything: what was wrong with the last that was asked.
    pub(super) fn absorb(&mut self, reports: Vec<SourceReport>) -> Result<Absorbed, ModelError> {
        let heard: BTreeSet<&'static str> = reports
            .iter()
            .filter(|report| matches!(report.outcome, SourceOutcome::Listed(_)))
            .map(|report| report.server)
            .collect();
        let mut absorbed = Absorbed {
            is_stale: false,
            is_complete: true,
            dropped: Dropped::default(),
        };
        let mut failure = None;
        for report in reports {
            let key = (report.server, report.list);
            let error = match report.outcome {
                SourceOutcome::Listed(listing) => {
                    absorbed.dropped.models += listing.dropped.models;
                    absorbed.dropped.prices += listing.dropped.prices;
                    absorbed.dropped.limits += listing.dropped.limits;
                    self.0.insert(key, listing.models);
                    continue;
                }
                SourceOutcome::Absent(error) if heard.contains(report.server) => {
                    tracing::debug!(%error, list = report.list.as_str(), "the model server does not have this list");
                    self.0.remove(&key);
                    error
                }
                SourceOutcome::Absent(error) | SourceOutcome::Failed(error) => {
                    // Where nothing was heard at all, whoever asked says so, once.
                    if !heard.is_empty() {
                        let (server, list) = (report.server, report.list.as_str());
                        tracing::warn!(%error, server, list, "a list of models could not be read");
                    }
                    absorbed.is_stale |= self.0.contains_key(&key);
                    absorbed.is_complete = false;
                    error
                }
            };
            failure = Some(error);
        }
        match failure {
            Some(error) if heard.is_empty() => Err(error),
            _ => Ok(absorbed),
        }
    }

    /// What all lists say together, each name once, in the order of the lists.
    pub(super) fn gather(&self) -> Vec<Gathered> {
        let mut gathered: Vec<Gathered> = Vec::new();
        let mut places: BTreeMap<&str, usize> = BTreeMap::new();
        for ((_, list), models) in &self.0 {
            for facts in models {
                let at = *places.entry(&facts.id).or_insert_with(|| {
                    gathered.push(Gathered {
                        facts: ModelFacts {
                            id: facts.id.clone(),
                            ..ModelFacts::default()
                        },
                        ..Gathered::default()
                    });
                    gathered.len() - 1
                });
                gathered[at].add(*list, facts);
            }
        }
        gathered
    }
}

impl Gathered {
    fn add(&mut self, list: ModelSource, facts: &ModelFacts) {
        let tells_price = facts.prices.input.is_some() || facts.prices.output.is_some();
        if tells_price && self.priced_by.is_none() {
            self.priced_by = Some(list);
        }
        if !self.sources.contains(&list) {
            self.sources.push(list);
        }
        self.facts.complete_from(facts);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::llm::{Listing, ModelErrorKind};

    fn listed(list: ModelSource, ids: &[&str]) -> SourceReport {
        let model = |id: &&str| ModelFacts {
            id: (*id).to_owned(),
            name: Some(format!("{} of {}", id, list.as_str())),
            ..ModelFacts::default()
        };
        report(
            list,
            SourceOutcome::Listed(Listing {
                models: ids.iter().map(model).collect(),
                ..Listing::default()
            }),
        )
    }

    fn report(list: ModelSource, outcome: SourceOutcome) -> SourceReport {
        SourceReport {
            server: "litellm",
            list,
            outcome,
        }
    }

    fn absent(list: ModelSource) -> SourceReport {
        report(
            list,
            SourceOutcome::Absent(ModelError::new(ModelErrorKind::AuthFailed, "")),
        )
    }

    fn failed(list: ModelSource) -> SourceReport {
        report(
            list,
            SourceOutcome::Failed(ModelError::new(ModelErrorKind::Unavailable, "")),
        )
    }

    fn ids(sources: &Sources) -> Vec<String> {
        sources.gather().into_iter().map(|one| one.facts.id).collect()
    }

    const GROUPS: ModelSource = ModelSource::ModelGroups;
    const MODELS: ModelSource = ModelSource::Models;

    fn is_complete(sources: &mut Sources, reports: Vec<SourceReport>) -> bool {
        sources.absorb(reports).expect("something was heard").is_complete
    }

    fn is_stale(sources: &mut Sources, reports: Vec<SourceReport>) -> bool {
        sources.absorb(reports).expect("something was heard").is_stale
    }

    #[test]
    fn the_list_that_knows_better_comes_first() {
        let mut sources = Sources::default();
        assert!(!is_stale(
            &mut sources,
            vec![listed(MODELS, &["a", "b"]), listed(GROUPS, &["c", "b"])]
        ));
        assert_eq!(ids(&sources), ["c", "b", "a"]);
        let b = &sources.gather()[1];
        assert_eq!(b.facts.name.as_deref(), Some("b of model_group_info"));
        assert_eq!(b.sources, [GROUPS, MODELS]);
    }

    #[test]
    fn a_list_that_fails_is_remembered_and_one_that_is_gone_is_not() {
        let mut sources = Sources::default();
        assert!(
            !is_stale(&mut sources, vec![failed(GROUPS), listed(MODELS, &["a"])]),
            "nothing older is shown"
        );
        assert!(!is_stale(
            &mut sources,
            vec![listed(GROUPS, &["g"]), listed(MODELS, &["a"])]
        ));
        assert!(is_stale(
            &mut sources,
            vec![failed(GROUPS), listed(MODELS, &["b"])]
        ));
        assert_eq!(ids(&sources), ["g", "b"]);
        assert!(!is_stale(
            &mut sources,
            vec![absent(GROUPS), listed(MODELS, &["b"])]
        ));
        assert_eq!(ids(&sources), ["b"]);
    }

    #[test]
    fn who_says_nothing_takes_nothing_back() {
        let mut sources = Sources::default();
        assert!(!is_stale(
            &mut sources,
            vec![listed(GROUPS, &["g"]), listed(MODELS, &["a"])]
        ));
        let error = sources
            .absorb(vec![absent(GROUPS), failed(MODELS)])
            .expect_err("nothing was heard");
        assert_eq!(error.kind(), ModelErrorKind::Unavailable);
        assert_eq!(ids(&sources), ["g", "a"]);
    }

    #[test]
    fn only_a_list_that_could_be_there_is_worth_asking_for_again() {
        let mut sources = Sources::default();
        assert!(!is_complete(
            &mut sources,
            vec![failed(GROUPS), listed(MODELS, &["a"])]
        ));
        assert!(is_complete(
            &mut sources,
            vec![absent(GROUPS), listed(MODELS, &["a"])]
        ));
    }
}
