//! Branch by branch, the main one first: the messages on its path, all or those that no earlier branch has shown.

use std::collections::HashSet;
use std::vec::IntoIter;

use futures_util::Stream;
use futures_util::stream;

use super::Part;
use super::pages::{PathCursor, Source};
use crate::models::branch::Branch;
use crate::models::common::SortOrder;
use crate::models::ids::{BranchId, MessageId};
use crate::models::message::Message;
use crate::services::conversations::transfer::export::BranchBeginning;
use crate::utils::errors::ApiError;

/// A walk along the paths of branches.
pub(super) struct PathWalk {
    source: Source,
    waiting: IntoIter<Branch>,
    /// Those that are written; at last the file tells what they are by then.
    ids: Vec<BranchId>,
    /// What later branches need not show again; `None` if they do.
    shown: Option<Shown>,
    stage: Stage,
}

/// What comes next.
enum Stage {
    NextBranch,
    Messages(PathCursor),
    Over,
}

/// The places at which a later path can leave those that were shown.
///
/// A path leaves another where a message has several children, or where the other one ends. So it is enough to know
/// these: there are about as many as there are branches, however many messages there are.
struct Shown {
    heads: HashSet<MessageId>,
    places: HashSet<MessageId>,
}

/// The last message on the path of a branch that was shown with another.
struct LastShown {
    message: MessageId,
    /// Messages from the root to it.
    depth: u64,
    /// Whether the branch ends there.
    is_head: bool,
}

impl Shown {
    fn new(branches: &[Branch]) -> Self {
        Self {
            heads: branches
                .iter()
                .filter_map(|branch| branch.head_message_id)
                .collect(),
            places: HashSet::new(),
        }
    }

    fn note(&mut self, messages: &[Message]) {
        let places = messages
            .iter()
            .filter(|message| message.children.len() > 1 || self.heads.contains(&message.id));
        self.places.extend(places.map(|message| message.id));
    }
}

impl PathWalk {
    /// Of every branch the whole path.
    pub(super) fn whole(source: Source, branches: Vec<Branch>) -> Self {
        Self {
            source,
            ids: branches.iter().map(|branch| branch.id).collect(),
            waiting: branches.into_iter(),
            shown: None,
            stage: Stage::NextBranch,
        }
    }

    /// Of every branch what the branches before it have not shown.
    pub(super) fn unshown(source: Source, branches: Vec<Branch>) -> Self {
        Self {
            shown: Some(Shown::new(&branches)),
            ..Self::whole(source, branches)
        }
    }

    pub(super) fn parts(self) -> impl Stream<Item = Result<Part, ApiError>> + Send {
        stream::try_unfold(self, |mut walk| async move {
            Ok(walk.next().await?.map(|part| (part, walk)))
        })
    }

    async fn next(&mut self) -> Result<Option<Part>, ApiError> {
        match self.stage {
            Stage::NextBranch => match self.waiting.next() {
                Some(branch) => self.begin(branch).await.map(Some),
                None => {
                    self.stage = Stage::Over;
                    let branches = self.source.branches(&self.ids).await?;
                    Ok(Some(Part::End(branches)))
                }
            },
            Stage::Messages(place) => self.read(place).await.map(Some),
            Stage::Over => Ok(None),
        }
    }

    async fn begin(&mut self, branch: Branch) -> Result<Part, ApiError> {
        let mut start = PathCursor::start(branch.id, SortOrder::Asc);
        let mut beginning = BranchBeginning::Root;
        if let Some(last) = self.last_shown(branch.id).await? {
            if last.is_head {
                return Ok(Part::Branch(branch, BranchBeginning::AllShown(last.message)));
            }
            start.skipped = last.depth;
            beginning = BranchBeginning::After(last.message);
        }
        self.stage = Stage::Messages(start);
        Ok(Part::Branch(branch, beginning))
    }

    async fn read(&mut self, place: PathCursor) -> Result<Part, ApiError> {
        let page = self.source.path_page(place).await?;
        if let Some(shown) = &mut self.shown {
            shown.note(&page.messages);
        }
        self.stage = page.next.map_or(Stage::NextBranch, Stage::Messages);
        Ok(Part::Messages(page.messages))
    }

    async fn last_shown(&self, branch: BranchId) -> Result<Option<LastShown>, ApiError> {
        let Some(shown) = self.shown.as_ref().filter(|shown| !shown.places.is_empty()) else {
            return Ok(None);
        };
        let mut place = Some(PathCursor::start(branch, SortOrder::Desc));
        while let Some(cursor) = place {
            let page = self.source.path_page(cursor).await?;
            for (message, above) in page.messages.iter().zip(cursor.skipped..) {
                if shown.places.contains(&message.id) {
                    return Ok(Some(LastShown {
                        message: message.id,
                        depth: page.total.saturating_sub(above),
                        is_head: above == 0,
                    }));
                }
            }
            place = page.next;
        }
        Ok(None)
    }
}
