//! What may be done with conversations. An operation that is refused has changed nothing.

use ai_chat_orchestrator::models::branch::BranchStatus;
use ai_chat_orchestrator::models::message::Role;

use super::{Answer, B, Branch, C, Conversation, M, Message, Model, Refusal, UserNumber, said};
use crate::store::command::{Command, Place};

/// What an operation tells beside that it was done, in words: compared with what the store tells.
pub type Told = Result<String, Refusal>;

/// Refuses unless something holds.
pub(super) const fn ensure(holds: bool, refusal: Refusal) -> Result<(), Refusal> {
    if holds { Ok(()) } else { Err(refusal) }
}

impl Model {
    /// Does what a command says.
    pub fn apply(&mut self, user: UserNumber, command: &Command) -> Told {
        let done = |()| String::new();
        match command {
            Command::Create { title } => self.create(user, title.clone()).map(|_| String::new()),
            Command::AskInNew { text } => self.ask_in_new(user, text),
            Command::Turn {
                conversation,
                place,
                kind,
            } => self.turn(user, *conversation, *place, kind),
            Command::Regenerate {
                conversation,
                message,
            } => self.regenerate(user, *conversation, *message),
            Command::End { answer, end, text } => {
                self.end(*answer, end, text);
                Ok(String::new())
            }
            Command::Add {
                conversation,
                place,
                role,
                text,
            } => self.add(user, *conversation, *place, *role, text),
            Command::Fork {
                conversation,
                at,
                activate,
            } => self.fork(user, *conversation, *at, *activate).map(done),
            Command::Edit {
                conversation,
                message,
                text,
                beside,
            } => self.edit(user, *conversation, *message, text, *beside).map(done),
            Command::DeleteMessage {
                conversation,
                message,
            } => self.delete_message(user, *conversation, *message),
            Command::DeleteBranch { conversation, branch } => {
                self.delete_branch(user, *conversation, *branch)
            }
            Command::Activate { conversation, branch } => {
                self.activate(user, *conversation, *branch).map(done)
            }
            Command::SetBranch {
                conversation,
                branch,
                name,
                status,
            } => {
                let branch = self.branch_mut(user, *conversation, *branch)?;
                (branch.name, branch.status) = (Some(name.clone()), *status);
                Ok(String::new())
            }
            Command::SetConversation {
                conversation,
                title,
                archived,
            } => {
                let conversation = self.conversation_mut(user, *conversation)?;
                (conversation.title, conversation.archived) = (title.clone(), *archived);
                Ok(String::new())
            }
            Command::Merge {
                conversation,
                source,
                target,
                options,
            } => self.merge(user, *conversation, *source, *target, *options),
            Command::DeleteConversation { conversation } => {
                self.conversation_mut(user, *conversation)?.deleted = true;
                Ok(String::new())
            }
            Command::Copy { conversation } => self.copy(user, *conversation).map(done),
        }
    }

    pub(super) fn conversation(&self, user: UserNumber, number: C) -> Result<&Conversation, Refusal> {
        let conversation = self.conversations.get(number.0);
        conversation
            .filter(|conversation| conversation.owner == user && !conversation.deleted)
            .ok_or(Refusal::ConversationNotFound)
    }

    pub(super) fn conversation_mut(
        &mut self,
        user: UserNumber,
        number: C,
    ) -> Result<&mut Conversation, Refusal> {
        self.conversation(user, number)?;
        Ok(&mut self.conversations[number.0])
    }

    fn branch_mut(&mut self, user: UserNumber, conversation: C, number: B) -> Result<&mut Branch, Refusal> {
        let conversation = self.conversation_mut(user, conversation)?;
        conversation
            .branches
            .get_mut(&number)
            .ok_or(Refusal::BranchNotFound)
    }

    pub(super) fn ensure_room_for_conversation(&self, user: UserNumber) -> Result<(), Refusal> {
        let current = self.conversations_of(user).count();
        ensure(
            current < self.limits.conversations as usize,
            Refusal::LimitReached,
        )
    }

