//! A file that exists for as long as it is imported.

use std::fs::File;
use std::io::{self, Seek};
use std::ops::ControlFlow;
use std::path::Path;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use tokio::io::AsyncWriteExt;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::Found;
use super::places::FilePlace;
use crate::services::conversations::transfer::import::{ImportError, ImportSummary, check_syntax, read};
use crate::utils::errors::{ApiError, ErrorCode};

/// An upload on disk, without a name: it is gone when it is dropped, and when the process stops. It holds its
/// places among the imports for as long as any thread works with it.
pub(super) struct Spool {
    file: File,
    _place: FilePlace,
    _storing: Option<OwnedSemaphorePermit>,
}

impl Spool {
    /// Writes an upload to disk as it arrives.
    ///
    /// # Errors
    /// Those of the upload; `STORE_UNAVAILABLE` if the disk does not take it.
    pub(super) async fn write(
        folder: &Path,
        place: FilePlace,
        mut pieces: impl Stream<Item = Result<Bytes, ApiError>> + Unpin,
    ) -> Result<Self, ApiError> {
        let folder = folder.to_owned();
        let made = blocking(move || tempfile::tempfile_in(folder)).await?;
        let mut file = tokio::fs::File::from_std(made.map_err(disk_failed)?);
        while let Some(piece) = pieces.next().await {
            file.write_all(&piece?).await.map_err(disk_failed)?;
        }
        // Writes are only known to have succeeded after this.
        file.flush().await.map_err(disk_failed)?;
        Ok(Self {
            file: file.into_std().await,
            _place: place,
            _storing: None,
        })
    }

    /// The same with a place among those that are being stored.
    pub(super) fn admit(self, storing: OwnedSemaphorePermit) -> Self {
        Self {
            _storing: Some(storing),
            ..self
        }
    }

    /// Makes sure that the whole of it is JSON. Blocks.
    pub(super) fn check(&self) -> Result<(), ImportError> {
        check_syntax(self.rewound()?)
    }

    /// Reads it, conversation by conversation, until all are read or nobody takes them any more. Blocks.
    pub(super) fn read(&self, found: &mpsc::Sender<Found>) -> Result<ImportSummary, ImportError> {
        read(self.rewound()?, |conversation| {
            match found.blocking_send(conversation) {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            }
        })
    }

    fn rewound(&self) -> io::Result<&File> {
        let mut file = &self.file;
        file.rewind()?;
        Ok(file)
    }
}

/// Does blocking work on a thread where it may block.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(ApiError::internal)
}

fn disk_failed(cause: io::Error) -> ApiError {
    ApiError::new(
        ErrorCode::StoreUnavailable,
        "The file cannot be kept while it is imported. Try again later.",
    )
    .with_source(cause)
}
