//! Full-text search: what is indexed, what a query asks for, which hit comes first, and how it is shown.
//!
//! The tokenisers of databases differ, and drop what people search for (東京, 😀). So the service makes one
//! plain text of tokens itself, the [`index_text`], which every store keeps in a column and indexes by splitting
//! it at spaces; and it turns a query into the same tokens. The same texts then give the same hits everywhere.
//!
//! - [`index_text`], [`index_terms`], [`user_key`]: what is stored and indexed
//! - [`SearchQuery`]: what is looked for, in the languages of the stores
//! - [`Hit`], [`rank_messages`], [`rank_conversations`]: the order of what was found
//! - [`snippet`]: the place in a text that made it a hit, as HTML
//!
//! # What is equal to what
//! Upper and lower case (ß = ss), letters with and without accents, full-width and other compatibility forms
//! (ﬁ = fi), composed and decomposed characters. Not: dakuten (か is not が) and the vowel signs of Indic and
//! South-East Asian scripts, which Unicode calls marks too, but which spell other words.
//!
//! # What is found
//! A word of the query finds words that begin with it; a word of one character only itself. Of scripts that are
//! written without spaces, and of emoji, every character is a token: these find any text in which they stand
//! next to each other. Everything in the query has to be in the same text, in any order.
//!
//! # Invariants
//! - Pure: no I/O, no clock, no state; linear in what is read, and every size has a bound.
//! - A token holds no ASCII but `a-z` and `0-9`, and no white space. Whatever is typed as a query, what comes out
//!   is data between quotes and never syntax.
//! - [`index_text`] of an index text is that text.
//!
//! Not for: SQL and the rights to what is found, which belong to the stores.

mod characters;
mod index;
mod query;
mod rank;
mod snippet;
#[cfg(test)]
mod tests;
mod tokens;

pub use index::{index_terms, index_text, user_key};
pub use query::{MAX_QUERY_PARTS, SearchQuery, Tsqueries};
pub use rank::{
    Hit, MAX_CANDIDATES, MAX_HITS, RankedConversation, RankedMessage, rank_conversations, rank_messages,
};
pub use snippet::snippet;
pub use tokens::{MAX_INDEX_BYTES, MAX_INDEX_TOKENS, MAX_WORD_CHARS};