    pub(super) fn ensure_room_for_messages(&self, conversation: C, adding: usize) -> Result<(), Refusal> {
        let after = self.conversations[conversation.0].messages.len() + adding;
        ensure(after <= self.limits.messages as usize, Refusal::LimitReached)
    }

    pub(super) fn ensure_nothing_runs(
        &self,
        conversation: C,
        in_the_way: impl Fn(&Answer) -> bool,
    ) -> Result<(), Refusal> {
        let runs = self.running(conversation).any(in_the_way);
        ensure(!runs, Refusal::GenerationInProgress)
    }

    pub(super) fn create(&mut self, user: UserNumber, title: Option<String>) -> Result<C, Refusal> {
        self.ensure_room_for_conversation(user)?;
        let main = self.next_branch();
        let branch = Branch {
            name: Some("Main".to_owned()),
            status: BranchStatus::Active,
            is_main: true,
            fork: None,
            head: None,
            source: None,
        };
        self.conversations.push(Conversation {
            owner: user,
            deleted: false,
            title,
            archived: false,
            copy_of: None,
            source_fields: None,
            messages: [].into(),
            branches: [(main, branch)].into(),
            active: main,
        });
        Ok(C(self.conversations.len() - 1))
    }

    /// The branch and the message that a place names.
    pub(super) fn find(
        &self,
        user: UserNumber,
        conversation: C,
        place: Place,
    ) -> Result<(B, Option<M>), Refusal> {
        let conversation = self.conversation(user, conversation)?;
        let branch = place.branch.unwrap_or(conversation.active);
        let head = conversation
            .branches
            .get(&branch)
            .ok_or(Refusal::BranchNotFound)?
            .head;
        if let Some(parent) = place.parent {
            ensure(
                conversation.messages.contains_key(&parent),
                Refusal::MessageNotFound,
            )?;
        }
        Ok((branch, place.parent.or(head)))
    }

    /// Makes an active branch.
    pub(super) fn branch_off(&mut self, conversation: C, at: Option<M>) -> Result<B, Refusal> {
        let current = self.conversations[conversation.0].branches.len();
        ensure(current < self.limits.branches as usize, Refusal::LimitReached)?;
        let number = self.next_branch();
        let branch = Branch {
            name: None,
            status: BranchStatus::Active,
            is_main: false,
            fork: at,
            head: at,
            source: None,
        };
        let conversation = &mut self.conversations[conversation.0];
        conversation.branches.insert(number, branch);
        conversation.active = number;
        Ok(number)
    }

    /// The branch itself if it ends at the parent, else one that is forked there.
    pub(super) fn branch_below(
        &mut self,
        conversation: C,
        branch: B,
        parent: Option<M>,
    ) -> Result<B, Refusal> {
        if self.conversations[conversation.0].branches[&branch].head == parent {
            return Ok(branch);
        }
        self.branch_off(conversation, parent)
    }

    /// Appends a message to a branch.
    pub(super) fn append(&mut self, conversation: C, branch: B, message: Message) -> M {
        let number = self.next_message();
        let conversation = &mut self.conversations[conversation.0];
        conversation.messages.insert(number, message);
        let branch = conversation.branches.get_mut(&branch).expect("the branch");
        (branch.head, branch.status) = (Some(number), BranchStatus::Active);
        number
    }

    fn add(&mut self, user: UserNumber, conversation: C, place: Place, role: Role, text: &str) -> Told {
        let (branch, parent) = self.find(user, conversation, place)?;
        self.ensure_nothing_runs(conversation, |answer| {
            [Some(answer.question), Some(answer.place)].contains(&parent)
        })?;
        self.ensure_room_for_messages(conversation, 1)?;
        let branch = self.branch_below(conversation, branch, parent)?;
        let added = self.append(conversation, branch, said(parent, role, text));
        Ok(format!("{added:?} on {branch:?}"))
    }

