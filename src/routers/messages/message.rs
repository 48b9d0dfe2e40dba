//! One message.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::extract::{Json, Path, Query};
use crate::models::common::Success;
use crate::models::ids::{ConversationId, MessageId};
use crate::models::message::{
    CreateMessageRequest, DeletedMessage, EditMessageRequest, EditedMessage, Message, MessageDetail,
};
use crate::routers::created::created;
use crate::services::auth::Caller;
use crate::services::conversations::{ConversationService, Relatives};
use crate::utils::errors::{ApiError, ErrorBody};

/// Add a message without asking a model
#[utoipa::path(
    post,
    path = "/v1/conversations/{id}/messages",
    tag = "messages",
    params(("id" = ConversationId, Path)),
    request_body = CreateMessageRequest,
    responses(
        (status = 201, description = "The message; `Location` names it", body = Success<Message>),
        (status = 404, description = "No such conversation, branch or message", body = ErrorBody),
        (status = 409, description = "A limit is reached, or an answer is being written there", body = ErrorBody),
        (status = 422, description = "A field is not valid", body = ErrorBody),
    ),
)]
pub(super) async fn create_message(
    State(conversations): State<Arc<ConversationService>>,
    caller: Caller,
    Path(id): Path<ConversationId>,
    Json(request): Json<CreateMessageRequest>,
) -> Result<Response, ApiError> {
    let added = conversations.add_message(caller.user_id, id, request).await?;
    let location = format!("/v1/conversations/{id}/messages/{}", added.id);
    Ok(created(&location, added))
}

/// What is wanted beside a message.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct IncludeQuery {
    /// Any of `children`, `siblings` and `thread`, separated by commas.
    #[param(example = "children,thread")]
    include: Option<String>,
}

impl IncludeQuery {
    fn relatives(&self) -> Result<Relatives, ApiError> {
        let mut relatives = Relatives::default();
        let names = self
            .include
            .as_deref()
            .unwrap_or_default()
            .split(',')
            .map(str::trim);
        for name in names.filter(|name| !name.is_empty()) {
            match name {
                "children" => relatives.children = true,
                "siblings" => relatives.siblings = true,
                "thread" => relatives.thread = true,
                _ => {
                    return Err(ApiError::invalid_field(
                        "include",
                        "may list `children`, `siblings` and `thread` only",
                    ));
                }
            }
        }
        Ok(relatives)
    }
}

/// A message, and on request what is around it in the tree
#[utoipa::path(
    get,
    path = "/v1/conversations/{id}/messages/{message_id}",
    tag = "messages",
    params(("id" = ConversationId, Path), ("message_id" = MessageId, Path), IncludeQuery),
    responses(
        (status = 200, description = "The message", body = Success<MessageDetail>),
        (status = 404, description = "No such conversation or message", body = ErrorBody),
        (status = 422, description = "`include` lists something else", body = ErrorBody),
    ),
)]
pub(super) async fn read_message(
    State(conversations): State<Arc<ConversationService>>,
    caller: Caller,
    Path((id, message)): Path<(ConversationId, MessageId)>,
    Query(query): Query<IncludeQuery>,
) -> Result<Json<Success<MessageDetail>>, ApiError> {
    let relatives = query.relatives()?;
    let message = conversations
        .message(caller.user_id, id, message, relatives)
        .await?;
    Ok(Json(Success::new(message)))
}

/// Edit a message of the user
///
/// In place, and what follows it stays; or with `create_branch` as another message beside it, on a new branch that
/// becomes the active one, and the message itself stays as it is. No model is asked: `regenerate` answers it.
#[utoipa::path(
    patch,
    path = "/v1/conversations/{id}/messages/{message_id}",
    tag = "messages",
    params(("id" = ConversationId, Path), ("message_id" = MessageId, Path)),
    request_body = EditMessageRequest,
    responses(
        (status = 200, description = "The message: the same, or the one beside it, with its branch", body = Success<EditedMessage>),
        (status = 403, description = "Editing is switched off", body = ErrorBody),
        (status = 404, description = "No such conversation or message", body = ErrorBody),
        (status = 409, description = "It is not a message of the user, a limit is reached, or it is being answered", body = ErrorBody),
        (status = 422, description = "A field is not valid", body = ErrorBody),
    ),
)]
pub(super) async fn edit_message(
    State(conversations): State<Arc<ConversationService>>,
    caller: Caller,
    Path((id, message)): Path<(ConversationId, MessageId)>,
    Json(request): Json<EditMessageRequest>,
) -> Result<Json<Success<EditedMessage>>, ApiError> {
    let edited = conversations
        .edit_message(caller.user_id, id, message, request)
        .await?;
    Ok(Json(Success::new(edited)))
}

/// Delete a message and all that follows it
///
/// Branches that ended in what is gone end before it.
#[utoipa::path(
    delete,
    path = "/v1/conversations/{id}/messages/{message_id}",
    tag = "messages",
    params(("id" = ConversationId, Path), ("message_id" = MessageId, Path)),
    responses(
        (status = 200, description = "It is gone", body = Success<DeletedMessage>),
        (status = 404, description = "No such conversation or message", body = ErrorBody),
        (status = 409, description = "An answer is being written among what would go", body = ErrorBody),
    ),
)]
pub(super) async fn delete_message(
    State(conversations): State<Arc<ConversationService>>,
    caller: Caller,
    Path((id, message)): Path<(ConversationId, MessageId)>,
) -> Result<Json<Success<DeletedMessage>>, ApiError> {
    let deleted = conversations.delete_message(caller.user_id, id, message).await?;
    Ok(Json(Success::new(deleted)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relatives(include: Option<&str>) -> Option<Relatives> {
        let include = include.map(str::to_owned);
        IncludeQuery { include }.relatives().ok()
    }

    #[test]
    fn relatives_are_listed_by_name() {
        assert_eq!(relatives(None), Some(Relatives::default()));
        assert_eq!(relatives(Some("")), Some(Relatives::default()));
        let some = Relatives {
            children: true,
            thread: true,
            siblings: false,
        };
        assert_eq!(relatives(Some("thread, children,thread")), Some(some));
        assert_eq!(relatives(Some("children,parents")), None);
    }
}
