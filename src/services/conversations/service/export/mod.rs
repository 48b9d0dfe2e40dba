//! Export: pages of a conversation, written in a format as they are read.
//!
//! The next page is read when the one before was taken, so that a slow client holds one page in memory, whatever
//! the conversation is. What can be refused is refused before the first byte; a failure after it ends the file
//! with an error, never as if it were whole.
//!
//! - `pages`: the store, read page by page; how large a page is
//! - `paths`: branch by branch, with all of a path or only what is new on it
//! - `examples`: which branches are examples of their own

mod examples;
mod pages;
mod paths;

use bytes::Bytes;
use futures_util::future::ready;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};

use super::{ConversationService, require};
use crate::models::branch::Branch;
use crate::models::ids::{BranchId, ConversationId, UserId};
use crate::models::message::Message;
use crate::services::analytics::Feature;
use crate::services::conversations::StoreError;
use crate::services::conversations::transfer::export::{
    BranchBeginning, ExportError, ExportFormat, ExportWriter, Traversal, content_disposition,
};
use crate::utils::errors::{ApiError, ErrorCode};

use pages::Source;
use paths::PathWalk;

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
        let source = Source::new(self.store.clone(), user, id);
        let traversal = match branch {
            Some(_) => None,
            None => Some(format.traversal()),
        };
        self.feature_uses.count(user, Feature::Export);
        self.tell("exported", "conversation_exported", user, id);
        let rest = parts(source, detail.branches, traversal)
            .map(move |part| part?.write(&mut writer).map_err(ApiError::internal));
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

impl ConversationService {
    /// One of a user's conversations, complete, as a part of a larger document; `None` if it is not there. One that is
    /// deleted meanwhile ends early, with no branches.
    ///
    /// # Errors
    /// A failing store.
    pub async fn complete(
        &self,
        user: UserId,
        id: ConversationId,
    ) -> Result<Option<BoxStream<'static, Result<Bytes, ApiError>>>, ApiError> {
        let Some(detail) = self.store.conversation(user, id).await? else {
            return Ok(None);
        };
        let format = ExportFormat::Json;
        let mut writer = ExportWriter::new(format, self.clock.now());
        let beginning = writer.begin(&detail).map_err(ApiError::internal)?;
        let source = Source::new(self.store.clone(), user, id);
        let rest = parts(source, detail.branches, Some(format.traversal())).map(move |part| {
            let part = match part {
                Err(error) if error.code() == ErrorCode::ConversationNotFound => Part::End(Vec::new()),
                part => part?,
            };
            part.write(&mut writer).map_err(ApiError::internal)
        });
        Ok(Some(stream::once(ready(Ok(beginning))).chain(rest).boxed()))
    }
}

/// A part of a conversation, in the order in which it is written.
enum Part {
    /// A branch begins.
    Branch(Branch, BranchBeginning),
    /// Messages.
    Messages(Vec<Message>),
    /// Nothing follows; these are the branches that were written.
    End(Vec<Branch>),
}

impl Part {
    fn write(self, writer: &mut ExportWriter) -> Result<Bytes, ExportError> {
        match self {
            Self::Branch(branch, beginning) => writer.branch(&branch, beginning),
            Self::Messages(messages) => writer.messages(&messages),
            Self::End(branches) => writer.end(&branches),
        }
    }
}

/// The parts of a conversation as a format wants them; without a traversal, the whole paths of these branches.
fn parts(
    source: Source,
    mut branches: Vec<Branch>,
    traversal: Option<Traversal>,
) -> BoxStream<'static, Result<Part, ApiError>> {
    branches.sort_by_key(|branch| !branch.is_main);
    match traversal {
        None => PathWalk::whole(source, branches).parts().boxed(),
        Some(Traversal::Tree) => source.tree().boxed(),
        Some(Traversal::NewMessages) => PathWalk::unshown(source, branches).parts().boxed(),
        Some(Traversal::DistinctPaths) => stream::once(async move {
            let branches = examples::distinct(&source, branches).await?;
            Ok::<_, ApiError>(PathWalk::whole(source, branches).parts())
        })
        .try_flatten()
        .boxed(),
    }
}
