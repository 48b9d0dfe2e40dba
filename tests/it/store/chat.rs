//! A conversation of a user, and what tests do in it.

use std::sync::Arc;

use ai_chat_orchestrator::models::branch::{Branch, MergeResult};
use ai_chat_orchestrator::models::common::SortOrder;
use ai_chat_orchestrator::models::conversation::{Conversation, FullConversation};
use ai_chat_orchestrator::models::ids::{BranchId, ConversationId, MessageId, StreamId};
use ai_chat_orchestrator::models::message::{Message, Role};
use ai_chat_orchestrator::services::conversations::search::SearchQuery;
use ai_chat_orchestrator::services::conversations::{
    Merge, MessageEdit, MessageFilter, NewBranch, NewBranchName, NewMessage, PathQuery, Relatives,
    StoreError, Turn, TurnInput, TurnTarget,
};
use serde_json::value::RawValue;

use super::user::{ALL, User, text};

/// A conversation.
pub struct Chat<'a> {
    /// Whose it is.
    pub user: &'a User<'a>,
    /// Its id.
    pub id: ConversationId,
}

/// A question and its answer.
#[derive(Debug, Clone, Copy)]
pub struct Exchange {
    /// What was asked.
    pub question: MessageId,
    /// What was answered.
    pub answer: MessageId,
    /// The branch that they are on.
    pub branch: BranchId,
}

/// A turn whose answer has not ended.
pub struct Running {
    /// The turn.
    pub turn: Turn,
    /// The stream that produces the answer.
    pub stream: StreamId,
}

