//! Import: a file of conversations, stored one by one.
//!
//! The upload goes to disk first and is checked as a whole, so that what is no JSON changes nothing. Then a thread
//! reads one conversation after another and waits until it is taken: in memory are the one that is being stored,
//! one that waits, and one that is being read.
//!
//! An import may be repeated: conversations that are there already are brought up to date, not doubled.

mod places;
mod spool;

use std::sync::Arc;

use bytes::Bytes;
use futures_util::Stream;
use tokio::sync::mpsc;

pub(super) use self::places::ImportPlaces;
use self::spool::{Spool, blocking};
use super::ConversationService;
use crate::models::conversation::{ImportReport, ImportResult, ImportStatus};
use crate::models::ids::ConversationId;
use crate::services::auth::Caller;
use crate::services::conversations::ImportOutcome;
use crate::services::conversations::transfer::import::{ImportError, ImportProblem, ImportedConversation};
use crate::utils::errors::{ApiError, ErrorCode};

/// Conversations of one file: with their results they are an answer of some 30 MB.
const MAX_CONVERSATIONS: usize = 100_000;

/// What errors call the file.
const BODY: &str = "body";

/// How the reason begins why one conversation is not imported.
const NOT_IMPORTED: &str = "This conversation cannot be imported: ";

/// A conversation of the file, or why there is none.
type Found = Result<ImportedConversation, ImportProblem>;

/// What became of it in the store.
type Stored = Result<(ConversationId, ImportOutcome), ApiError>;

impl ConversationService {
    /// Stores the conversations of a file, each in a transaction of its own. If the caller goes away, what is
    /// stored stays, and the rest is not looked at.
    ///
    /// # Errors
    /// Those of the upload; `OVERLOADED` if there are too many imports, `RATE_LIMIT_EXCEEDED` if there are too many of
    /// this user's; what is no JSON, holds no conversation or
    /// more than 100,000; a failing store. What was stored before stays. What is wrong with a single conversation
    /// is in the report.
    pub async fn import(
        &self,
        caller: &Caller,
        upload: impl Stream<Item = Result<Bytes, ApiError>> + Unpin,
        request_id: &str,
    ) -> Result<ImportReport, ApiError> {
        let place = self.imports.take(caller.user_id)?;
        let spool = Spool::write(&self.settings.data_dir, place, upload).await?;
        let spool = Arc::new(spool.admit(self.imports.storing().await?));
        let checked = spool.clone();
        blocking(move || checked.check()).await?.map_err(refusal)?;
        let (sender, found) = mpsc::channel(1);
        let reading = blocking(move || spool.read(&sender));
        let (read, report) = tokio::join!(reading, self.store_all(caller, found, request_id));
        // Where nobody takes what is read, reading ends well, and it is the store that failed.
        read?.map_err(refusal)?;
        let report = report?;
        self.count_imported(caller, &report);
        Ok(report)
    }

    /// Stores what is found, until nothing more comes. Dropping `found` stops whoever reads the file.
    async fn store_all(
        &self,
        caller: &Caller,
        mut found: mpsc::Receiver<Found>,
        request_id: &str,
    ) -> Result<ImportReport, ApiError> {
        let mut report = ImportReport {
            conversation_ids: Vec::new(),
            results: Vec::new(),
        };
        while let Some(next) = found.recv().await {
            if report.results.len() == MAX_CONVERSATIONS {
                return Err(too_many());
            }
            let (source_id, stored) = match next {
                Ok(conversation) => (
                    Some(conversation.source.clone()),
                    self.store_one(caller, conversation).await?,
                ),
                Err(problem) => (problem.source, Err(unreadable(&problem.message))),
            };
            report
                .conversation_ids
                .extend(stored.as_ref().ok().map(|(id, _)| *id));
            report.results.push(result(source_id, stored, request_id));
        }
        if report.results.iter().all(is_unknown) {
            return Err(nothing_known(&report));
        }
        Ok(report)
    }

    /// Stores one conversation. What is wrong with it alone is the inner error; a failing store ends the import.
    async fn store_one(
        &self,
        caller: &Caller,
        conversation: ImportedConversation,
    ) -> Result<Stored, ApiError> {
        let stored = self.store.import_conversation(caller, conversation).await;
        match stored.map_err(ApiError::from) {
            Err(error) if error.status().is_server_error() => Err(error),
            stored => Ok(stored),
        }
    }

    fn count_imported(&self, caller: &Caller, report: &ImportReport) {
        let imported = report.conversation_ids.len();
        let operations = self.metrics.conversations.with_label_values(&["imported"]);
        operations.inc_by(imported as u64);
        tracing::info!(
            event = "conversations_imported",
            user_id = %caller.user_id,
            imported,
            failed = report.results.len() - imported,
            "business_event"
        );
    }
}

fn result(source_id: Option<String>, stored: Stored, request_id: &str) -> ImportResult {
    let (id, status, error) = match stored {
        Ok((id, ImportOutcome::Created)) => (Some(id), ImportStatus::Created, None),
        Ok((id, ImportOutcome::Updated)) => (Some(id), ImportStatus::Updated, None),
        Err(error) => (None, ImportStatus::Failed, Some(error.object(request_id))),
    };
    ImportResult {
        source_id,
        id,
        status,
        error,
    }
}

/// Whether it was not even found out which conversation it is.
fn is_unknown(result: &ImportResult) -> bool {
    result.source_id.is_none()
}

fn unreadable(message: &str) -> ApiError {
    ApiError::new(ErrorCode::ValidationError, format!("{NOT_IMPORTED}{message}."))
}

fn too_many() -> ApiError {
    ApiError::invalid_field(
        BODY,
        format!("holds more than {MAX_CONVERSATIONS} conversations; those before are imported"),
    )
}

/// The file holds nothing that looks like a conversation, so that nothing was changed.
fn nothing_known(report: &ImportReport) -> ApiError {
    let why = report.results.iter().find_map(|result| result.error.as_ref());
    match why {
        Some(error) => ApiError::invalid_field(
            BODY,
            format!(
                "holds no conversation that is known; of its first entry: {}",
                error
                    .message
                    .trim_start_matches(NOT_IMPORTED)
                    .trim_end_matches('.')
            ),
        ),
        None => ApiError::invalid_field(BODY, "holds no conversation"),
    }
}

fn refusal(error: ImportError) -> ApiError {
    match error {
        ImportError::Syntax {
            message,
            line,
            column,
        } => ApiError::new(
            ErrorCode::MalformedJson,
            format!("The file is not valid JSON: {message} at line {line} column {column}."),
        )
        .with_detail("line", line)
        .with_detail("column", column),
        ImportError::NotConversations => {
            ApiError::invalid_field(BODY, "must be a conversation, or an array of conversations")
        }
        // What the operating system has nothing to do with, is wrong with the file.
        ImportError::Read(cause) if cause.raw_os_error().is_none() => ApiError::new(
            ErrorCode::MalformedJson,
            format!("The file cannot be read: {cause}."),
        ),
        ImportError::Read(cause) => ApiError::internal(cause),
    }
}
