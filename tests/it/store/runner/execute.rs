//! A command, done by the store.

use std::sync::Arc;

use ai_chat_orchestrator::models::branch::MergeResult;
use ai_chat_orchestrator::models::conversation::ConversationStatus;
use ai_chat_orchestrator::models::ids::{BranchId, ConversationId, MessageId, StreamId};
use ai_chat_orchestrator::services::conversations::{
    AnswerOutcome, BranchChanges, ConversationChanges, ImportOutcome, Merge, MessageEdit, NewBranch,
    NewBranchName, NewConversation, NewMessage, StoreError, ToolResult, Turn, TurnInput, TurnTarget,
};
use serde_json::json;

use super::Runner;
use crate::store::chat::raw;
use crate::store::command::{Command, End, MergeOptions, Place, TurnKind};
use crate::store::imports::exported;
use crate::store::model::{A, B, C, UserNumber};
use crate::store::user::{User, text};

/// What the store tells about what it did.
#[derive(Debug)]
pub enum Happened {
    Done,
    Created(ConversationId),
    Began(Turn, StreamId),
    Added(MessageId, BranchId),
    Deleted(u64),
    Merged(MergeResult),
    Copied(ConversationId, ImportOutcome),
}

impl Runner<'_> {
    pub(super) async fn execute(
        &self,
        number: UserNumber,
        command: &Command,
    ) -> Result<Happened, StoreError> {
        let (store, user) = (self.store, &self.users[number]);
        let done = |()| Happened::Done;
        let conversation = command
            .conversation()
            .map(|number| self.names.conversation(number));
        let id = conversation.unwrap_or_else(|| ConversationId::new(&store.clock));
        let chat = user.open(id);
        match command {
            Command::Create { title } => {
                let new = NewConversation {
                    title: title.clone(),
                    ..NewConversation::default()
                };
                let made = store.create_conversation(&user.caller, new).await?;
                Ok(Happened::Created(made.conversation.id))
            }
            Command::AskInNew { text: words } => {
                self.begin(user, TurnTarget::NewConversation, TurnInput::Message(text(words)))
                    .await
            }
            Command::Turn {
                conversation,
                place,
                kind,
            } => {
                self.begin(user, self.target(*conversation, *place), input(kind))
                    .await
            }
            Command::Regenerate { message, .. } => {
                self.begin(user, chat.again(self.names.message(*message)), TurnInput::Again)
                    .await
            }
            Command::End { answer, end, text } => self.end(*answer, end, text).await.map(done),
            Command::Add {
                place,
                role,
                text: words,
                ..
            } => {
                let new = NewMessage {
                    role: *role,
                    content: text(words),
                    branch: place.branch.map(|branch| self.names.branch(branch)),
                    parent: place.parent.map(|parent| self.names.message(parent)),
                    metadata: None,
                };
                let added = chat.add(new).await?;
                Ok(Happened::Added(added.id, added.branch_id))
            }
            Command::Fork { at, activate, .. } => {
                let new = NewBranch {
                    fork: self.names.message(*at),
                    name: None,
                    activate: *activate,
                };
                chat.create_branch(new).await.map(|_| Happened::Done)
            }
            Command::Edit {
                message,
                text: words,
                beside,
                ..
            } => {
                let edit = MessageEdit {
                    content: text(words),
                    new_branch: beside.then(NewBranchName::default),
                };
                let edited = store
                    .edit_message(user.id(), id, self.names.message(*message), edit)
                    .await;
                edited.map(|_| Happened::Done)
            }
            Command::DeleteMessage { message, .. } => chat
                .delete(self.names.message(*message))
                .await
                .map(Happened::Deleted),
            Command::DeleteBranch { branch, .. } => chat
                .delete_branch(self.names.branch(*branch))
                .await
                .map(Happened::Deleted),
            Command::Activate { branch, .. } => {
                let activated = store
                    .activate_branch(user.id(), id, self.names.branch(*branch))
                    .await;
                activated.map(|_| Happened::Done)
            }
            Command::SetBranch {
                branch, name, status, ..
            } => {
                let changes = BranchChanges {
                    name: Some(name.clone()),
                    status: Some(*status),
                };
                let changed = store
                    .update_branch(user.id(), id, self.names.branch(*branch), changes)
                    .await;
                changed.map(|_| Happened::Done)
            }
            Command::SetConversation { title, archived, .. } => {
                let changed = store
                    .update_conversation(user.id(), id, changes(title.as_deref(), *archived))
                    .await;
                changed.map(|_| Happened::Done)
            }
            Command::Merge {
                source,
                target,
                options,
                ..
            } => {
                let merged = chat
                    .try_merge(self.names.branch(*source), self.merge(*target, *options))
                    .await;
                merged.map(Happened::Merged)
            }
            Command::DeleteConversation { .. } => store.delete_conversation(user.id(), id).await.map(done),
            Command::Copy { .. } => self.copy(user, id).await,
        }
    }

    fn target(&self, conversation: C, place: Place) -> TurnTarget {
        TurnTarget::Existing {
            conversation_id: self.names.conversation(conversation),
            branch_id: place.branch.map(|branch| self.names.branch(branch)),
            parent_message_id: place.parent.map(|parent| self.names.message(parent)),
        }
    }

    fn merge(&self, target: Option<B>, options: MergeOptions) -> Merge {
        Merge {
            target: target.map(|target| self.names.branch(target)),
            fast_forward_only: options.fast_forward_only,
            delete_source: options.delete_source,
            expected_target_head: options.expected_head.map(|head| self.names.message(head)),
            dry_run: options.dry_run,
        }
    }

    async fn begin(
        &self,
        user: &User<'_>,
        target: TurnTarget,
        input: TurnInput,
    ) -> Result<Happened, StoreError> {
        let turn = user.turn(target, input);
        let stream = turn.stream_id;
        let turn = self.store.append_turn(&user.caller, turn).await?;
        Ok(Happened::Began(turn, stream))
    }

    async fn end(&self, answer: A, end: &End, text: &str) -> Result<(), StoreError> {
        let (turn, stream) = &self.turns[answer.0];
        let owner = self.model.conversations[self.model.answers[answer.0].conversation.0].owner;
        let mut finished = self.users[owner].answer(turn, *stream, text);
        match end {
            End::Withdrawn => finished.outcome = AnswerOutcome::Withdrawn,
            End::Stored { status, calls } => {
                finished.outcome = AnswerOutcome::Stored(*status);
                let call = |id: &String| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}});
                let calls: Vec<_> = calls.iter().map(call).collect();
                finished.tool_calls = (!calls.is_empty()).then(|| raw(&json!(calls).to_string()));
            }
        }
        self.store.save_answer(Arc::new(finished)).await
    }

    async fn copy(&self, user: &User<'_>, id: ConversationId) -> Result<Happened, StoreError> {
        let store = self.store;
        if store.conversation(user.id(), id).await?.is_none() {
            return Err(StoreError::ConversationNotFound);
        }
        let file = exported(&**store, &store.clock, user.id(), id).await;
        let (copy, outcome) = store.import_conversation(&user.caller, file).await?;
        Ok(Happened::Copied(copy, outcome))
    }
}

fn changes(title: Option<&str>, archived: bool) -> ConversationChanges {
    ConversationChanges {
        title: Some(title.map(str::to_owned)),
        status: Some(match archived {
            true => ConversationStatus::Archived,
            false => ConversationStatus::Active,
        }),
        ..ConversationChanges::default()
    }
}

fn input(kind: &TurnKind) -> TurnInput {
    match kind {
        TurnKind::Say(words) => TurnInput::Message(text(words)),
        TurnKind::Tools(calls) => {
            let result = |call: &String| ToolResult {
                tool_call_id: call.clone(),
                content: format!("result {call}"),
            };
            TurnInput::ToolResults(calls.iter().map(result).collect())
        }
    }
}
