//! What a model server says of its models, before anything is made of it.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use super::ModelError;
use crate::models::model::{Capability, ModelMode, ModelSource};
use crate::models::price::TokenPrices;

/// What one list of one model server said when it was asked.
#[derive(Debug, Clone)]
pub struct SourceReport {
    /// The server, by a name that stays the same: what one of them fails to say does not touch what others said.
    pub server: &'static str,
    /// Which of its lists.
    pub list: ModelSource,
    /// What it said.
    pub outcome: SourceOutcome,
}

/// How asking for a list ended.
#[derive(Debug, Clone)]
pub enum SourceOutcome {
    /// It was read.
    Listed(Listing),
    /// The server does not have it, or not for us: it knows nothing then.
    Absent(ModelError),
    /// It could not be read this time: what it said before is as good as can be had.
    Failed(ModelError),
}

/// A list of models that was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// Its models, each id once, in the order of the list.
    pub models: Vec<ModelFacts>,
    /// What was left out of it.
    pub dropped: Dropped,
}

/// Values that make no sense and were left out, one by one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Models without an id, with one that is none, or beyond the number that is kept.
    pub models: u64,
    /// Prices: negative, no numbers, or beyond belief.
    pub prices: u64,
    /// Token limits: negative, fractional, no numbers, or beyond belief.
    pub limits: u64,
}

/// What is said of one model. `None` is not said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModelFacts {
    /// What a request names it by; with a `*` in it, a pattern for many.
    pub id: String,
    /// What people call it.
    pub name: Option<String>,
    /// What the server says about it.
    pub description: Option<String>,
    /// The model behind the name, as the server calls it there, such as `anthropic/claude-sonnet-4-5`.
    pub underlying: Option<String>,
    /// Who runs it, in the server's words.
    pub hosts: Vec<String>,
    /// What it is called for.
    pub mode: Option<ModelMode>,
    /// Tokens that it can read.
    pub context_window: Option<u64>,
    /// Tokens that it can write.
    pub max_output_tokens: Option<u64>,
    /// Whether some of its deployments have other limits than these, which are the smaller ones.
    pub has_larger_limits: bool,
    /// What its tokens cost. A zero is unknown here, unless it is known to be free.
    pub prices: TokenPrices,
    /// What it can do, or cannot.
    pub capabilities: BTreeMap<Capability, bool>,
    /// Whether the server found that it works.
    pub healthy: Option<bool>,
    /// The day on which its provider withdraws it.
    pub deprecated_on: Option<NaiveDate>,
    /// Unix time in seconds.
    pub created: Option<i64>,
    /// OpenAI's `owned_by`.
    pub owned_by: Option<String>,
}

impl ModelFacts {
    /// Fills what is not said here with what is said there.
    pub fn complete_from(&mut self, other: &Self) {
        fill(&mut self.name, &other.name);
        fill(&mut self.description, &other.description);
        fill(&mut self.underlying, &other.underlying);
        fill(&mut self.mode, &other.mode);
        fill(&mut self.context_window, &other.context_window);
        fill(&mut self.max_output_tokens, &other.max_output_tokens);
        self.has_larger_limits |= other.has_larger_limits;
        fill(&mut self.prices.input, &other.prices.input);
        fill(&mut self.prices.output, &other.prices.output);
        fill(&mut self.prices.cached_input, &other.prices.cached_input);
        fill(&mut self.healthy, &other.healthy);
        fill(&mut self.deprecated_on, &other.deprecated_on);
        fill(&mut self.created, &other.created);
        fill(&mut self.owned_by, &other.owned_by);
        if self.hosts.is_empty() {
            self.hosts.clone_from(&other.hosts);
        }
        for (capability, has) in &other.capabilities {
            self.capabilities.entry(*capability).or_insert(*has);
        }
    }

    /// Joins what is said of another deployment of the same name, either of which may answer. What fits one must fit
    /// both and nobody should be charged too little, so limits are the smaller and prices the dearer ones; a capability
    /// is there if one has it, as LiteLLM says of its groups.
    pub fn join_deployment(&mut self, other: &Self) {
        self.has_larger_limits |= other.has_larger_limits
            || self.context_window != other.context_window
            || self.max_output_tokens != other.max_output_tokens;
        combine(&mut self.context_window, other.context_window, u64::min);
        combine(&mut self.max_output_tokens, other.max_output_tokens, u64::min);
        combine(&mut self.prices.input, other.prices.input, Ord::max);
        combine(&mut self.prices.output, other.prices.output, Ord::max);
        combine(&mut self.prices.cached_input, other.prices.cached_input, Ord::max);
        combine(&mut self.healthy, other.healthy, |one, other| one || other);
        for host in &other.hosts {
            if !self.hosts.contains(host) {
                self.hosts.push(host.clone());
            }
        }
        for (capability, has) in &other.capabilities {
            *self.capabilities.entry(*capability).or_default() |= has;
        }
        // Different models behind one name have nothing in common that a table could say.
        if self.underlying != other.underlying {
            self.underlying = None;
        }
        let underlying = self.underlying.take();
        self.complete_from(other);
        self.underlying = underlying;
    }
}

fn fill<T: Clone>(value: &mut Option<T>, other: &Option<T>) {
    if value.is_none() {
        value.clone_from(other);
    }
}

fn combine<T: Copy>(value: &mut Option<T>, other: Option<T>, choose: impl FnOnce(T, T) -> T) {
    if let (Some(one), Some(other)) = (*value, other) {
        *value = Some(choose(one, other));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::money::Money;

    fn deployment(underlying: &str, context: u64, price: i64, vision: bool) -> ModelFacts {
        ModelFacts {
            id: "m".to_owned(),
            underlying: Some(underlying.to_owned()),
            hosts: vec![underlying.to_owned()],
            context_window: Some(context),
            prices: TokenPrices {
                input: Some(Money::from_nano(price)),
                ..TokenPrices::default()
            },
            capabilities: BTreeMap::from([(Capability::Vision, vision)]),
            ..ModelFacts::default()
        }
    }

    #[test]
    fn deployments_of_one_name_promise_what_all_of_them_keep() {
        let mut joined = deployment("a", 100, 5, false);
        joined.join_deployment(&deployment("b", 50, 7, true));
        joined.join_deployment(&ModelFacts {
            max_output_tokens: Some(9),
            ..deployment("b", 200, 6, false)
        });
        assert_eq!(joined.context_window, Some(50));
        assert_eq!(joined.prices.input, Some(Money::from_nano(7)));
        assert_eq!(joined.max_output_tokens, Some(9));
        assert!(joined.capabilities[&Capability::Vision]);
        assert_eq!(joined.underlying, None);
        assert_eq!(joined.hosts, ["a", "b"]);
    }

    #[test]
    fn what_was_said_first_stays() {
        let mut facts = deployment("a", 100, 5, false);
        facts.complete_from(&ModelFacts {
            name: Some("M".to_owned()),
            ..deployment("b", 50, 7, true)
        });
        assert_eq!(
            facts,
            ModelFacts {
                name: Some("M".to_owned()),
                ..deployment("a", 100, 5, false)
            }
        );
    }
}
