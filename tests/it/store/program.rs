//! Random programs: lists of steps that name what they are about by places in what is there when they run.
//!
//! So a step stays meaningful when steps before it are taken away, and programs shrink well. Now and then a step is about
//! something that was made anywhere at any time: of another conversation, of another user, deleted.

use ai_chat_orchestrator::models::branch::BranchStatus;
use ai_chat_orchestrator::models::message::{MessageStatus, Role};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::command::{Command, End, MergeOptions, Place, TurnKind};
use super::model::{A, B, C, Conversation, M, Model, UserNumber};

/// Users that take part.
pub const USERS: usize = 2;

/// Most steps of a program.
const MAX_STEPS: usize = 30;

/// The words of which all texts are made.
pub const WORDS: [&str; 8] = [
    "alpha",
    "Alphabet",
    "\u{e9}cru",
    "ECRU",
    "東京都",
    "京",
    "😀",
    "b",
];

/// A query, and for each of its parts the words that have it.
pub const QUERIES: [(&str, &[&[usize]]); 7] = [
    ("alpha", &[&[0, 1]]),
    ("alphab 😀", &[&[1], &[6]]),
    ("e\u{301}cr", &[&[2, 3]]),
    ("東京", &[&[4]]),
    ("京", &[&[4, 5]]),
    ("B", &[&[7]]),
    ("beta", &[&[]]),
];

/// One of what is there, or with `Stray` of all that was ever made.
#[derive(Debug, Clone)]
pub enum Pick {
    Near(Index),
    Stray(Index),
}

/// A step of a program.
#[derive(Debug, Clone)]
pub struct Step {
    /// Who does it.
    pub user: UserNumber,
    conversation: Pick,
    action: Action,
}

#[derive(Debug, Clone)]
enum Action {
    Create(Option<String>),
    AskInNew(String),
    Say {
        branch: Option<Pick>,
        parent: Option<Pick>,
        text: String,
    },
    UseTools {
        parent: Option<Pick>,
        spoilt: bool,
    },
    Regenerate(Pick),
    End {
        answer: Index,
        end: End,
        text: String,
    },
    Add {
        branch: Option<Pick>,
        parent: Option<Pick>,
        role: Role,
        text: String,
    },
    Fork {
        at: Pick,
        activate: bool,
    },
    Edit {
        message: Pick,
        text: String,
        beside: bool,
    },
    DeleteMessage(Pick),
    DeleteBranch(Pick),
    Activate(Pick),
    SetBranch {
        branch: Pick,
        name: String,
        status: BranchStatus,
    },
    SetConversation {
        title: Option<String>,
        archived: bool,
    },
    Merge {
        source: Pick,
        target: Option<Pick>,
        options: MergeOptions,
        expected: Option<Pick>,
    },
    DeleteConversation,
    Copy,
}

/// Programs of any length.
pub fn programs() -> impl Strategy<Value = Vec<Step>> {
    vec(steps(), 1..=MAX_STEPS)
}

fn steps() -> impl Strategy<Value = Step> {
    let user = prop_oneof![5 => Just(0), 1 => Just(1)];
    (user, picks(), actions()).prop_map(|(user, conversation, action)| Step {
        user,
        conversation,
        action,
    })
}

fn picks() -> impl Strategy<Value = Pick> {
    prop_oneof![
        20 => any::<Index>().prop_map(Pick::Near),
        1 => any::<Index>().prop_map(Pick::Stray),
    ]
}

fn texts() -> impl Strategy<Value = String> {
    vec(select(&WORDS[..]), 1..4).prop_map(|words| words.join(" "))
}

/// Answers that call tools, and ones that say something.
fn ends() -> impl Strategy<Value = End> {
    let status = select(vec![
        MessageStatus::Completed,
        MessageStatus::Completed,
        MessageStatus::Cancelled,
        MessageStatus::Interrupted,
        MessageStatus::Failed,
    ]);
    let calls = prop_oneof![3 => Just(0..0), 1 => Just(0..2)];
    let stored = (status, calls).prop_map(|(status, calls)| End::Stored {
        status,
        calls: calls.map(|call| format!("call{call}")).collect(),
    });
    prop_oneof![6 => stored, 1 => Just(End::Withdrawn)]
}

