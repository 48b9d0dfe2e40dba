//! What a query finds: the rows give the hits, their order and the snippets are made here, so that they are the same
//! whichever database found them.

use std::collections::HashMap;

use crate::models::common::Page;
use crate::models::conversation::{Conversation, ConversationHit};
use crate::models::ids::{ConversationId, MessageId, UserId};
use crate::models::message::{Message, MessageHit};
use crate::services::conversations::search::{
    RankedConversation, SearchQuery, rank_conversations, rank_messages, snippet,
};
use crate::services::conversations::{ConversationFilter, MessageFilter, StoreError};
use crate::services::sql::rows::Rows;

/// One page of the user's conversations that match, the best first.
pub async fn search_conversations(
    rows: &mut dyn Rows,
    user: UserId,
    query: &SearchQuery,
    filter: &ConversationFilter,
    page: Page,
) -> Result<(Vec<ConversationHit>, u64), StoreError> {
    if query.is_empty() {
        return Ok((Vec::new(), 0));
    }
    let ranked = rank_conversations(rows.conversation_hits(user, query, filter).await?);
    let total = ranked.len() as u64;
    let ranked = cut_out(ranked, page);
    let ids: Vec<ConversationId> = ranked.iter().map(|found| found.best.conversation_id).collect();
    let conversations = rows.conversations_by_id(user, &ids).await?;
    let mut conversations: HashMap<_, _> = conversations.into_iter().map(|shown| (shown.id, shown)).collect();
    let texts = texts(rows, ranked.iter().filter_map(|found| found.best.message_id)).await?;
    let hits = ranked
        .iter()
        .filter_map(|found| {
            let conversation = conversations.remove(&found.best.conversation_id)?;
            Some(conversation_hit(found, conversation, &texts, query))
        })
        .collect();
    Ok((hits, total))
}

fn conversation_hit(
    found: &RankedConversation,
    conversation: Conversation,
    texts: &HashMap<MessageId, String>,
    query: &SearchQuery,
) -> ConversationHit {
    let text = match found.best.message_id {
        Some(id) => texts.get(&id).map(String::as_str),
        None => conversation.title.as_deref(),
    };
    ConversationHit {
        snippet: snippet(text.unwrap_or_default(), query),
        message_id: found.best.message_id,
        conversation,
    }
}

/// One page of the messages of a conversation that match, the best first.
pub async fn search_messages(
    rows: &mut dyn Rows,
    user: UserId,
    conversation: ConversationId,
    query: &SearchQuery,
    filter: MessageFilter<'_>,
    page: Page,
) -> Result<(Vec<MessageHit>, u64), StoreError> {
    rows.conversation(user, conversation)
        .await?
        .ok_or(StoreError::ConversationNotFound)?;
    if let Some(branch) = filter.branch {
        super::branch(rows, conversation, branch).await?;
    }
    if query.is_empty() {
        return Ok((Vec::new(), 0));
    }
    let ranked = rank_messages(rows.message_hits(conversation, query, filter).await?);
    let total = ranked.len() as u64;
    let ids: Vec<MessageId> = cut_out(ranked, page)
        .iter()
        .filter_map(|found| found.hit.message_id)
        .collect();
    let messages = rows.messages_by_id(&ids).await?;
    let mut messages: HashMap<MessageId, Message> =
        messages.into_iter().map(|shown| (shown.id, shown)).collect();
    let texts = texts(rows, ids.iter().copied()).await?;
    let hits = ids
        .iter()
        .filter_map(|id| {
            Some(MessageHit {
                message: messages.remove(id)?,
                snippet: snippet(texts.get(id).map_or("", String::as_str), query),
            })
        })
        .collect();
    Ok((hits, total))
}

fn cut_out<T>(ranked: Vec<T>, page: Page) -> Vec<T> {
    let skipped = usize::try_from(page.offset()).unwrap_or(usize::MAX);
    ranked
        .into_iter()
        .skip(skipped)
        .take(page.limit as usize)
        .collect()
}

async fn texts(
    rows: &mut dyn Rows,
    ids: impl Iterator<Item = MessageId> + Send,
) -> Result<HashMap<MessageId, String>, StoreError> {
    let ids: Vec<MessageId> = ids.collect();
    Ok(rows.texts(&ids).await?.into_iter().collect())
}
