//! The conversations that the database is filled with: the same at every run, each made from its number alone.

use chrono::{DateTime, TimeDelta, Utc};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use ai_chat_orchestrator::models::branch::BranchStatus;
use ai_chat_orchestrator::models::message::{MessageStatus, MessageUsage, Role};
use ai_chat_orchestrator::models::money::Money;
use ai_chat_orchestrator::services::conversations::transfer::import::{
    ImportedBranch, ImportedConversation, ImportedMessage,
};

use crate::text::Language;

/// The models that answered.
pub const MODELS: [&str; 5] = [
    "gpt-4o-mini",
    "gpt-4o",
    "claude-sonnet",
    "mistral-large",
    "llama-70b",
];

/// One conversation in so many is archived.
const ARCHIVED: usize = 20;

/// One conversation in so many has branches, and how many it then has.
const BRANCHED: usize = 10;
const BRANCHES: usize = 3;

/// Minutes from the beginning of one conversation to that of the next, and seconds from message to message.
const CONVERSATION_MINUTES: i64 = 60;
const MESSAGE_SECONDS: i64 = 20;

/// The time of the first conversation: 2025-01-01.
const FIRST_SECOND: i64 = 1_735_689_600;

/// What all conversations are made from.
#[derive(Debug)]
pub struct Corpus {
    /// What they are written in.
    pub language: Language,
    /// Messages of a conversation, in the mean.
    mean: usize,
}

/// How large a conversation is.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Messages on all branches.
    pub messages: usize,
    /// Branches, the main one included.
    pub branches: usize,
}

impl Corpus {
    /// Conversations with so many messages in the mean.
    pub fn new(mean: usize) -> Self {
        let mut random = StdRng::seed_from_u64(0);
        Self {
            language: Language::invent(&mut random),
            mean: mean.max(1),
        }
    }

    /// When conversation `number` was begun.
    pub fn begun(number: usize) -> DateTime<Utc> {
        let minutes = i64::try_from(number).unwrap_or_default() * CONVERSATION_MINUTES;
        DateTime::UNIX_EPOCH + TimeDelta::seconds(FIRST_SECOND) + TimeDelta::minutes(minutes)
    }

    /// Conversation `number` of many; from a fifth of the mean size to nine fifths.
    pub fn ordinary(&self, number: usize) -> ImportedConversation {
        let mut random = StdRng::seed_from_u64(number as u64 + 1);
        let messages = random.random_range(self.mean.div_ceil(5)..=self.mean * 9 / 5);
        let branches = if number.is_multiple_of(BRANCHED) {
            BRANCHES
        } else {
            1
        };
        self.conversation(number, Shape { messages, branches }, &mut random)
    }

    /// A conversation of this shape, after all others.
    pub fn large(&self, number: usize, shape: Shape) -> ImportedConversation {
        self.conversation(number, shape, &mut StdRng::seed_from_u64(u64::MAX))
    }

    fn conversation(&self, number: usize, shape: Shape, random: &mut StdRng) -> ImportedConversation {
        let begun = Self::begun(number);
        let mut grown = Tree::default();
        let own = shape.messages / 2 / shape.branches.saturating_sub(1).max(1);
        let trunk = shape.messages - own * (shape.branches - 1);
        for branch in 0..shape.branches {
            let (fork, length) = match branch {
                0 => (None, trunk),
                _ => (Some(random.random_range(0..trunk)), own),
            };
            let mut head = fork;
            for _ in 0..length {
                head = Some(grown.messages.len());
                let parent = grown.ends.get(branch).copied().flatten().or(fork);
                let message = self.message(grown.messages.len(), parent, branch, begun, random);
                grown.messages.push(message);
                grown.end(branch, head);
            }
            grown.branches.push(new_branch(branch, fork, head, begun));
        }
        let last = grown.messages.last().and_then(|message| message.created_at);
        ImportedConversation {
            source: format!("export:{number}"),
            title: Some(self.language.sentence(4, random)),
            model: Some(MODELS[number % MODELS.len()].to_owned()),
            system_message: None,
            archived: number % ARCHIVED == 1,
            metadata: None,
            created_at: Some(begun),
            updated_at: last,
            messages: grown.messages,
            branches: grown.branches,
            branches_are_leaves: false,
            active_branch: 0,
        }
    }

    fn message(
        &self,
        index: usize,
        parent: Option<usize>,
        branch: usize,
        begun: DateTime<Utc>,
        random: &mut StdRng,
    ) -> ImportedMessage {
        let is_answer = index % 2 == 1;
        let at = begun + TimeDelta::seconds(i64::try_from(index).unwrap_or_default() * MESSAGE_SECONDS);
        ImportedMessage {
            source_id: index.to_string(),
            parent,
            branch,
            role: if is_answer { Role::Assistant } else { Role::User },
            content: self.language.text(random),
            parts: None,
            model: is_answer.then(|| MODELS[random.random_range(0..MODELS.len())].to_owned()),
            status: MessageStatus::Completed,
            finish_reason: is_answer.then(|| "stop".to_owned()),
            usage: is_answer.then(|| usage(random)),
            latency_ms: is_answer.then(|| random.random_range(200..20_000)),
            first_token_ms: is_answer.then(|| random.random_range(50..2_000)),
            tool_calls: None,
            tool_call_id: None,
            reasoning: None,
            metadata: None,
            merged_from: None,
            edited: false,
            created_at: Some(at),
            updated_at: Some(at),
        }
    }
}

/// A conversation that is being made.
#[derive(Default)]
struct Tree {
    messages: Vec<ImportedMessage>,
    branches: Vec<ImportedBranch>,
    /// Where each branch ends so far.
    ends: Vec<Option<usize>>,
}

impl Tree {
    fn end(&mut self, branch: usize, head: Option<usize>) {
        self.ends.resize(branch + 1, None);
        self.ends[branch] = head;
    }
}

fn usage(random: &mut StdRng) -> MessageUsage {
    let (prompt_tokens, completion_tokens) = (random.random_range(50..5_000), random.random_range(20..500));
    MessageUsage {
        prompt_tokens,
        completion_tokens,
        total_tokens: prompt_tokens + completion_tokens,
        cost_usd: Some(Money::from_nano(random.random_range(1_000..10_000_000))),
        estimated: false,
    }
}

fn new_branch(
    number: usize,
    fork: Option<usize>,
    head: Option<usize>,
    begun: DateTime<Utc>,
) -> ImportedBranch {
    ImportedBranch {
        source_id: number.to_string(),
        name: format!("Branch {number}"),
        status: BranchStatus::Active,
        is_main: number == 0,
        fork,
        head,
        created_at: Some(begun),
        updated_at: Some(begun),
    }
}
