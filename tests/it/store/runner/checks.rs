//! What is compared at the end of a program: everything, in every way that a store can show it.

use ai_chat_orchestrator::models::common::{Page, SortOrder};
use ai_chat_orchestrator::models::conversation::StatusFilter;
use ai_chat_orchestrator::models::ids::{ConversationId, MessageId};
use ai_chat_orchestrator::models::message::Role;
use ai_chat_orchestrator::services::conversations::search::SearchQuery;
use ai_chat_orchestrator::services::conversations::{
    ConversationFilter, MessageCursor, MessageFilter, PathQuery, StoreError,
};

use super::{Outcome, Runner};
use crate::store::model::{B, C, Conversation, M, UserNumber};
use crate::store::program::{QUERIES, USERS, WORDS};
use crate::store::user::{ALL, NEWEST_FIRST};

/// Messages in a part of all: few, so that there are several parts.
const PART: u32 = 6;

/// Whether a text has a word for each part of a query.
fn matches(text: &str, parts: &[&[usize]]) -> bool {
    let words: Vec<&str> = text.split(' ').collect();
    parts
        .iter()
        .all(|part| part.iter().any(|word| words.contains(&WORDS[*word])))
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, expected: &T, stored: &T) -> Outcome {
    match expected == stored {
        true => Ok(()),
        false => Err(format!("{what}\n  expected {expected:?}\n  stored   {stored:?}")),
    }
}

fn failed(error: &StoreError) -> String {
    format!("the store fails: {error}")
}

