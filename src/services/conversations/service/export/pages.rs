//! The store, read page by page.

use std::sync::Arc;

use futures_util::Stream;
use futures_util::stream;

use super::Part;
use crate::models::branch::Branch;
use crate::models::common::{Page, SortOrder};
use crate::models::ids::{BranchId, ConversationId, UserId};
use crate::models::message::Message;
use crate::services::conversations::{ConversationStore, MessageCursor, PathQuery, StoreError};
use crate::utils::errors::ApiError;

/// Messages on the first page, of which nobody knows yet how large they are.
const FIRST_MESSAGES: u32 = 4;

/// Most messages on a page.
const MAX_MESSAGES: u32 = 32;

/// What a page should hold, in bytes.
const PAGE_BYTES: usize = 1 << 20;

/// How many messages to read next: so many of the size of the last ones as [`PAGE_BYTES`] hold.
///
/// A store counts messages, not bytes; a page is larger than that only where messages are suddenly larger than those
/// before them, and never larger than [`MAX_MESSAGES`] of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PageSize(u32);

impl PageSize {
    pub(super) const FIRST: Self = Self(FIRST_MESSAGES);

    /// The size of the page after this one.
    fn after(self, page: &[Message]) -> Self {
        self.after_bytes(page.len(), page.iter().map(size).sum())
    }

    fn after_bytes(self, messages: usize, bytes: usize) -> Self {
        if messages == 0 {
            return self;
        }
        let fit = PAGE_BYTES / (bytes / messages).max(1);
        Self(u32::try_from(fit).unwrap_or(u32::MAX).clamp(1, MAX_MESSAGES))
    }

    /// The largest page of a list that begins after `skipped` items and is not above this size: pages of a list begin
    /// at multiples of their size.
    fn page_after(self, skipped: u64) -> Page {
        let largest = 1 << self.0.ilog2();
        let limit = match skipped {
            0 => largest,
            _ => largest.min(1 << skipped.trailing_zeros().min(31)),
        };
        let before = u32::try_from(skipped / u64::from(limit)).unwrap_or(u32::MAX - 1);
        Page {
            page: before + 1,
            limit,
        }
    }
}

/// What a message takes, in bytes, as far as clients and models decide it.
fn size(message: &Message) -> usize {
    let raw = [
        Some(&message.content),
        message.tool_calls.as_ref(),
        Some(&message.metadata),
    ];
    let raw: usize = raw.into_iter().flatten().map(|json| json.get().len()).sum();
    raw + message.reasoning.as_ref().map_or(0, String::len)
}

/// A place on the path of a branch, and how to read on from there.
#[derive(Debug, Clone, Copy)]
pub(super) struct PathCursor {
    pub(super) branch: BranchId,
    pub(super) order: SortOrder,
    /// Messages before the place, in that order.
    pub(super) skipped: u64,
    pub(super) size: PageSize,
}

/// Messages of a path.
pub(super) struct PathPage {
    pub(super) messages: Vec<Message>,
    /// How many the whole path has.
    pub(super) total: u64,
    /// Where the next page begins.
    pub(super) next: Option<PathCursor>,
}

/// The conversation that is read.
#[derive(Clone)]
pub(super) struct Source {
    store: Arc<dyn ConversationStore>,
    user: UserId,
    conversation: ConversationId,
}

/// How far the walk through all messages has come.
enum TreeWalk {
    After(MessageCursor, PageSize),
    AllRead(Vec<Branch>),
    Over,
}

impl Source {
    pub(super) fn new(store: Arc<dyn ConversationStore>, user: UserId, conversation: ConversationId) -> Self {
        Self {
            store,
            user,
            conversation,
        }
    }

    /// Every message once, parents before children, and the branches as they are then.
    pub(super) fn tree(self) -> impl Stream<Item = Result<Part, ApiError>> + Send {
        let start = TreeWalk::After(MessageCursor::default(), PageSize::FIRST);
        stream::try_unfold(start, move |walk| {
            let source = self.clone();
            async move {
                Ok(match walk {
                    TreeWalk::After(place, size) => Some(source.messages_after(place, size).await?),
                    TreeWalk::AllRead(branches) => Some((Part::End(branches), TreeWalk::Over)),
                    TreeWalk::Over => None,
                })
            }
        })
    }

    async fn messages_after(
        &self,
        place: MessageCursor,
        size: PageSize,
    ) -> Result<(Part, TreeWalk), ApiError> {
        let batch = self
            .store
            .messages_after(self.user, self.conversation, place, size.0)
            .await?;
        let next = match batch.branches {
            Some(branches) => TreeWalk::AllRead(branches),
            None => TreeWalk::After(batch.next, size.after(&batch.messages)),
        };
        Ok((Part::Messages(batch.messages), next))
    }

    /// The messages on a path from a place on.
    pub(super) async fn path_page(&self, cursor: PathCursor) -> Result<PathPage, ApiError> {
        let query = PathQuery {
            branch: Some(cursor.branch),
            role: None,
            order: cursor.order,
        };
        let page = cursor.size.page_after(cursor.skipped);
        let read = self.store.path(self.user, self.conversation, query, page);
        let (messages, total) = read.await?;
        let skipped = cursor.skipped + u64::from(page.limit);
        let size = cursor.size.after(&messages);
        Ok(PathPage {
            messages,
            total,
            next: (skipped < total).then_some(PathCursor {
                skipped,
                size,
                ..cursor
            }),
        })
    }

    /// Those of the branches that are still there.
    pub(super) async fn branches(&self, ids: &[BranchId]) -> Result<Vec<Branch>, ApiError> {
        let detail = self.store.conversation(self.user, self.conversation).await?;
        let mut branches = detail.ok_or(StoreError::ConversationNotFound)?.branches;
        branches.retain(|branch| ids.contains(&branch.id));
        Ok(branches)
    }
}

impl PathCursor {
    /// Before the first message of a path.
    pub(super) const fn start(branch: BranchId, order: SortOrder) -> Self {
        Self {
            branch,
            order,
            skipped: 0,
            size: PageSize::FIRST,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_smaller_where_messages_are_larger() {
        let after = |messages, bytes| PageSize::FIRST.after_bytes(messages, bytes).0;
        assert_eq!(after(4, 400), MAX_MESSAGES);
        assert_eq!(after(4, 400_000), 10);
        assert_eq!(after(32, 320 << 20), 1);
        assert_eq!(after(0, 0), FIRST_MESSAGES);
    }

    #[test]
    fn pages_follow_each_other_wherever_the_first_one_begins() {
        for size in 1..=MAX_MESSAGES {
            for start in [0, 1, 5, 37, 64, 1000] {
                let mut skipped = start;
                for _ in 0..20 {
                    let page = PageSize(size).page_after(skipped);
                    assert_eq!(page.offset(), skipped);
                    assert!((1..=size).contains(&page.limit), "{page:?}");
                    skipped += u64::from(page.limit);
                }
            }
        }
    }
}
