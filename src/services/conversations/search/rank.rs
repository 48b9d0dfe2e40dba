//! The order of what was found, the same whichever store found it.
//!
//! It is computed here, over the newest hits, as many as a store is willing to hand on: the ranking functions of
//! databases differ, and count what other users wrote.
//!
//! Invariants: the order is total and depends on the hits only, not on the order in which they came.

use std::cmp::Ordering;
use std::collections::HashMap;

use chrono::{DateTime, Utc};

use crate::models::ids::{ConversationId, MessageId};

/// The newest messages that match and are looked at, in a search and in a list with a query: past these, what is older
/// is not found. It bounds what one search can cost.
pub const MAX_HITS: u32 = 1_000;

/// The newest messages of a user that have the words of a query and are looked at, to find among them those whose
/// conversation is wanted and in which phrases stand as they should: past these too, what is older is not found. It
/// bounds what a search can cost that looks for a common word in few conversations.
pub const MAX_CANDIDATES: u32 = 3 * MAX_HITS;

/// Occurrences that are worth half of what any number of them is worth.
const HALF_WORTH_OCCURRENCES: f64 = 1.2;

/// What a text loses by being long, at most; a share of its score.
const MAX_LENGTH_LOSS: f64 = 0.3;

/// Characters of a text that loses half of that.
const HALF_LOSS_LENGTH: f64 = 2_000.0;

/// What a hit in a title has over one in a message: more than any message can have.
const TITLE_BONUS: f64 = 1.0;

/// What a conversation gains by further hits, at most: little enough to leave titles before messages.
const MAX_FURTHER_HITS_GAIN: f64 = 0.2;

/// Further hits that are worth half of that.
const HALF_GAIN_HITS: f64 = 4.0;

/// A text that matches a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// The conversation that it belongs to.
    pub conversation_id: ConversationId,
    /// The message whose text it is; `None` for the title of the conversation.
    pub message_id: Option<MessageId>,
    /// How often the query's needles are in it: [`SearchQuery::occurrences`](super::SearchQuery::occurrences).
    pub occurrences: u64,
    /// Characters of its index text.
    pub length: u64,
    /// When the message was made, or the conversation changed.
    pub at: DateTime<Utc>,
}

/// A hit and its worth.
#[derive(Debug, Clone, PartialEq)]
pub struct RankedMessage {
    /// The hit.
    pub hit: Hit,
    /// Its worth: positive and finite.
    pub score: f64,
}

/// A conversation with hits, and its worth.
#[derive(Debug, Clone, PartialEq)]
pub struct RankedConversation {
    /// Its best hit: where the snippet is to be taken from.
    pub best: Hit,
    /// How many of the hits are in it.
    pub hits: u64,
    /// Its worth: positive and finite.
    pub score: f64,
}

/// The hits, the best first; of equal ones the newest.
#[must_use]
pub fn rank_messages(hits: Vec<Hit>) -> Vec<RankedMessage> {
    let mut ranked: Vec<RankedMessage> = hits
        .into_iter()
        .map(|hit| RankedMessage {
            score: score(&hit),
            hit,
        })
        .collect();
    ranked.sort_unstable_by(|a, b| best_first((a.score, &a.hit), (b.score, &b.hit)));
    ranked
}

/// The conversations of the hits, the best first; of equal ones that with the newest hit. What counts is the best
/// hit of each, and a little that there are others.
#[must_use]
pub fn rank_conversations(hits: Vec<Hit>) -> Vec<RankedConversation> {
    let mut conversations: HashMap<ConversationId, RankedConversation> = HashMap::new();
    // The first hit of a conversation is its best, since the best come first.
    for RankedMessage { hit, score } in rank_messages(hits) {
        conversations
            .entry(hit.conversation_id)
            .and_modify(|conversation| conversation.hits += 1)
            .or_insert(RankedConversation {
                best: hit,
                hits: 1,
                score,
            });
    }
    let mut ranked: Vec<RankedConversation> = conversations.into_values().collect();
    for conversation in &mut ranked {
        conversation.score += MAX_FURTHER_HITS_GAIN * saturation(conversation.hits - 1, HALF_GAIN_HITS);
    }
    ranked.sort_unstable_by(|a, b| best_first((a.score, &a.best), (b.score, &b.best)));
    ranked
}