fn actions() -> impl Strategy<Value = Action> {
    prop_oneof![
        12 => talk(),
        10 => shape(),
        6 => merges(),
        4 => conversations(),
    ]
}

/// Saying something, with a model and without.
fn talk() -> impl Strategy<Value = Action> {
    let places = || (option::weighted(0.3, picks()), option::weighted(0.3, picks()));
    let role = select(vec![Role::User, Role::User, Role::Assistant, Role::System]);
    prop_oneof![
        4 => (places(), texts()).prop_map(|((branch, parent), text)| Action::Say { branch, parent, text }),
        1 => (option::of(picks()), prop::bool::weighted(0.2))
            .prop_map(|(parent, spoilt)| Action::UseTools { parent, spoilt }),
        2 => picks().prop_map(Action::Regenerate),
        5 => (any::<Index>(), ends(), texts()).prop_map(|(answer, end, text)| Action::End { answer, end, text }),
        4 => (places(), role, texts())
            .prop_map(|((branch, parent), role, text)| Action::Add { branch, parent, role, text }),
    ]
}

/// Changing the tree.
fn shape() -> impl Strategy<Value = Action> {
    let status = select(vec![
        BranchStatus::Active,
        BranchStatus::Merged,
        BranchStatus::Abandoned,
    ]);
    prop_oneof![
        3 => (picks(), any::<bool>()).prop_map(|(at, activate)| Action::Fork { at, activate }),
        3 => (picks(), texts(), any::<bool>())
            .prop_map(|(message, text, beside)| Action::Edit { message, text, beside }),
        2 => picks().prop_map(Action::DeleteMessage),
        2 => picks().prop_map(Action::DeleteBranch),
        2 => picks().prop_map(Action::Activate),
        1 => (picks(), texts(), status)
            .prop_map(|(branch, name, status)| Action::SetBranch { branch, name, status }),
    ]
}

fn merges() -> impl Strategy<Value = Action> {
    let flag = || prop::bool::weighted(0.15);
    let expected = option::weighted(0.15, picks());
    (picks(), option::of(picks()), flag(), flag(), flag(), expected).prop_map(
        |(source, target, fast_forward_only, delete_source, dry_run, expected)| Action::Merge {
            source,
            target,
            options: MergeOptions {
                fast_forward_only,
                delete_source,
                dry_run,
                expected_head: None,
            },
            expected,
        },
    )
}

fn conversations() -> impl Strategy<Value = Action> {
    prop_oneof![
        2 => option::of(texts()).prop_map(Action::Create),
        1 => texts().prop_map(Action::AskInNew),
        1 => (option::of(texts()), any::<bool>())
            .prop_map(|(title, archived)| Action::SetConversation { title, archived }),
        1 => Just(Action::DeleteConversation),
        6 => Just(Action::Copy),
    ]
}

impl Step {
    /// What the step is about in this state; `None` where there is nothing that it could be about.
    pub fn resolve(&self, model: &Model) -> Option<Command> {
        match &self.action {
            Action::Create(title) => return Some(Command::Create { title: title.clone() }),
            Action::AskInNew(text) => return Some(Command::AskInNew { text: text.clone() }),
            Action::End { answer, end, text } => return resolve_end(model, answer, end, text),
            _ => {}
        }
        let number = self.conversation(model)?;
        let scene = Scene {
            model,
            number,
            conversation: &model.conversations[number.0],
        };
        scene.resolve(&self.action)
    }

    fn conversation(&self, model: &Model) -> Option<C> {
        let own: Vec<C> = model
            .conversations_of(self.user)
            .map(|(number, _)| number)
            .collect();
        pick(&self.conversation, &own, model.conversations.len()).map(|picked| picked.unwrap_or_else(C))
    }
}

/// An answer that has not ended, if there is one: few programs should end everything twice.
fn resolve_end(model: &Model, answer: &Index, end: &End, text: &str) -> Option<Command> {
    let all = model.answers.len();
    let open: Vec<usize> = (0..all).filter(|number| !model.answers[*number].ended).collect();
    let number = match (open.is_empty(), all) {
        (_, 0) => return None,
        (true, all) => answer.index(all),
        (false, _) => *answer.get(&open),
    };
    let text = match end {
        End::Withdrawn => String::new(),
        End::Stored { .. } => text.to_owned(),
    };
    Some(Command::End {
        answer: A(number),
        end: end.clone(),
        text,
    })
}