    fn fork(&mut self, user: UserNumber, conversation: C, at: M, activate: bool) -> Result<(), Refusal> {
        let here = self.conversation(user, conversation)?;
        ensure(here.messages.contains_key(&at), Refusal::MessageNotFound)?;
        let active = here.active;
        self.branch_off(conversation, Some(at))?;
        if !activate {
            self.conversations[conversation.0].active = active;
        }
        Ok(())
    }

    fn edit(
        &mut self,
        user: UserNumber,
        conversation: C,
        message: M,
        text: &str,
        beside: bool,
    ) -> Result<(), Refusal> {
        let here = self.conversation(user, conversation)?;
        let found = here.messages.get(&message).ok_or(Refusal::MessageNotFound)?;
        let parent = found.parent;
        ensure(found.role == Role::User, Refusal::Conflict)?;
        if beside {
            self.ensure_room_for_messages(conversation, 1)?;
            let branch = self.branch_off(conversation, parent)?;
            self.append(conversation, branch, said(parent, Role::User, text));
            return Ok(());
        }
        self.ensure_nothing_runs(conversation, |answer| answer.question == message)?;
        let here = &mut self.conversations[conversation.0];
        let found = here.messages.get_mut(&message).expect("the message");
        (found.text, found.edited) = (text.to_owned(), true);
        Ok(())
    }

    fn delete_message(&mut self, user: UserNumber, conversation: C, message: M) -> Told {
        let here = self.conversation(user, conversation)?;
        ensure(here.messages.contains_key(&message), Refusal::MessageNotFound)?;
        let gone = here.subtree(message);
        self.ensure_nothing_runs(conversation, |answer| gone.contains(&answer.place))?;
        cut(&mut self.conversations[conversation.0], message);
        Ok(format!("{} deleted", gone.len()))
    }

    fn delete_branch(&mut self, user: UserNumber, conversation: C, branch: B) -> Told {
        let here = self.conversation(user, conversation)?;
        let found = here.branches.get(&branch).ok_or(Refusal::BranchNotFound)?;
        ensure(!found.is_main, Refusal::BranchIsMain)?;
        ensure(here.active != branch, Refusal::BranchIsActive)?;
        let gone = self.remove_branch(conversation, branch)?;
        Ok(format!("{gone} deleted"))
    }

    /// Removes a branch with the messages that no other reaches; tells how many they are.
    pub(super) fn remove_branch(&mut self, conversation: C, branch: B) -> Result<usize, Refusal> {
        let here = &self.conversations[conversation.0];
        let others = here.branches.keys().filter(|other| **other != branch);
        let reached: Vec<M> = others.flat_map(|other| here.path_of(*other)).collect();
        let lost: Vec<M> = here
            .messages
            .keys()
            .filter(|message| !reached.contains(message))
            .copied()
            .collect();
        self.ensure_nothing_runs(conversation, |answer| lost.contains(&answer.place))?;
        let here = &mut self.conversations[conversation.0];
        here.branches.remove(&branch);
        here.messages.retain(|message, _| !lost.contains(message));
        Ok(lost.len())
    }

    fn activate(&mut self, user: UserNumber, conversation: C, branch: B) -> Result<(), Refusal> {
        self.branch_mut(user, conversation, branch)?.status = BranchStatus::Active;
        self.conversations[conversation.0].active = branch;
        Ok(())
    }
}

/// Removes a message with all that follows it; what ended or forked there ends and forks before it.
pub(super) fn cut(conversation: &mut Conversation, message: M) {
    let gone = conversation.subtree(message);
    let before = conversation.messages[&message].parent;
    for branch in conversation.branches.values_mut() {
        for end in [&mut branch.head, &mut branch.fork] {
            if end.is_some_and(|end| gone.contains(&end)) {
                *end = before;
            }
        }
    }
    conversation.messages.retain(|number, _| !gone.contains(number));
}