impl Chat<'_> {
    /// Everything in it.
    pub async fn full(&self) -> FullConversation {
        let full = self
            .user
            .store
            .full_conversation(self.user.id(), self.id, None)
            .await;
        full.expect("a store that answers").expect("the conversation")
    }

    /// The conversation itself.
    pub async fn read(&self) -> Conversation {
        let detail = self.user.store.conversation(self.user.id(), self.id).await;
        detail
            .expect("a store that answers")
            .expect("the conversation")
            .conversation
    }

    /// Its branches.
    pub async fn branches(&self) -> Vec<Branch> {
        let detail = self.user.store.conversation(self.user.id(), self.id).await;
        detail
            .expect("a store that answers")
            .expect("the conversation")
            .branches
    }

    /// One of its branches.
    pub async fn branch(&self, id: BranchId) -> Branch {
        let branches = self.branches().await;
        branches
            .into_iter()
            .find(|branch| branch.id == id)
            .expect("the branch")
    }

    /// The branch that it began with.
    pub async fn main(&self) -> Branch {
        let branches = self.branches().await;
        branches
            .into_iter()
            .find(|branch| branch.is_main)
            .expect("a main branch")
    }

    /// Adds a message to the active branch.
    pub async fn say(&self, words: &str) -> MessageId {
        self.add(new_message(words)).await.expect("a message").id
    }

    /// Adds a message to the end of a branch.
    pub async fn say_on(&self, branch: BranchId, words: &str) -> MessageId {
        let new = NewMessage {
            branch: Some(branch),
            ..new_message(words)
        };
        self.add(new).await.expect("a message").id
    }

    /// Adds messages to the active branch.
    pub async fn say_all(&self, words: &[&str]) -> Vec<MessageId> {
        let mut ids = Vec::new();
        for words in words {
            ids.push(self.say(words).await);
        }
        ids
    }

    /// Adds a message.
    pub async fn add(&self, new: NewMessage) -> Result<Message, StoreError> {
        self.user.store.add_message(self.user.id(), self.id, new).await
    }

    /// A place in it.
    pub const fn at(&self, branch: Option<BranchId>, parent: Option<MessageId>) -> TurnTarget {
        TurnTarget::Existing {
            conversation_id: self.id,
            branch_id: branch,
            parent_message_id: parent,
        }
    }

    /// The place of another answer.
    pub const fn again(&self, message: MessageId) -> TurnTarget {
        TurnTarget::Regenerate {
            conversation_id: self.id,
            message_id: message,
            branch_name: None,
        }
    }

    /// Begins an answer.
    pub async fn begin(&self, target: TurnTarget, input: TurnInput) -> Result<Running, StoreError> {
        let turn = self.user.turn(target, input);
        let stream = turn.stream_id;
        let turn = self.user.store.append_turn(&self.user.caller, turn).await?;
        Ok(Running { turn, stream })
    }

    /// Asks on the active branch; the answer has not ended.
    pub async fn ask(&self, question: &str) -> Running {
        let input = TurnInput::Message(text(question));
        self.begin(self.at(None, None), input).await.expect("a turn")
    }

    /// Ends an answer.
    pub async fn end(&self, running: &Running, answer: &str) -> Exchange {
        let turn = &running.turn;
        let finished = self.user.answer(turn, running.stream, answer);
        let saved = self.user.store.save_answer(Arc::new(finished)).await;
        saved.expect("a stored answer");
        Exchange {
            question: turn.user_message_id,
            answer: turn.message_id,
            branch: turn.branch_id,
        }
    }

    /// Asks on the active branch, and is answered.
    pub async fn exchange(&self, question: &str, answer: &str) -> Exchange {
        let running = self.ask(question).await;
        self.end(&running, answer).await
    }

    /// Forks a branch that becomes active.
    pub async fn fork(&self, at: MessageId) -> BranchId {
        let new = NewBranch {
            fork: at,
            name: None,
            activate: true,
        };
        self.create_branch(new).await.expect("a branch").id
    }

    /// Makes a branch.
    pub async fn create_branch(&self, new: NewBranch) -> Result<Branch, StoreError> {
        self.user.store.create_branch(self.user.id(), self.id, new).await
    }

    /// Makes a branch the active one.
    pub async fn activate(&self, branch: BranchId) {
        let activated = self
            .user
            .store
            .activate_branch(self.user.id(), self.id, branch)
            .await;
        activated.expect("an active branch");
    }

    /// Merges a branch.
    pub async fn try_merge(&self, source: BranchId, merge: Merge) -> Result<MergeResult, StoreError> {
        self.user
            .store
            .merge_branch(self.user.id(), self.id, source, merge)
            .await
    }

    /// Merges a branch into another, and succeeds.
    pub async fn merge(&self, source: BranchId, target: BranchId) -> MergeResult {
        let merge = Merge {
            target: Some(target),
            ..Merge::default()
        };
        self.try_merge(source, merge).await.expect("a merge")
    }

    /// Edits a message, in place or beside it.
    pub async fn edit(
        &self,
        id: MessageId,
        words: &str,
        beside: bool,
    ) -> Result<(Message, Option<Branch>), StoreError> {
        let edit = MessageEdit {
            content: text(words),
            new_branch: beside.then(NewBranchName::default),
        };
        let edited = self
            .user
            .store
            .edit_message(self.user.id(), self.id, id, edit)
            .await?;
        Ok((edited.message, edited.branch))
    }

    /// Deletes a message; tells how many went.
    pub async fn delete(&self, id: MessageId) -> Result<u64, StoreError> {
        let deleted = self
            .user
            .store
            .delete_message(self.user.id(), self.id, id)
            .await?;
        assert!(deleted.deleted && deleted.id == id);
        Ok(deleted.deleted_message_count)
    }

    /// Deletes a branch; tells how many messages went with it.
    pub async fn delete_branch(&self, id: BranchId) -> Result<u64, StoreError> {
        let deleted = self.user.store.delete_branch(self.user.id(), self.id, id).await?;
        assert!(deleted.deleted && deleted.id == id);
        Ok(deleted.deleted_message_count)
    }

    /// A message.
    pub async fn message(&self, id: MessageId) -> Message {
        let relatives = Relatives::default();
        let read = self
            .user
            .store
            .message(self.user.id(), self.id, id, relatives)
            .await;
        read.expect("the message").message
    }

    /// The path of a branch, or of the active one.
    pub async fn path(&self, branch: Option<BranchId>) -> Vec<Message> {
        let query = PathQuery {
            branch,
            role: None,
            order: SortOrder::Asc,
        };
        let path = self.user.store.path(self.user.id(), self.id, query, ALL).await;
        let (messages, total) = path.expect("a path");
        assert_eq!(messages.len() as u64, total);
        messages
    }

    /// The texts on the path of a branch, or of the active one.
    pub async fn texts(&self, branch: impl Into<Option<BranchId>>) -> Vec<String> {
        self.path(branch.into()).await.iter().map(words).collect()
    }

    /// The texts of the messages that a query finds, in the order of their ids.
    pub async fn search(&self, query: &str) -> Vec<String> {
        self.search_where(query, MessageFilter::default()).await
    }

    /// The same, of those that pass a filter.
    pub async fn search_where(&self, query: &str, filter: MessageFilter<'_>) -> Vec<String> {
        let query = SearchQuery::parse(query);
        let (user, store) = (self.user.id(), self.user.store);
        let (mut hits, total) = store
            .search_messages(user, self.id, &query, filter, ALL)
            .await
            .expect("a search");
        assert_eq!(hits.len() as u64, total);
        hits.sort_by_key(|hit| hit.message.id);
        hits.iter().map(|hit| words(&hit.message)).collect()
    }
}

/// A message of the user at the head of the active branch.
pub fn new_message(words: &str) -> NewMessage {
    NewMessage {
        role: Role::User,
        content: text(words),
        branch: None,
        parent: None,
        metadata: None,
    }
}

/// The text of a message that is nothing but text.
pub fn words(message: &Message) -> String {
    serde_json::from_str(message.content.get()).expect("plain text")
}

/// JSON as a store takes it.
pub fn raw(json: &str) -> Box<RawValue> {
    RawValue::from_string(json.to_owned()).expect("JSON")
}

/// What a turn brings when the user says something.
pub fn asked(words: &str) -> TurnInput {
    TurnInput::Message(text(words))
}
