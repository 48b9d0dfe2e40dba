//! A store of conversations as small as it can be: vectors and maps in memory, written to be obviously right.
//!
//! What is made gets the next number of its kind, and keeps it when it is gone: so an operation can name what is not
//! there, or not there any more. Nothing is counted or cached; what a store shows is computed from what is there.
//!
//! - `operations`: what may be done, each a function of the model alone
//! - `turns`, `merge`, `copies`: those that take more than a few lines
//! - `lines`: a conversation as text, to be compared with what a store shows

mod copies;
mod lines;
mod merge;
mod operations;
mod turns;

use std::collections::BTreeMap;
use std::fmt;

use ai_chat_orchestrator::models::branch::BranchStatus;
use ai_chat_orchestrator::models::message::{MessageStatus, Role};
use ai_chat_orchestrator::services::conversations::{StoreError, StoreLimits};

pub use copies::Copied;
pub use lines::{BranchLine, MessageLine, conversation_line};

macro_rules! numbers {
    ($($(#[$doc:meta])+ $name:ident = $letter:literal;)+) => {$(
        $(#[$doc])+
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub usize);

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($letter, "{}"), self.0)
            }
        }
    )+};
}

numbers! {
    /// A conversation.
    C = "c";
    /// A branch.
    B = "b";
    /// A message.
    M = "m";
    /// An answer that was begun.
    A = "a";
}

/// Which of the users.
pub type UserNumber = usize;

/// Everything.
pub struct Model {
    /// What the store may hold.
    pub limits: StoreLimits,
    /// All conversations ever made.
    pub conversations: Vec<Conversation>,
    /// Answers ever begun.
    pub answers: Vec<Answer>,
    /// How many branches were ever made.
    pub branches_made: usize,
    /// How many messages were ever made.
    pub messages_made: usize,
    /// What the last import made.
    pub last_copy: Option<Copied>,
}

/// A conversation.
#[derive(Debug, Clone)]
pub struct Conversation {
    /// Whose it is.
    pub owner: UserNumber,
    /// Whether it is gone.
    pub deleted: bool,
    /// Given, or taken from an answer.
    pub title: Option<String>,
    /// Whether it was put away.
    pub archived: bool,
    /// What it is a copy of.
    pub copy_of: Option<C>,
    /// The title and whether it was put away, as it was imported the last time.
    pub source_fields: Option<(Option<String>, bool)>,
    /// What is said in it.
    pub messages: BTreeMap<M, Message>,
    /// Its branches.
    pub branches: BTreeMap<B, Branch>,
    /// Where new messages go.
    pub active: B,
}

/// A message.
#[derive(Debug, Clone)]
pub struct Message {
    /// The message before it.
    pub parent: Option<M>,
    /// Who speaks.
    pub role: Role,
    /// The text.
    pub text: String,
    /// How complete it is.
    pub status: MessageStatus,
    /// The ids of the tools that the model wanted called.
    pub calls: Vec<String>,
    /// The call that it answers.
    pub call: Option<String>,
    /// What it used.
    pub tokens: Option<u64>,
    /// Whether its text was changed.
    pub edited: bool,
    /// The branch and the message that it was copied from, if a merge made it.
    pub merged_from: Option<(Option<B>, M)>,
    /// What it is a copy of in the end.
    pub origin: Option<M>,
    /// The message of another conversation that it is an imported copy of.
    pub source: Option<M>,
    /// The text that it was imported with, the last time.
    pub source_text: Option<String>,
}

/// A branch.
#[derive(Debug, Clone)]
pub struct Branch {
    /// The name that it was given, if it was given one.
    pub name: Option<String>,
    /// What has become of it.
    pub status: BranchStatus,
    /// Whether the conversation began with it.
    pub is_main: bool,
    /// The message at which it forked.
    pub fork: Option<M>,
    /// The message at which it ends.
    pub head: Option<M>,
    /// The branch of another conversation that it is an imported copy of.
    pub source: Option<B>,
}

/// An answer that was begun.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Where.
    pub conversation: C,
    /// What the turn was appended to.
    pub parent: Option<M>,
    /// What it answers.
    pub question: M,
    /// Its place.
    pub place: M,
    /// Whether it ended.
    pub ended: bool,
}