/// Where a step takes place.
struct Scene<'a> {
    model: &'a Model,
    number: C,
    conversation: &'a Conversation,
}

impl Scene<'_> {
    fn resolve(&self, action: &Action) -> Option<Command> {
        let conversation = self.number;
        Some(match action {
            Action::Say { branch, parent, text } => Command::Turn {
                conversation,
                place: self.place(branch.as_ref(), parent.as_ref()),
                kind: TurnKind::Say(text.clone()),
            },
            Action::UseTools { parent, spoilt } => self.use_tools(parent.as_ref(), *spoilt),
            Action::Regenerate(message) => Command::Regenerate {
                conversation,
                message: self.message(message)?,
            },
            Action::Add {
                branch,
                parent,
                role,
                text,
            } => Command::Add {
                conversation,
                place: self.place(branch.as_ref(), parent.as_ref()),
                role: *role,
                text: text.clone(),
            },
            Action::Fork { at, activate } => Command::Fork {
                conversation,
                at: self.message(at)?,
                activate: *activate,
            },
            Action::Edit {
                message,
                text,
                beside,
            } => Command::Edit {
                conversation,
                message: self.message(message)?,
                text: text.clone(),
                beside: *beside,
            },
            Action::DeleteMessage(message) => Command::DeleteMessage {
                conversation,
                message: self.message(message)?,
            },
            Action::DeleteBranch(branch) => Command::DeleteBranch {
                conversation,
                branch: self.branch(branch)?,
            },
            Action::Activate(branch) => Command::Activate {
                conversation,
                branch: self.branch(branch)?,
            },
            Action::SetBranch { branch, name, status } => Command::SetBranch {
                conversation,
                branch: self.branch(branch)?,
                name: name.clone(),
                status: *status,
            },
            Action::SetConversation { title, archived } => Command::SetConversation {
                conversation,
                title: title.clone(),
                archived: *archived,
            },
            Action::Merge {
                source,
                target,
                options,
                expected,
            } => Command::Merge {
                conversation,
                source: self.branch(source)?,
                target: target.as_ref().and_then(|target| self.branch(target)),
                options: MergeOptions {
                    expected_head: expected.as_ref().and_then(|expected| self.message(expected)),
                    ..*options
                },
            },
            Action::DeleteConversation => Command::DeleteConversation { conversation },
            Action::Copy => Command::Copy { conversation },
            Action::Create(_) | Action::AskInNew(_) | Action::End { .. } => return None,
        })
    }

    fn place(&self, branch: Option<&Pick>, parent: Option<&Pick>) -> Place {
        Place {
            branch: branch.and_then(|branch| self.branch(branch)),
            parent: parent.and_then(|parent| self.message(parent)),
        }
    }

    fn message(&self, wanted: &Pick) -> Option<M> {
        let here: Vec<M> = self.conversation.messages.keys().copied().collect();
        pick(wanted, &here, self.model.messages_made).map(|picked| picked.unwrap_or_else(M))
    }

    fn branch(&self, wanted: &Pick) -> Option<B> {
        let here: Vec<B> = self.conversation.branches.keys().copied().collect();
        pick(wanted, &here, self.model.branches_made).map(|picked| picked.unwrap_or_else(B))
    }

    /// Results of the calls of a message, or of some that it did not make.
    fn use_tools(&self, parent: Option<&Pick>, spoilt: bool) -> Command {
        let place = self.place(None, parent);
        let active = &self.conversation.branches[&self.conversation.active];
        let calling = place.parent.or(active.head);
        let message = calling.and_then(|calling| self.conversation.messages.get(&calling));
        let mut calls = message.map(|message| message.calls.clone()).unwrap_or_default();
        calls.reverse();
        if spoilt || calls.is_empty() {
            calls.push("unknown".to_owned());
        }
        Command::Turn {
            conversation: self.number,
            place,
            kind: TurnKind::Tools(calls),
        }
    }
}

/// One of those near, or the number of any that was ever made.
fn pick<T: Copy>(wanted: &Pick, near: &[T], made: usize) -> Option<Result<T, usize>> {
    match wanted {
        Pick::Near(index) => (!near.is_empty()).then(|| Ok(*index.get(near))),
        Pick::Stray(index) => (made > 0).then(|| Err(index.index(made))),
    }
}
