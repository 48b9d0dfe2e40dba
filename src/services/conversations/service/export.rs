//! Export: pages of a conversation, written in a format as they are read.
//!
//! The next page is read when the one before was taken, so that a slow client holds one page in memory, whatever
//! the conversation is. What can be refused is refused before the first byte; a failure after it ends the file
//! with an error, never as if it were whole.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::ready;
use futures_util::stream::{self, BoxStream};
use futures_util::{Stream, StreamExt, TryStreamExt};

use super::{ConversationService, require};
use crate::models::branch::Branch;
use crate::models::common::{Page, SortOrder};
use crate::models::ids::{BranchId, ConversationId, UserId};
use crate::models::message::Message;
use crate::services::conversations::transfer::export::{
    ExportError, ExportFormat, ExportWriter, Traversal, content_disposition,
};
use crate::services::conversations::{ConversationStore, MessageCursor, PathQuery, StoreError};
use crate::utils::errors::ApiError;

/// Messages that are read at once.
const PAGE_MESSAGES: u32 = 100;

/// A conversation as a file.
pub struct Export {
    /// The value of `Content-Type`.
    pub content_type: &'static str,
    /// The value of `Content-Disposition`.
    pub content_disposition: String,
    /// The file. An error means that it is not whole.
    pub pieces: BoxStream<'static, Result<Bytes, ApiError>>,
}

impl ConversationService {
    /// Writes one of a user's conversations, or the path of one of its branches, in a format.
    ///
    /// # Errors
    /// If exporting is switched off, what is not there, or a failing store.
    pub async fn export(
        &self,
        user: UserId,
        id: ConversationId,
        format: ExportFormat,
        branch: Option<BranchId>,
    ) -> Result<Export, ApiError> {
        require(
            self.settings.features.conversation_export,
            "ENABLE_CONVERSATION_EXPORT",
        )?;
        let mut detail = self.read(user, id).await?;
        let mut writer = ExportWriter::new(format, self.clock.now());
        // With all branches, since messages that are shared with others name them.
        let beginning = writer.begin(&detail).map_err(ApiError::internal)?;
        if let Some(branch) = branch {
            detail.branches.retain(|one| one.id == branch);
            if detail.branches.is_empty() {
                return Err(StoreError::BranchNotFound.into());
            }
        }
        let content_disposition = content_disposition(detail.conversation.title.as_deref(), id, format);
        let source = Source {
            store: self.store.clone(),
            user,
            conversation: id,
        };
        let parts = match (format.traversal(), branch) {
            (Traversal::Tree, None) => source.tree().boxed(),
            (Traversal::OwnMessages, None) => source.paths(detail.branches, shared_messages).boxed(),
            (Traversal::WholePaths, None) | (_, Some(_)) => source.paths(detail.branches, |_| 0).boxed(),
        };
        self.tell("exported", "conversation_exported", user, id);
        let rest = parts.map(move |part| part?.write(&mut writer).map_err(ApiError::internal));
        let pieces = stream::once(ready(Ok(beginning)))
            .chain(rest)
            .try_filter(|piece| ready(!piece.is_empty()));
        Ok(Export {
            content_type: format.content_type(),
            content_disposition,
            pieces: pieces.boxed(),
        })
    }
}

/// A part of a conversation, in the order in which it is written.
enum Part {
    /// A branch begins.
    Branch(Branch),
    /// Messages.
    Messages(Vec<Message>),
    /// Nothing follows; these are the branches that were written.
    End(Vec<Branch>),
}

impl Part {
    fn write(self, writer: &mut ExportWriter) -> Result<Bytes, ExportError> {
        match self {
            Self::Branch(branch) => writer.branch(&branch),
            Self::Messages(messages) => writer.messages(&messages),
            Self::End(branches) => writer.end(&branches),
        }
    }
}

/// Where the parts come from.
#[derive(Clone)]
struct Source {
    store: Arc<dyn ConversationStore>,
    user: UserId,
    conversation: ConversationId,
}