/// Why something was not done: the kinds of [`StoreError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    ConversationNotFound,
    BranchNotFound,
    MessageNotFound,
    Conflict,
    BranchIsActive,
    BranchIsMain,
    LimitReached,
    GenerationInProgress,
    InvalidToolResults,
}

impl Refusal {
    /// The kind of an error; a store that does not answer is never right.
    pub fn of(error: &StoreError) -> Self {
        match error {
            StoreError::ConversationNotFound => Self::ConversationNotFound,
            StoreError::BranchNotFound => Self::BranchNotFound,
            StoreError::MessageNotFound => Self::MessageNotFound,
            StoreError::Conflict(_) => Self::Conflict,
            StoreError::BranchIsActive => Self::BranchIsActive,
            StoreError::BranchIsMain => Self::BranchIsMain,
            StoreError::LimitReached { .. } => Self::LimitReached,
            StoreError::GenerationInProgress { .. } => Self::GenerationInProgress,
            StoreError::InvalidToolResults(_) => Self::InvalidToolResults,
            StoreError::Repeated { .. } | StoreError::IdempotencyConflict => {
                panic!("programs give no idempotency keys: {error}")
            }
            StoreError::Refused(refusal) => panic!("programs ask on no terms: {refusal}"),
            StoreError::Database(error) => panic!("the store fails: {error}"),
        }
    }
}

impl Model {
    /// Nothing.
    pub const fn new(limits: StoreLimits) -> Self {
        Self {
            limits,
            conversations: Vec::new(),
            answers: Vec::new(),
            branches_made: 0,
            messages_made: 0,
            last_copy: None,
        }
    }

    /// The conversations of a user that are there.
    pub fn conversations_of(&self, user: UserNumber) -> impl Iterator<Item = (C, &Conversation)> {
        let all = self.conversations.iter().enumerate();
        all.map(|(number, conversation)| (C(number), conversation))
            .filter(move |(_, conversation)| conversation.owner == user && !conversation.deleted)
    }

    /// The answers in a conversation that have not ended.
    pub fn running(&self, conversation: C) -> impl Iterator<Item = &Answer> {
        let answers = self.answers.iter();
        answers.filter(move |answer| answer.conversation == conversation && !answer.ended)
    }

    fn next_branch(&mut self) -> B {
        self.branches_made += 1;
        B(self.branches_made - 1)
    }

    fn next_message(&mut self) -> M {
        self.messages_made += 1;
        M(self.messages_made - 1)
    }
}

impl Conversation {
    /// The path that ends here, the root first.
    pub fn path(&self, head: Option<M>) -> Vec<M> {
        let mut path: Vec<M> = std::iter::successors(head, |number| self.messages[number].parent).collect();
        path.reverse();
        path
    }

    /// The path of a branch.
    pub fn path_of(&self, branch: B) -> Vec<M> {
        self.path(self.branches[&branch].head)
    }

    /// What directly follows a message, or the roots.
    pub fn children(&self, parent: Option<M>) -> Vec<M> {
        let all = self.messages.iter();
        all.filter(|(_, message)| message.parent == parent)
            .map(|(number, _)| *number)
            .collect()
    }

    /// A message and all that follows it.
    pub fn subtree(&self, root: M) -> Vec<M> {
        let all = self.messages.keys();
        all.filter(|number| self.path(Some(**number)).contains(&root))
            .copied()
            .collect()
    }

    /// The branch that it began with.
    pub fn main(&self) -> B {
        let mut branches = self.branches.iter();
        let main = branches.find(|(_, branch)| branch.is_main);
        *main.expect("a main branch").0
    }

    /// The beginning of the user's first message.
    pub fn preview(&self) -> Option<String> {
        let mut messages = self.messages.values();
        let first = messages.find(|message| message.role == Role::User)?;
        Some(first.text.chars().take(200).collect())
    }

    /// What all answers used.
    pub fn tokens(&self) -> u64 {
        self.messages.values().filter_map(|message| message.tokens).sum()
    }
}

/// A message of the user.
fn said(parent: Option<M>, role: Role, text: &str) -> Message {
    Message {
        parent,
        role,
        text: text.to_owned(),
        status: MessageStatus::Completed,
        calls: Vec::new(),
        call: None,
        tokens: None,
        edited: false,
        merged_from: None,
        origin: None,
        source: None,
        source_text: None,
    }
}
