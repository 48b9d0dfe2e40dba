//! What a program does, step by step: operations whose operands are numbers of the [`model`](super::model).

use ai_chat_orchestrator::models::branch::BranchStatus;
use ai_chat_orchestrator::models::message::{MessageStatus, Role};

use super::model::{A, B, C, M};

/// An operation on a store. What it names need not be there.
#[derive(Debug, Clone)]
pub enum Command {
    Create {
        title: Option<String>,
    },
    AskInNew {
        text: String,
    },
    Turn {
        conversation: C,
        place: Place,
        kind: TurnKind,
    },
    Regenerate {
        conversation: C,
        message: M,
    },
    End {
        answer: A,
        end: End,
        text: String,
    },
    Add {
        conversation: C,
        place: Place,
        role: Role,
        text: String,
    },
    Fork {
        conversation: C,
        at: M,
        activate: bool,
    },
    Edit {
        conversation: C,
        message: M,
        text: String,
        beside: bool,
    },
    DeleteMessage {
        conversation: C,
        message: M,
    },
    DeleteBranch {
        conversation: C,
        branch: B,
    },
    Activate {
        conversation: C,
        branch: B,
    },
    SetBranch {
        conversation: C,
        branch: B,
        name: String,
        status: BranchStatus,
    },
    SetConversation {
        conversation: C,
        title: Option<String>,
        archived: bool,
    },
    Merge {
        conversation: C,
        source: B,
        target: Option<B>,
        options: MergeOptions,
    },
    DeleteConversation {
        conversation: C,
    },
    /// Export and import.
    Copy {
        conversation: C,
    },
}

/// Where something is appended.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    pub branch: Option<B>,
    pub parent: Option<M>,
}

/// What a turn brings.
#[derive(Debug, Clone)]
pub enum TurnKind {
    Say(String),
    /// Results of these calls.
    Tools(Vec<String>),
}

/// How an answer ends.
#[derive(Debug, Clone)]
pub enum End {
    Stored {
        status: MessageStatus,
        calls: Vec<String>,
    },
    Withdrawn,
}

/// How branches are merged.
#[derive(Debug, Clone, Copy)]
pub struct MergeOptions {
    pub fast_forward_only: bool,
    pub delete_source: bool,
    pub dry_run: bool,
    pub expected_head: Option<M>,
}

impl Command {
    /// The conversation that it names.
    pub const fn conversation(&self) -> Option<C> {
        match self {
            Self::Create { .. } | Self::AskInNew { .. } | Self::End { .. } => None,
            Self::Turn { conversation, .. }
            | Self::Regenerate { conversation, .. }
            | Self::Add { conversation, .. }
            | Self::Fork { conversation, .. }
            | Self::Edit { conversation, .. }
            | Self::DeleteMessage { conversation, .. }
            | Self::DeleteBranch { conversation, .. }
            | Self::Activate { conversation, .. }
            | Self::SetBranch { conversation, .. }
            | Self::SetConversation { conversation, .. }
            | Self::Merge { conversation, .. }
            | Self::DeleteConversation { conversation }
            | Self::Copy { conversation } => Some(*conversation),
        }
    }
}