/// How far the walk through all messages has come.
enum TreeWalk {
    After(MessageCursor),
    AllRead(Vec<Branch>),
    Over,
}

impl Source {
    /// Every message once, parents before children, and the branches as they are then.
    fn tree(self) -> impl Stream<Item = Result<Part, ApiError>> + Send {
        stream::try_unfold(TreeWalk::After(MessageCursor::default()), move |walk| {
            let source = self.clone();
            async move {
                Ok(match walk {
                    TreeWalk::After(place) => Some(source.messages_after(place).await?),
                    TreeWalk::AllRead(branches) => Some((Part::End(branches), TreeWalk::Over)),
                    TreeWalk::Over => None,
                })
            }
        })
    }

    async fn messages_after(&self, place: MessageCursor) -> Result<(Part, TreeWalk), ApiError> {
        let batch = self
            .store
            .messages_after(self.user, self.conversation, place, PAGE_MESSAGES)
            .await?;
        let next = match batch.branches {
            Some(branches) => TreeWalk::AllRead(branches),
            None => TreeWalk::After(batch.next),
        };
        Ok((Part::Messages(batch.messages), next))
    }

    /// Branch by branch, the main one first: the messages on its path, without as many at its beginning as
    /// `left_out` says; at last the branches as they are then.
    fn paths(
        self,
        mut branches: Vec<Branch>,
        left_out: fn(&Branch) -> u64,
    ) -> impl Stream<Item = Result<Part, ApiError>> + Send {
        branches.sort_by_key(|branch| !branch.is_main);
        let ids: Vec<BranchId> = branches.iter().map(|branch| branch.id).collect();
        let source = self.clone();
        let walks = branches.into_iter().map(move |branch| {
            let skipped = left_out(&branch);
            let pages = source.clone().path(branch.id, skipped);
            stream::once(ready(Ok(Part::Branch(branch)))).chain(pages)
        });
        let end = stream::once(async move { self.branches(&ids).await.map(Part::End) });
        stream::iter(walks).flatten().chain(end)
    }

    /// The messages on the path of a branch, from the root, after the first `skipped`.
    fn path(self, branch: BranchId, skipped: u64) -> impl Stream<Item = Result<Part, ApiError>> + Send {
        let first = u32::try_from(skipped / u64::from(PAGE_MESSAGES)).unwrap_or(u32::MAX - 1) + 1;
        stream::try_unfold(Some(first), move |number| {
            let source = self.clone();
            async move {
                let Some(number) = number else { return Ok(None) };
                let page = Page {
                    page: number,
                    limit: PAGE_MESSAGES,
                };
                let (mut messages, total) = source.page_of_path(branch, page).await?;
                let before = usize::try_from(skipped.saturating_sub(page.offset())).unwrap_or(usize::MAX);
                messages.drain(..before.min(messages.len()));
                let more = page.offset() + u64::from(PAGE_MESSAGES) < total;
                Ok(Some((Part::Messages(messages), more.then_some(number + 1))))
            }
        })
    }

    async fn page_of_path(&self, branch: BranchId, page: Page) -> Result<(Vec<Message>, u64), StoreError> {
        let query = PathQuery {
            branch: Some(branch),
            role: None,
            order: SortOrder::Asc,
        };
        self.store.path(self.user, self.conversation, query, page).await
    }

    /// Those of the branches that are still there.
    async fn branches(&self, ids: &[BranchId]) -> Result<Vec<Branch>, ApiError> {
        let detail = self.store.conversation(self.user, self.conversation).await?;
        let mut branches = detail.ok_or(StoreError::ConversationNotFound)?.branches;
        branches.retain(|branch| ids.contains(&branch.id));
        Ok(branches)
    }
}

/// How many messages come before the fork of a branch.
fn shared_messages(branch: &Branch) -> u64 {
    branch.message_count.saturating_sub(branch.own_message_count)
}