impl Runner<'_> {
    pub(super) async fn check_everything(&self) -> Outcome {
        for number in 0..self.model.conversations.len() {
            let number = C(number);
            self.compare(number).await?;
            self.check_hidden(number).await?;
            let conversation = &self.model.conversations[number.0];
            if !conversation.deleted {
                self.check_all_messages(number, conversation).await?;
                self.check_owners(number).await?;
                self.check_message_search(number, conversation).await?;
                for branch in conversation.branches.keys() {
                    self.check_path(number, conversation, *branch).await?;
                    self.check_branch_stats(number, conversation, *branch).await?;
                }
            }
        }
        for user in 0..USERS {
            self.check_user(user).await?;
        }
        Ok(())
    }

    /// Nobody but its owner sees a conversation.
    async fn check_hidden(&self, number: C) -> Outcome {
        let owner = self.model.conversations[number.0].owner;
        let id = self.names.conversation(number);
        for other in (0..USERS).filter(|user| *user != owner) {
            let full = self
                .store
                .full_conversation(self.users[other].id(), id, None)
                .await;
            let is_hidden = full.map_err(|error| failed(&error))?.is_none();
            same("hidden from others", &true, &is_hidden)?;
        }
        Ok(())
    }

    /// The list of all messages, in parts.
    async fn check_all_messages(&self, number: C, conversation: &Conversation) -> Outcome {
        let chat = self.chat(number);
        let mut seen = Vec::new();
        let mut after = MessageCursor::default();
        let branches = loop {
            let batch = self
                .store
                .messages_after(chat.user.id(), chat.id, after, PART)
                .await;
            let batch = batch.map_err(|error| failed(&error))?;
            seen.extend(batch.messages.iter().map(|message| message.id));
            match batch.branches {
                Some(branches) => break branches.len(),
                None => after = batch.next,
            }
        };
        same(
            "branches after the last message",
            &conversation.branches.len(),
            &branches,
        )?;
        let all: Vec<M> = conversation.messages.keys().copied().collect();
        same("all messages", &self.ids(&all), &seen)
    }

    /// Every message names a branch that reaches it.
    async fn check_owners(&self, number: C) -> Outcome {
        let conversation = &self.model.conversations[number.0];
        for message in self.chat(number).full().await.messages {
            let owner = self.names.known_branch(message.branch_id)?;
            let message = self.names.message_number(message.id)?;
            if !conversation.branches.contains_key(&owner) || !conversation.path_of(owner).contains(&message)
            {
                return Err(format!("{message:?} says that it is on {owner:?}"));
            }
        }
        Ok(())
    }

    /// The path of a branch in pages, from both ends, and of one role.
    async fn check_path(&self, number: C, conversation: &Conversation, branch: B) -> Outcome {
        let path = conversation.path_of(branch);
        for (order, role, limit) in [
            (SortOrder::Asc, None, 4),
            (SortOrder::Desc, None, 7),
            (SortOrder::Desc, Some(Role::User), 9),
        ] {
            let mut expected = path.clone();
            expected.retain(|message| role.is_none_or(|role| conversation.messages[message].role == role));
            if order == SortOrder::Desc {
                expected.reverse();
            }
            let query = PathQuery {
                branch: Some(self.names.branch(branch)),
                role,
                order,
            };
            let seen = self.read_path(number, query, limit, expected.len()).await?;
            same(
                &format!("path of {branch:?}, {order:?}, {role:?}"),
                &self.ids(&expected),
                &seen,
            )?;
        }
        Ok(())
    }

    async fn read_path(
        &self,
        number: C,
        query: PathQuery,
        limit: u32,
        length: usize,
    ) -> Result<Vec<MessageId>, String> {
        let chat = self.chat(number);
        let mut seen = Vec::new();
        for page in 1.. {
            let page = Page { page, limit };
            let read = self.store.path(chat.user.id(), chat.id, query, page).await;
            let (messages, total) = read.map_err(|error| failed(&error))?;
            same("length of a path", &(length as u64), &total)?;
            seen.extend(messages.iter().map(|message| message.id));
            if messages.is_empty() || seen.len() >= length {
                break;
            }
        }
        Ok(seen)
    }

    async fn check_branch_stats(&self, number: C, conversation: &Conversation, branch: B) -> Outcome {
        let chat = self.chat(number);
        let stats = self
            .store
            .branch_stats(chat.user.id(), chat.id, self.names.branch(branch))
            .await;
        let stats = stats.map_err(|error| failed(&error))?;
        let path = conversation.path_of(branch);
        let of_role = |role| {
            path.iter()
                .filter(|message| conversation.messages[message].role == role)
                .count() as u64
        };
        let tokens: u64 = path
            .iter()
            .filter_map(|message| conversation.messages[message].tokens)
            .sum();
        let roles = stats.messages_by_role;
        same(
            &format!("statistics of {branch:?}"),
            &(
                path.len() as u64,
                tokens,
                [Role::User, Role::Assistant, Role::System, Role::Tool].map(of_role),
            ),
            &(
                stats.message_count,
                stats.total_tokens,
                [roles.user, roles.assistant, roles.system, roles.tool],
            ),
        )
    }

    async fn check_message_search(&self, number: C, conversation: &Conversation) -> Outcome {
        let chat = self.chat(number);
        for (query, parts) in QUERIES {
            let found = self
                .store
                .search_messages(
                    chat.user.id(),
                    chat.id,
                    &SearchQuery::parse(query),
                    MessageFilter::default(),
                    ALL,
                )
                .await;
            let (hits, _) = found.map_err(|error| failed(&error))?;
            let mut seen: Vec<MessageId> = hits.iter().map(|hit| hit.message.id).collect();
            seen.sort_unstable();
            let messages = conversation.messages.iter();
            let expected: Vec<M> = messages
                .filter(|(_, message)| matches(&message.text, parts))
                .map(|(number, _)| *number)
                .collect();
            same(&format!("{query:?} in {number:?}"), &self.ids(&expected), &seen)?;
        }
        Ok(())
    }

    /// Lists, searches and statistics of all that a user has.
    async fn check_user(&self, user: UserNumber) -> Outcome {
        let all = ConversationFilter {
            status: StatusFilter::All,
            ..ConversationFilter::default()
        };
        self.check_list(user, &all, |_| true).await?;
        self.check_list(user, &ConversationFilter::default(), |conversation| {
            !conversation.archived
        })
        .await?;
        let branched = ConversationFilter {
            has_branches: Some(true),
            min_messages: Some(2),
            ..all.clone()
        };
        self.check_list(user, &branched, |conversation| {
            conversation.branches.len() > 1 && conversation.messages.len() >= 2
        })
        .await?;
        for (query, parts) in QUERIES {
            self.check_search(user, query, &all, |conversation| {
                let titles = conversation.title.iter();
                let texts = conversation.messages.values().map(|message| &message.text);
                titles.chain(texts).any(|text| matches(text, parts))
            })
            .await?;
        }
        self.check_stats(user).await
    }

    async fn check_list(
        &self,
        user: UserNumber,
        filter: &ConversationFilter,
        expected: impl Fn(&Conversation) -> bool,
    ) -> Outcome {
        let id = self.users[user].id();
        let list = self
            .store
            .conversations(id, None, filter, NEWEST_FIRST, ALL)
            .await;
        let (items, total) = list.map_err(|error| failed(&error))?;
        same("a list's length", &(items.len() as u64), &total)?;
        let seen = items.iter().map(|item| item.id);
        same(&format!("{filter:?}"), &self.those(user, expected), &sorted(seen))
    }

    async fn check_search(
        &self,
        user: UserNumber,
        query: &str,
        filter: &ConversationFilter,
        expected: impl Fn(&Conversation) -> bool,
    ) -> Outcome {
        let (id, parsed) = (self.users[user].id(), SearchQuery::parse(query));
        let expected = self.those(user, expected);
        let list = self
            .store
            .conversations(id, Some(&parsed), filter, NEWEST_FIRST, ALL)
            .await;
        let (items, _) = list.map_err(|error| failed(&error))?;
        same(
            &format!("a list of {query:?}"),
            &expected,
            &sorted(items.iter().map(|item| item.id)),
        )?;
        let found = self.store.search_conversations(id, &parsed, filter, ALL).await;
        let (hits, _) = found.map_err(|error| failed(&error))?;
        let seen = sorted(hits.iter().map(|hit| hit.conversation.id));
        same(&format!("a search for {query:?}"), &expected, &seen)
    }

    async fn check_stats(&self, user: UserNumber) -> Outcome {
        let stats = self.store.conversation_stats(self.users[user].id(), None).await;
        let stats = stats.map_err(|error| failed(&error))?;
        let all: Vec<&Conversation> = self
            .model
            .conversations_of(user)
            .map(|(_, conversation)| conversation)
            .collect();
        let sum =
            |count: fn(&Conversation) -> u64| all.iter().map(|conversation| count(conversation)).sum::<u64>();
        same(
            "statistics",
            &[
                sum(|_| 1),
                sum(|conversation| u64::from(conversation.archived)),
                sum(|conversation| conversation.branches.len() as u64),
                sum(|conversation| conversation.messages.len() as u64),
                sum(Conversation::tokens),
            ],
            &[
                stats.conversations,
                stats.archived,
                stats.branches,
                stats.messages,
                stats.total_tokens,
            ],
        )
    }

    /// The ids of those of a user's conversations that are expected.
    fn those(&self, user: UserNumber, expected: impl Fn(&Conversation) -> bool) -> Vec<ConversationId> {
        let expected = self
            .model
            .conversations_of(user)
            .filter(|(_, conversation)| expected(conversation));
        sorted(expected.map(|(number, _)| self.names.conversation(number)))
    }

    fn ids(&self, messages: &[M]) -> Vec<MessageId> {
        messages
            .iter()
            .map(|message| self.names.message(*message))
            .collect()
    }
}

fn sorted(ids: impl Iterator<Item = ConversationId>) -> Vec<ConversationId> {
    let mut ids: Vec<ConversationId> = ids.collect();
    ids.sort_unstable();
    ids
}
