//! A conversation as lines of text: what the model has, and what a store shows, written in the same way.

use std::fmt;

use ai_chat_orchestrator::models::branch::BranchStatus;
use ai_chat_orchestrator::models::message::{MessageStatus, Role};

use super::{B, Conversation, M};

/// What is compared of a branch.
#[derive(Debug)]
pub struct BranchLine {
    pub number: B,
    /// `None` where a store may choose it.
    pub name: Option<String>,
    pub status: BranchStatus,
    pub is_main: bool,
    pub is_active: bool,
    pub fork: Option<M>,
    pub head: Option<M>,
    pub messages: u64,
    pub own_messages: u64,
}

/// What is compared of a message.
#[derive(Debug)]
pub struct MessageLine {
    pub number: M,
    pub parent: Option<M>,
    pub role: Role,
    pub status: MessageStatus,
    pub text: String,
    pub calls: Vec<String>,
    pub call: Option<String>,
    pub tokens: Option<u64>,
    pub edited: bool,
    pub merged_from: Option<(Option<B>, M)>,
    pub children: Vec<M>,
}

impl fmt::Display for BranchLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            number,
            name,
            status,
            fork,
            head,
            messages,
            own_messages,
            ..
        } = self;
        let (main, active) = (
            if self.is_main { " main" } else { "" },
            if self.is_active { " active" } else { "" },
        );
        write!(
            f,
            "{number:?}{main}{active} {name:?} {} {fork:?}..{head:?} {messages} ({own_messages})",
            status.as_str()
        )
    }
}

impl fmt::Display for MessageLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            number,
            parent,
            text,
            calls,
            call,
            tokens,
            merged_from,
            children,
            ..
        } = self;
        let edited = if self.edited { " edited" } else { "" };
        write!(
            f,
            "{parent:?} > {number:?} > {children:?} {} {} {text:?}{edited} {calls:?} {call:?} {tokens:?} {merged_from:?}",
            self.role.as_str(),
            self.status.as_str()
        )
    }
}

/// What is compared of a conversation as a whole.
pub fn conversation_line(
    title: Option<&str>,
    archived: bool,
    preview: Option<&str>,
    tokens: u64,
    messages: u64,
    branches: u64,
) -> String {
    format!(
        "{title:?} archived={archived} {preview:?} {tokens} tokens, {messages} messages, {branches} branches"
    )
}

impl Conversation {
    /// The conversation as lines.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![conversation_line(
            self.title.as_deref(),
            self.archived,
            self.preview().as_deref(),
            self.tokens(),
            self.messages.len() as u64,
            self.branches.len() as u64,
        )];
        lines.extend(
            self.branches
                .keys()
                .map(|number| self.branch_line(*number).to_string()),
        );
        lines.extend(
            self.messages
                .keys()
                .map(|number| self.message_line(*number).to_string()),
        );
        lines
    }

    fn branch_line(&self, number: B) -> BranchLine {
        let branch = &self.branches[&number];
        let (path, shared) = (self.path(branch.head), self.path(branch.fork));
        assert!(path.starts_with(&shared), "the fork of {number:?} is on its path");
        BranchLine {
            number,
            name: branch.name.clone(),
            status: branch.status,
            is_main: branch.is_main,
            is_active: self.active == number,
            fork: branch.fork,
            head: branch.head,
            messages: path.len() as u64,
            own_messages: (path.len() - shared.len()) as u64,
        }
    }

    fn message_line(&self, number: M) -> MessageLine {
        let message = &self.messages[&number];
        MessageLine {
            number,
            parent: message.parent,
            role: message.role,
            status: message.status,
            text: message.text.clone(),
            calls: message.calls.clone(),
            call: message.call.clone(),
            tokens: message.tokens,
            edited: message.edited,
            merged_from: message.merged_from,
            children: self.children(Some(number)),
        }
    }
}
