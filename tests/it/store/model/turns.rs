//! Asking and answering.

use ai_chat_orchestrator::models::message::{MessageStatus, Role};
use ai_chat_orchestrator::services::conversations::title_from_answer;

use super::operations::{Told, cut, ensure};
use super::{A, Answer, B, C, M, Model, Refusal, UserNumber, said};
use crate::store::command::{End, Place, TurnKind};
use crate::store::user::{COMPLETION_TOKENS, PROMPT_TOKENS};

impl Model {
    /// Makes the place of an answer; tells what the model is sent.
    fn begin(&mut self, conversation: C, branch: B, parent: Option<M>, question: M, forked: bool) -> String {
        let mut place = said(Some(question), Role::Assistant, "");
        place.status = MessageStatus::Streaming;
        let place = self.append(conversation, branch, place);
        self.answers.push(Answer {
            conversation,
            parent,
            question,
            place,
            ended: false,
        });
        let conversation = &self.conversations[conversation.0];
        let path = conversation.path(Some(question));
        let kept = path.len().saturating_sub(self.limits.context_messages as usize);
        let context: Vec<&str> = path[kept..]
            .iter()
            .map(|number| conversation.messages[number].text.as_str())
            .collect();
        format!("{branch:?} forked={forked} {question:?} {place:?} {context:?}")
    }

    pub(super) fn ask_in_new(&mut self, user: UserNumber, text: &str) -> Told {
        let conversation = self.create(user, None)?;
        let main = self.conversations[conversation.0].main();
        let question = self.append(conversation, main, said(None, Role::User, text));
        Ok(self.begin(conversation, main, None, question, false))
    }

    pub(super) fn turn(&mut self, user: UserNumber, conversation: C, place: Place, kind: &TurnKind) -> Told {
        let (branch, parent) = self.find(user, conversation, place)?;
        self.ensure_nothing_runs(conversation, |answer| is_same_place(answer, parent))?;
        let asked = match kind {
            TurnKind::Say(text) => vec![(Role::User, text.clone(), None)],
            TurnKind::Tools(calls) => {
                let result = |call: &String| (Role::Tool, format!("result {call}"), Some(call.clone()));
                calls.iter().map(result).collect()
            }
        };
        self.ensure_room_for_messages(conversation, asked.len() + 1)?;
        if self.conversations[conversation.0].branches[&branch].head != parent {
            let current = self.conversations[conversation.0].branches.len();
            ensure(current < self.limits.branches as usize, Refusal::LimitReached)?;
        }
        if let TurnKind::Tools(calls) = kind {
            let parent = parent.map(|parent| &self.conversations[conversation.0].messages[&parent]);
            let mut open = parent.map(|parent| parent.calls.clone()).unwrap_or_default();
            let mut answered = calls.clone();
            open.sort();
            answered.sort();
            ensure(!open.is_empty() && open == answered, Refusal::InvalidToolResults)?;
        }
        let on = self.branch_below(conversation, branch, parent)?;
        let mut last = parent;
        for (role, text, call) in asked {
            let mut message = said(last, role, &text);
            message.call = call;
            last = Some(self.append(conversation, on, message));
        }
        let question = last.expect("something was asked");
        Ok(self.begin(conversation, on, parent, question, on != branch))
    }

    pub(super) fn regenerate(&mut self, user: UserNumber, conversation: C, message: M) -> Told {
        let here = self.conversation(user, conversation)?;
        let found = here.messages.get(&message).ok_or(Refusal::MessageNotFound)?;
        let question = match found.role {
            Role::User | Role::Tool => message,
            Role::Assistant => found.parent.ok_or(Refusal::Conflict)?,
            Role::System => return Err(Refusal::Conflict),
        };
        let mut ends_here = here
            .branches
            .iter()
            .filter(|(_, branch)| branch.head == Some(question));
        let in_place = if here.branches[&here.active].head == Some(question) {
            Some(here.active)
        } else {
            ends_here.next().map(|(number, _)| *number)
        };
        let unanswered = here.children(Some(question)).is_empty();
        self.ensure_nothing_runs(conversation, |answer| is_same_place(answer, Some(question)))?;
        self.ensure_room_for_messages(conversation, 1)?;
        match in_place.filter(|_| unanswered) {
            Some(branch) => Ok(self.begin(conversation, branch, Some(question), question, false)),
            None => {
                let branch = self.branch_off(conversation, Some(question))?;
                Ok(self.begin(conversation, branch, Some(question), question, true))
            }
        }
    }

    pub(super) fn end(&mut self, answer: A, end: &End, text: &str) {
        let Answer {
            conversation, place, ..
        } = self.answers[answer.0];
        self.answers[answer.0].ended = true;
        let conversation = &mut self.conversations[conversation.0];
        let Some(message) = conversation.messages.get_mut(&place) else {
            return;
        };
        if conversation.deleted || message.status != MessageStatus::Streaming {
            return;
        }
        match end {
            End::Withdrawn => cut(conversation, place),
            End::Stored { status, calls } => {
                message.status = *status;
                text.clone_into(&mut message.text);
                message.calls.clone_from(calls);
                message.tokens = Some(PROMPT_TOKENS + COMPLETION_TOKENS);
                if conversation.title.is_none() {
                    conversation.title = title_from_answer(text);
                }
            }
        }
    }
}

/// Whether an answer is being written where a turn would go.
fn is_same_place(answer: &Answer, parent: Option<M>) -> bool {
    answer.parent == parent || [Some(answer.question), Some(answer.place)].contains(&parent)
}
