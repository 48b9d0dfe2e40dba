//! What a model says it used.

use serde::Deserialize as _;
use serde::de::MapAccess;

use super::lenient::{self, Object, ReadFields};
use crate::models::money::Money;

/// More tokens than any answer has: a count beyond it is nonsense.
pub const MAX_TOKENS: u64 = 1_000_000_000;

/// Tokens and cost of an answer. What the model did not say, or what makes no sense (negative, fractional, beyond
/// [`MAX_TOKENS`], of another type), is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Tokens read.
    pub prompt_tokens: Option<u64>,
    /// Tokens written, those of thinking included.
    pub completion_tokens: Option<u64>,
    /// Both together, as the model adds them up.
    pub total_tokens: Option<u64>,
    /// Of the tokens read, those that came from the model's cache.
    pub cached_tokens: Option<u64>,
    /// Of the tokens written, those of thinking.
    pub reasoning_tokens: Option<u64>,
    /// `cost`, or its `total_cost`. A zero is kept; whether it means free or unknown is for the reader to say.
    pub cost: Option<Money>,
}

impl<'a> ReadFields<'a> for Usage {
    fn read_field<A: MapAccess<'a>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "prompt_tokens" => self.prompt_tokens = tokens(map)?,
            "completion_tokens" => self.completion_tokens = tokens(map)?,
            "total_tokens" => self.total_tokens = tokens(map)?,
            "prompt_tokens_details" => {
                self.cached_tokens = lenient::object::<_, Details>(map)?.and_then(|details| details.cached);
            }
            "completion_tokens_details" => {
                self.reasoning_tokens =
                    lenient::object::<_, Details>(map)?.and_then(|details| details.reasoning);
            }
            "cost" => self.cost = lenient::raw(map)?.and_then(|cost| parse_cost(cost.get())),
            _ => lenient::skip(map)?,
        }
        Ok(())
    }
}

fn tokens<'a, A: MapAccess<'a>>(map: &mut A) -> Result<Option<u64>, A::Error> {
    Ok(lenient::whole_number(map)?.filter(|tokens| *tokens <= MAX_TOKENS))
}

/// The breakdown of either kind of tokens.
#[derive(Default)]
struct Details {
    cached: Option<u64>,
    reasoning: Option<u64>,
}

impl<'a> ReadFields<'a> for Details {
    fn read_field<A: MapAccess<'a>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "cached_tokens" => self.cached = tokens(map)?,
            "reasoning_tokens" => self.reasoning = tokens(map)?,
            _ => lenient::skip(map)?,
        }
        Ok(())
    }
}

/// A cost that is broken down.
#[derive(Default)]
struct Costs {
    total: Option<Money>,
}

impl<'a> ReadFields<'a> for Costs {
    fn read_field<A: MapAccess<'a>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "total_cost" => self.total = lenient::raw(map)?.and_then(|cost| parse_dollars(cost.get())),
            _ => lenient::skip(map)?,
        }
        Ok(())
    }
}

fn parse_cost(json: &str) -> Option<Money> {
    if json.starts_with('{') {
        let mut deserializer = serde_json::Deserializer::from_str(json);
        Object::<Costs>::deserialize(&mut deserializer).ok()?.0?.total
    } else {
        parse_dollars(json)
    }
}

fn parse_dollars(json: &str) -> Option<Money> {
    Money::parse_dollars(json.trim_matches('"'))
}
