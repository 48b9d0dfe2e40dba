//! The newest messages of a user that have the terms of a query, part by part of the table.

use sqlx::PgConnection;

use crate::models::ids::UserId;
use crate::services::conversations::search::{MAX_CANDIDATES, SearchQuery, Tsqueries, user_key};
use crate::utils::database::DatabaseError;

/// A part is 2 to the power of this many numbers. The column `message_texts.terms` is made with it.
const PART_BITS: i32 = 12;

/// Parts that are asked for first: a word that every other message has is found often enough in them.
const FIRST_PARTS: i64 = 2;

/// How many times more are asked for next, where they were not enough.
const GROWTH: i64 = 2;

/// The most that are asked for at once.
const MAX_PARTS: i64 = 1_024;

/// The next parts below `$2` in which the user has texts, at most `$3` of them: one look into the index for each.
const PARTS: &str = "WITH RECURSIVE part (number, nth) AS (
         SELECT max(number) >> $4, 1 FROM message_texts WHERE user_id = $1 AND number < $2
         UNION ALL
         SELECT (SELECT max(number) >> $4 FROM message_texts WHERE user_id = $1 AND number < part.number << $4), nth + 1
         FROM part WHERE part.number IS NOT NULL AND nth < $3
     )
     SELECT number FROM part WHERE number IS NOT NULL ORDER BY number DESC";

/// The newest texts in these parts that have the terms, and whether all phrases are in them, at the border of which tokens end
/// too: each text is read once. `ts_match_vq` is `@@` by the name that no index is used for.
/// `OFFSET 0` keeps the planner from reading all texts once and comparing each with every part: here it does not know what
/// is rare.
const CANDIDATES: &str = "SELECT candidate.number, candidate.has_phrases
     FROM unnest($2::text[], $3::text[]) part (terms, more_terms)
     CROSS JOIN LATERAL (
         SELECT t.number, NOT EXISTS (
             SELECT FROM unnest($5::text[]) phrase WHERE strpos(' ' || t.text || ' ', phrase) = 0
         ) AS has_phrases
         FROM message_texts t
         WHERE t.user_id = $1 AND t.terms @@ part.terms::tsquery
           AND (part.more_terms IS NULL OR ts_match_vq(t.terms, part.more_terms::tsquery))
         OFFSET 0
     ) candidate
     ORDER BY candidate.number DESC LIMIT $4";

/// Candidates, the newest first.
pub(super) struct Candidates<'q> {
    user: UserId,
    user_key: String,
    query: &'q SearchQuery,
    phrases: Vec<String>,
    /// What is below this number was not asked for yet.
    below: i64,
    parts: i64,
    /// How many more are looked at.
    left: i64,
}

impl<'q> Candidates<'q> {
    pub(super) fn new(user: UserId, query: &'q SearchQuery) -> Self {
        Self {
            user,
            user_key: user_key(user),
            query,
            phrases: query.phrases(),
            below: i64::MAX,
            parts: FIRST_PARTS,
            left: i64::from(MAX_CANDIDATES),
        }
    }

    /// The numbers of the next ones that have the phrases, too; `None` when there are none left that are looked at.
    pub(super) async fn next(
        &mut self,
        connection: &mut PgConnection,
    ) -> Result<Option<Vec<i64>>, DatabaseError> {
        while self.left > 0 {
            let parts: Vec<i64> = sqlx::query_scalar(PARTS)
                .bind(self.user)
                .bind(self.below)
                .bind(self.parts)
                .bind(PART_BITS)
                .fetch_all(&mut *connection)
                .await?;
            let Some(lowest) = parts.last() else {
                return Ok(None);
            };
            self.below = lowest << PART_BITS;
            let candidates = self.of_parts(connection, &parts).await?;
            let found = candidates.len() as i64;
            self.left -= found;
            self.parts = more_parts(self.parts, found, self.left);
            let with_phrases = candidates.into_iter().filter(|(_, has_phrases)| *has_phrases);
            let numbers: Vec<i64> = with_phrases.map(|(number, _)| number).collect();
            if !numbers.is_empty() {
                return Ok(Some(numbers));
            }
        }
        Ok(None)
    }

    async fn of_parts(
        &self,
        connection: &mut PgConnection,
        parts: &[i64],
    ) -> Result<Vec<(i64, bool)>, DatabaseError> {
        let (terms, more_terms): (Vec<String>, Vec<Option<String>>) = parts
            .iter()
            .map(|part| {
                let Tsqueries { index, rows } = self.query.tsqueries(&format!("{}{part:06x}", self.user_key));
                (index, rows)
            })
            .unzip();
        Ok(sqlx::query_as(CANDIDATES)
            .persistent(false)
            .bind(self.user)
            .bind(terms)
            .bind(more_terms)
            .bind(self.left)
            .bind(&self.phrases)
            .fetch_all(connection)
            .await?)
    }
}

/// How many parts to ask for next: more than before, but no more than are likely to have all that is still looked at.
fn more_parts(asked: i64, found: i64, left: i64) -> i64 {
    let more = (asked * GROWTH).min(MAX_PARTS);
    match found {
        0 => more,
        _ => more.min(left * asked / found + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_parts_are_asked_for_as_are_needed() {
        assert_eq!(more_parts(2, 0, 4_000), 4, "nobody knows how many that will be");
        assert_eq!(more_parts(64, 1_800, 400), 15);
        assert_eq!(more_parts(64, 1, 3_999), 128, "no more than twice as many");
        assert_eq!(more_parts(2, 8_000, 0), 1, "at least one");
        assert_eq!(more_parts(MAX_PARTS, 0, 1), MAX_PARTS);
    }
}
