//! What a store shows, in the words of the model.

use ai_chat_orchestrator::models::branch::{Branch, MergeResult};
use ai_chat_orchestrator::models::conversation::{ConversationStatus, FullConversation};
use ai_chat_orchestrator::models::ids::{BranchId, MessageId};
use ai_chat_orchestrator::models::message::Message;
use ai_chat_orchestrator::models::money::Money;
use ai_chat_orchestrator::services::conversations::Turn;
use serde::Deserialize;

use super::Runner;
use super::execute::Happened;
use crate::store::chat::words;
use crate::store::model::{self, B, BranchLine, Conversation, M, MessageLine, conversation_line};
use crate::store::user::{COMPLETION_TOKENS, COST, PROMPT_TOKENS};

/// What the metadata of a merged copy says.
#[derive(Default, Deserialize)]
struct Provenance {
    merged_from: Option<MergedFrom>,
}

#[derive(Deserialize)]
struct MergedFrom {
    branch_id: BranchId,
    message_id: MessageId,
}

#[derive(Deserialize)]
struct Call {
    id: String,
}

impl Runner<'_> {
    /// A stored conversation as lines; names of branches only where the model knows them.
    pub(super) fn lines_of(
        &self,
        expected: &Conversation,
        full: &FullConversation,
    ) -> Result<Vec<String>, String> {
        let shown = &full.conversation;
        let answers = shown.total_tokens / (PROMPT_TOKENS + COMPLETION_TOKENS);
        if shown.total_cost != Money::from_nano(COST.nano() * i64::try_from(answers).unwrap_or_default()) {
            return Err(format!("{} tokens cost {}", shown.total_tokens, shown.total_cost));
        }
        let newest = full.messages.iter().map(|message| message.created_at).max();
        if shown.last_message_at != newest {
            return Err(format!(
                "the last message at {:?} instead of {newest:?}",
                shown.last_message_at
            ));
        }
        let mut lines = vec![conversation_line(
            shown.title.as_deref(),
            shown.status == ConversationStatus::Archived,
            shown.preview.as_deref(),
            shown.total_tokens,
            shown.message_count,
            shown.branch_count,
        )];
        let mut branches = Vec::new();
        for branch in &full.branches {
            branches.push(self.branch_line(expected, branch)?);
        }
        branches.sort_by_key(|line| line.number);
        lines.extend(branches.iter().map(ToString::to_string));
        for message in &full.messages {
            lines.push(self.message_line(expected, message)?.to_string());
        }
        Ok(lines)
    }

    fn branch_line(&self, expected: &Conversation, branch: &Branch) -> Result<BranchLine, String> {
        let number = self.names.known_branch(branch.id)?;
        let known = expected.branches.get(&number);
        let is_named = known.is_some_and(|branch| branch.name.is_some());
        Ok(BranchLine {
            number,
            name: is_named.then(|| branch.name.clone()),
            status: branch.status,
            is_main: branch.is_main,
            is_active: branch.is_active,
            fork: self.message(branch.parent_message_id)?,
            head: self.message(branch.head_message_id)?,
            messages: branch.message_count,
            own_messages: branch.own_message_count,
        })
    }

    fn message_line(&self, expected: &Conversation, message: &Message) -> Result<MessageLine, String> {
        let number = self.names.message_number(message.id)?;
        let known = expected.messages.get(&number).and_then(|known| known.merged_from);
        let provenance: Provenance = json(message.metadata.get())?;
        let merged_from = match provenance.merged_from {
            Some(from) => {
                let (branch, message) = (from.branch_id, from.message_id);
                let branch = self.names.known_branch(branch)?;
                let is_known = known.is_some_and(|(branch, _)| branch.is_some());
                Some((is_known.then_some(branch), self.names.message_number(message)?))
            }
            None => None,
        };
        let calls: Vec<Call> = match &message.tool_calls {
            Some(calls) => json(calls.get())?,
            None => Vec::new(),
        };
        let children: Result<Vec<M>, String> = message
            .children
            .iter()
            .map(|child| self.names.message_number(*child))
            .collect();
        let children = children?;
        if message.has_branches != (children.len() > 1) {
            return Err(format!("has_branches={} with {children:?}", message.has_branches));
        }
        Ok(MessageLine {
            number,
            parent: self.message(message.parent_id)?,
            role: message.role,
            status: message.status,
            text: words(message),
            calls: calls.into_iter().map(|call| call.id).collect(),
            call: message.tool_call_id.clone(),
            tokens: message.usage.as_ref().map(|usage| usage.total_tokens),
            edited: message.edited,
            merged_from,
            children,
        })
    }

    fn message(&self, id: Option<MessageId>) -> Result<Option<M>, String> {
        id.map(|id| self.names.message_number(id)).transpose()
    }

    /// The branches of a stored conversation as the model has them.
    pub(super) fn branches_of(
        &self,
        full: &FullConversation,
    ) -> Result<Vec<(Option<B>, model::Branch)>, String> {
        let mut sorted: Vec<&Branch> = full.branches.iter().collect();
        sorted.sort_by_key(|branch| branch.id);
        let branch = |branch: &&Branch| {
            let read = model::Branch {
                name: None,
                status: branch.status,
                is_main: branch.is_main,
                fork: self.message(branch.parent_message_id)?,
                head: self.message(branch.head_message_id)?,
                source: None,
            };
            Ok((self.names.branch_number(branch.id), read))
        };
        sorted.iter().map(branch).collect()
    }

    /// What the store tells about what it did, as the model says it.
    pub(super) fn words_of(&self, happened: &Happened) -> Result<String, String> {
        Ok(match happened {
            Happened::Done | Happened::Created(_) | Happened::Copied(..) => String::new(),
            Happened::Began(turn, _) => self.words_of_turn(turn)?,
            Happened::Added(message, branch) => {
                let message = self.names.message_number(*message)?;
                format!("{message:?} on {:?}", self.names.known_branch(*branch)?)
            }
            Happened::Deleted(count) => format!("{count} deleted"),
            Happened::Merged(merged) => self.words_of_merge(merged)?,
        })
    }

    fn words_of_turn(&self, turn: &Turn) -> Result<String, String> {
        let branch = self.names.known_branch(turn.branch_id)?;
        let question = self.names.message_number(turn.user_message_id)?;
        let place = self.names.message_number(turn.message_id)?;
        let context: Vec<&str> = turn
            .context
            .iter()
            .map(|message| message.content.as_str())
            .collect();
        Ok(format!(
            "{branch:?} forked={} {question:?} {place:?} {context:?}",
            turn.forked
        ))
    }

    fn words_of_merge(&self, merged: &MergeResult) -> Result<String, String> {
        if merged.already_merged != (merged.merged_message_count == 0) {
            return Err(format!("{merged:?}"));
        }
        let target = self.names.known_branch(merged.target_branch_id)?;
        let head = self.message(merged.head_message_id)?;
        Ok(format!(
            "{} into {target:?} fast={} head={head:?}",
            merged.merged_message_count, merged.fast_forward
        ))
    }
}

fn json<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, String> {
    serde_json::from_str(json).map_err(|error| error.to_string())
}
