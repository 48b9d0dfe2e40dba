//! What requests about conversations, branches and messages may hold.

use chrono::{DateTime, Datelike, Utc};
use serde_json::value::RawValue;

use crate::models::branch::CreateBranchRequest;
use crate::models::conversation::UpdateConversationRequest;
use crate::models::ids::MessageId;
use crate::services::conversations::search::SearchQuery;
use crate::services::conversations::{check_metadata, check_model, check_system_message, check_title};
use crate::utils::errors::{ApiError, FieldErrors};
use crate::utils::validation::{YEARS, check_length};

/// Characters of a search.
const MAX_QUERY_CHARS: usize = 200;

/// What errors about a body as a whole call it.
pub(super) const BODY: &str = "body";

/// The fields that a conversation can be given, at its beginning or later.
#[derive(Default)]
pub(super) struct ConversationFields<'a> {
    pub title: Option<&'a str>,
    pub model: Option<&'a str>,
    pub system_message: Option<&'a str>,
    pub metadata: Option<&'a RawValue>,
}

impl ConversationFields<'_> {
    pub(super) fn check(&self) -> FieldErrors {
        let mut errors = FieldErrors::default();
        if let Some(title) = self.title {
            check_title(&mut errors, title);
        }
        if let Some(model) = self.model {
            check_model(&mut errors, model);
        }
        if let Some(text) = self.system_message {
            check_system_message(&mut errors, text);
        }
        if let Some(metadata) = self.metadata {
            check_metadata(&mut errors, metadata);
        }
        errors
    }
}

/// What is wrong with the changes of a conversation, which stand in `field`.
pub(super) fn conversation_changes(field: &str, request: &UpdateConversationRequest) -> FieldErrors {
    let mut errors = ConversationFields {
        title: request.title.as_ref().and_then(Option::as_deref),
        model: request.model.as_ref().and_then(Option::as_deref),
        system_message: request.system_message.as_ref().and_then(Option::as_deref),
        metadata: request.metadata.as_ref().and_then(Option::as_deref),
    }
    .check();
    if field != BODY {
        errors = errors.within(field);
    }
    let names = "`title`, `model`, `status`, `system_message` and `metadata`";
    at_least_one(&mut errors, field, !request.is_empty(), names);
    errors
}

/// Notes that an object changes nothing: a misspelt field would otherwise look like a success.
pub(super) fn at_least_one(errors: &mut FieldErrors, field: &str, is_given: bool, names: &str) {
    errors.check(is_given, field, || format!("must have at least one of {names}"));
}

/// The message at which a new branch forks, under either of its names.
pub(super) fn fork(errors: &mut FieldErrors, request: &CreateBranchRequest) -> Option<MessageId> {
    match (request.from_message_id, request.parent_message_id) {
        (Some(one), Some(other)) if one != other => {
            errors.add("parent_message_id", "is another message than from_message_id");
            None
        }
        (None, None) => {
            errors.add("from_message_id", "is required");
            None
        }
        (one, other) => one.or(other),
    }
}

/// A search, which must be one.
pub(super) fn search(text: &str) -> Result<SearchQuery, ApiError> {
    let mut errors = FieldErrors::default();
    check_length(&mut errors, "q", text, 1, MAX_QUERY_CHARS);
    errors.into_result()?;
    Ok(SearchQuery::parse(text))
}

/// A search that narrows down a list; an empty one does not.
pub(super) fn optional_search(text: Option<&str>) -> Result<Option<SearchQuery>, ApiError> {
    text.filter(|text| !text.is_empty()).map(search).transpose()
}

/// Checks what a list or a search is narrowed down to. Times of other years look like times too,
/// and not every database of ours takes them.
pub(super) fn filter(
    model: Option<&str>,
    created_after: Option<DateTime<Utc>>,
    created_before: Option<DateTime<Utc>>,
) -> Result<(), ApiError> {
    let mut errors = FieldErrors::default();
    if let Some(model) = model {
        check_model(&mut errors, model);
    }
    for (field, time) in [
        ("created_after", created_after),
        ("created_before", created_before),
    ] {
        let is_known = time.is_none_or(|time| YEARS.contains(&time.year()));
        errors.check(is_known, field, || {
            format!("must be in the years {} to {}", YEARS.start(), YEARS.end())
        });
    }
    errors.into_result()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn changes(json: &str) -> Result<(), ApiError> {
        let request: UpdateConversationRequest = serde_json::from_str(json).expect("a request");
        conversation_changes(BODY, &request).into_result()
    }

    #[test]
    fn a_conversation_is_changed_by_something() {
        for empty in ["{}", r#"{"titel":"misspelt"}"#] {
            assert!(changes(empty).is_err(), "{empty}");
        }
        for one in [
            r#"{"title":null}"#,
            r#"{"metadata":{}}"#,
            r#"{"status":"archived"}"#,
        ] {
            assert!(changes(one).is_ok(), "{one}");
        }
        for wrong in [
            r#"{"title":""}"#,
            "{\"title\":\"a\\u0007\"}",
            r#"{"model":""}"#,
            r#"{"metadata":[]}"#,
        ] {
            assert!(changes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_fork_has_two_names_and_one_place() {
        let [a, b] = [1, 2].map(|n| Some(MessageId(Uuid::from_u128(n))));
        let fork = |from_message_id, parent_message_id| {
            let mut errors = FieldErrors::default();
            let request = CreateBranchRequest {
                from_message_id,
                parent_message_id,
                ..CreateBranchRequest::default()
            };
            let fork = fork(&mut errors, &request);
            (fork, errors.into_result().is_ok())
        };
        assert_eq!(fork(a, None), (a, true));
        assert_eq!(fork(None, b), (b, true));
        assert_eq!(fork(a, a), (a, true));
        assert_eq!(fork(a, b), (None, false));
        assert_eq!(fork(None, None), (None, false));
    }

    #[test]
    fn searches_are_any_text_of_bounded_length() {
        assert!(search("").is_err() && search(&"(".repeat(201)).is_err());
        assert!(search(&"(".repeat(200)).is_ok() && search("%_\"*").is_ok());
        assert!(optional_search(Some("")).is_ok_and(|query| query.is_none()));
    }
}