/// What a hit is worth: under 1 in a message, over it in a title. Only arithmetic that is exact to the last bit on
/// every machine.
fn score(hit: &Hit) -> f64 {
    let often = saturation(hit.occurrences.max(1), HALF_WORTH_OCCURRENCES);
    let short = 1.0 - MAX_LENGTH_LOSS * saturation(hit.length, HALF_LOSS_LENGTH);
    let bonus = if hit.message_id.is_none() {
        TITLE_BONUS
    } else {
        0.0
    };
    often * short + bonus
}

/// Grows with the number from 0 to below 1, and is ½ at `half`.
fn saturation(number: u64, half: f64) -> f64 {
    let number = number as f64;
    number / (number + half)
}

fn best_first(a: (f64, &Hit), b: (f64, &Hit)) -> Ordering {
    let key = |hit: &Hit| (hit.at, hit.conversation_id, hit.message_id);
    b.0.total_cmp(&a.0).then_with(|| key(b.1).cmp(&key(a.1)))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn hit(conversation: u128, message: Option<u128>, occurrences: u64, length: u64, second: i64) -> Hit {
        Hit {
            conversation_id: ConversationId(Uuid::from_u128(conversation)),
            message_id: message.map(|id| MessageId(Uuid::from_u128(id))),
            occurrences,
            length,
            at: DateTime::from_timestamp(second, 0).expect("a time"),
        }
    }

    fn messages(hits: Vec<Hit>) -> Vec<u128> {
        rank_messages(hits)
            .into_iter()
            .map(|ranked| ranked.hit.message_id.map_or(0, |id| id.0.as_u128()))
            .collect()
    }

    #[test]
    fn titles_then_many_then_short_then_new_then_by_id() {
        let hits = vec![
            hit(1, Some(6), 1, 100, 1),
            hit(1, Some(7), 1, 100, 1),
            hit(1, Some(5), 1, 100, 2),
            hit(1, Some(4), 1, 10, 1),
            hit(1, Some(3), 3, 10, 1),
            hit(1, Some(2), u64::MAX, 0, 9),
            hit(1, None, 1, 100_000, 0),
        ];
        let expected = [0, 2, 3, 4, 5, 7, 6];
        assert_eq!(messages(hits.clone()), expected);
        assert_eq!(messages(hits.into_iter().rev().collect()), expected);
    }

    #[test]
    fn long_texts_lose_little() {
        let long = score(&hit(1, Some(1), 2, 60_000, 0));
        let short = score(&hit(1, Some(1), 1, 10, 0));
        assert!(long > 0.0 && score(&hit(1, Some(1), 1, 60_000, 0)) < short);
        assert!(score(&hit(1, Some(1), 4, 60_000, 0)) > short);
    }

    #[test]
    fn a_conversation_is_worth_its_best_hit_and_a_little_for_others() {
        let ranked = rank_conversations(vec![
            hit(1, Some(11), 1, 50, 1),
            hit(2, Some(21), 1, 50, 9),
            hit(1, Some(12), 2, 50, 1),
            hit(2, Some(22), 2, 50, 0),
            hit(1, Some(13), 1, 50, 1),
            hit(3, Some(31), 3, 50, 0),
            hit(4, None, 1, 50, 0),
        ]);
        let order: Vec<(u128, Option<u128>, u64)> = ranked
            .iter()
            .map(|ranked| {
                let message = ranked.best.message_id.map(|id| id.0.as_u128());
                (ranked.best.conversation_id.0.as_u128(), message, ranked.hits)
            })
            .collect();
        assert_eq!(
            order,
            [(4, None, 1), (3, Some(31), 1), (1, Some(12), 3), (2, Some(22), 2)]
        );
    }

    #[test]
    fn no_number_of_messages_outweighs_a_title() {
        let mut hits: Vec<Hit> = (1..=5_000).map(|id| hit(1, Some(id), 1_000, 1, 5)).collect();
        hits.push(hit(2, None, 1, 200, 0));
        assert_eq!(rank_conversations(hits)[0].best.message_id, None);
    }
}
