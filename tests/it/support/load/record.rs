//! What the users of a [`Load`](super::Load) have seen.

use std::time::Duration;

use crate::support::Client;

/// Everything that was acknowledged, and everything that was refused.
#[derive(Default)]
pub struct Record {
    /// The users.
    pub users: Vec<UserRecord>,
    /// Requests that were answered with an error.
    pub refusals: Vec<Refusal>,
    /// Requests and streams whose connection was refused or broke.
    pub broken_connections: usize,
    /// How long each look at a conversation took, the latest last.
    pub looks: Vec<Duration>,
    /// How long each answer took to begin, whose model does not let anybody wait; the latest last.
    pub starts: Vec<Duration>,
}

/// What one user was promised.
pub struct UserRecord {
    /// Who it is.
    pub client: Client,
    /// Every text that was sent, whatever became of it. No two are alike.
    pub sent: Vec<String>,
    /// The messages that were acknowledged, with their answers.
    pub turns: Vec<Turn>,
}

/// A message that was acknowledged, and what was seen of its answer.
#[derive(Debug)]
pub struct Turn {
    /// The conversation it is in.
    pub conversation: String,
    /// The id of the message.
    pub message: String,
    /// What it says.
    pub text: String,
    /// What was seen of the answer.
    pub answer: String,
    /// How the answer ended, if it did.
    pub end: Option<End>,
}

/// How an answer ended for whoever read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// With its usage, and `[DONE]`.
    Completed,
    /// With `STREAM_INTERRUPTED`, and `[DONE]`; or with `[DONE]` alone, for whoever had read more than is kept.
    Interrupted,
}

/// A request that was answered with an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The status.
    pub status: u16,
    /// The code.
    pub code: String,
    /// `Retry-After`, if it was sent.
    pub retry_after: Option<String>,
}

impl Record {
    /// The answers that have ended.
    pub fn answers(&self) -> usize {
        self.turns().filter(|turn| turn.end.is_some()).count()
    }

    /// The answers that have ended in this way.
    pub fn answers_that(&self, end: End) -> usize {
        self.turns().filter(|turn| turn.end == Some(end)).count()
    }

    /// The messages that were acknowledged.
    pub fn turns(&self) -> impl Iterator<Item = &Turn> {
        self.users.iter().flat_map(|user| &user.turns)
    }
}
