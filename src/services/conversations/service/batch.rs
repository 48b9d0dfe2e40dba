//! One operation on many conversations. Each is done for itself: one that fails leaves the others done.

use std::collections::HashSet;

use super::{ConversationService, checks, require};
use crate::models::conversation::{
    BatchOperation, BatchReport, BatchRequest, BatchResult, ConversationStatus,
};
use crate::models::ids::{ConversationId, UserId};
use crate::services::conversations::ConversationChanges;
use crate::utils::errors::{ApiError, FieldErrors};

/// What is done with each conversation.
#[derive(Debug, Clone)]
enum Step {
    Delete,
    Change(ConversationChanges),
}

/// One id of a batch: as it was given, and as it is understood.
#[derive(Debug, PartialEq, Eq)]
struct Item {
    given: String,
    id: Option<ConversationId>,
}

impl ConversationService {
    /// Does one operation with each of the conversations, in the order given.
    ///
    /// # Errors
    /// If batches are switched off, or a field is out of bounds. What goes wrong with a single conversation is in
    /// the report, as the error that the request with this id would answer for it alone.
    pub async fn batch(
        &self,
        user: UserId,
        request: BatchRequest,
        request_id: &str,
    ) -> Result<BatchReport, ApiError> {
        require(self.settings.features.batch_operations, "ENABLE_BATCH_OPERATIONS")?;
        let (step, items) = checked(request, self.settings.max_batch_size)?;
        let mut results = Vec::with_capacity(items.len());
        for item in items {
            let error = self.take_step(user, item.id, &step).await.err();
            if let Some(error) = &error {
                log_fault(error);
            }
            results.push(BatchResult {
                id: item.given,
                ok: error.is_none(),
                error: error.map(|error| error.object(request_id)),
            });
        }
        let succeeded = results.iter().filter(|result| result.ok).count();
        Ok(BatchReport {
            succeeded,
            failed: results.len() - succeeded,
            results,
        })
    }

    async fn take_step(&self, user: UserId, id: Option<ConversationId>, step: &Step) -> Result<(), ApiError> {
        let id = id.ok_or_else(|| ApiError::invalid_field("conversation_ids", "is not a UUID"))?;
        match step {
            Step::Delete => self.delete(user, id).await.map(|_| ()),
            Step::Change(changes) => self.change(user, id, changes.clone()).await.map(|_| ()),
        }
    }
}

/// A fault of ours is logged by the request layer only where it is the answer of the whole request.
fn log_fault(error: &ApiError) {
    if error.status().is_server_error() {
        let cause = std::error::Error::source(error);
        tracing::error!(code = %error.code(), cause, "one conversation of a batch failed");
    }
}

fn checked(request: BatchRequest, max_size: usize) -> Result<(Step, Vec<Item>), ApiError> {
    let mut errors = FieldErrors::default();
    let size = request.conversation_ids.len();
    errors.check((1..=max_size).contains(&size), "conversation_ids", || {
        format!("must hold between 1 and {max_size} ids")
    });
    let status = |status| ConversationChanges {
        status: Some(status),
        ..ConversationChanges::default()
    };
    errors.check(
        request.parameters.is_none() || request.operation == BatchOperation::Update,
        "parameters",
        || "can be given with `update` only".to_owned(),
    );
    let step = match request.operation {
        BatchOperation::Delete => Step::Delete,
        BatchOperation::Archive => Step::Change(status(ConversationStatus::Archived)),
        BatchOperation::Unarchive => Step::Change(status(ConversationStatus::Active)),
        BatchOperation::Update => {
            match &request.parameters {
                Some(parameters) => errors.extend(checks::conversation_changes("parameters", parameters)),
                None => errors.add("parameters", "is required"),
            }
            Step::Change(request.parameters.unwrap_or_default().into())
        }
    };
    errors.into_result()?;
    Ok((step, distinct(request.conversation_ids)))
}

/// The items in their order, each once, however often and in whichever spelling it was given.
fn distinct(given: Vec<String>) -> Vec<Item> {
    let mut seen = HashSet::new();
    given
        .into_iter()
        .map(|given| Item {
            id: given.parse().ok(),
            given,
        })
        .filter(|item| seen.insert(item.id.map_or_else(|| item.given.clone(), |id| id.to_string())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::utils::errors::ErrorCode;

    const ID: &str = "019aafc3-7c52-7d3c-9b1e-0d5f2f6f8a11";

    fn read(json: &str) -> Result<(Step, Vec<Item>), ApiError> {
        checked(serde_json::from_str(json).expect("a request"), 3)
    }

    fn refused_field(json: &str) -> String {
        let error = read(json).expect_err("a refusal");
        assert_eq!(error.code(), ErrorCode::ValidationError);
        error.object("").param.unwrap_or_default()
    }

    #[test]
    fn every_conversation_is_there_once() {
        let json = format!(
            r#"{{"operation":"delete","conversation_ids":["{ID}","no id","{}"]}}"#,
            ID.to_uppercase()
        );
        let (step, items) = read(&json).expect("a batch");
        assert!(matches!(step, Step::Delete));
        let given: Vec<_> = items.iter().map(|item| item.given.as_str()).collect();
        assert_eq!(given, [ID, "no id"]);
        assert_eq!(items[0].id.map(|id| id.to_string()).as_deref(), Some(ID));
        assert_eq!(items[1].id, None);
    }

    #[test]
    fn what_is_done_follows_the_operation() {
        for (operation, status) in [
            ("archive", ConversationStatus::Archived),
            ("unarchive", ConversationStatus::Active),
        ] {
            let json = format!(r#"{{"operation":"{operation}","conversation_ids":["{ID}"]}}"#);
            let (step, _) = read(&json).expect("a batch");
            assert!(matches!(step, Step::Change(changes) if changes.status == Some(status)));
        }
        let json =
            format!(r#"{{"operation":"update","conversation_ids":["{ID}"],"parameters":{{"title":null}}}}"#);
        let (step, _) = read(&json).expect("a batch");
        assert!(matches!(step, Step::Change(changes) if changes.title == Some(None)));
    }

    #[test]
    fn refuses_what_makes_no_batch() {
        for (rest, field) in [
            (r#""delete","conversation_ids":[]"#.to_owned(), "conversation_ids"),
            (
                r#""delete","conversation_ids":["a","b","c","d"]"#.to_owned(),
                "conversation_ids",
            ),
            (
                format!(r#""archive","conversation_ids":["{ID}"],"parameters":{{"title":"a"}}"#),
                "parameters",
            ),
            (format!(r#""update","conversation_ids":["{ID}"]"#), "parameters"),
            (
                format!(r#""update","conversation_ids":["{ID}"],"parameters":{{}}"#),
                "parameters",
            ),
            (
                format!(r#""update","conversation_ids":["{ID}"],"parameters":{{"title":""}}"#),
                "parameters.title",
            ),
        ] {
            assert_eq!(
                refused_field(&format!(r#"{{"operation":{rest}}}"#)),
                field,
                "{rest}"
            );
        }
    }
}
