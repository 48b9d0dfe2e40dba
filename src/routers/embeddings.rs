//! Embeddings.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::with_scope;
use super::model_answer;
use crate::extract::{RawJson, RequestContext, check_storable, parse};
use crate::models::embedding::{EmbeddingsRequest, EmbeddingsResponse};
use crate::models::scope::Scope;
use crate::services::auth::Caller;
use crate::services::embeddings::{Embeddings, EmbeddingsContext, EmbeddingsService};
use crate::state::AppState;
use crate::utils::errors::{ApiError, ErrorBody};

/// The routes.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(with_scope(Scope::Chat, routes!(create_embeddings)))
}

/// Make embeddings
///
/// OpenAI's request is passed to the model as it is, and its answer comes back in the model's own bytes, at most 64 MiB.
/// Nothing is stored but the usage. A client that goes away is charged for what the model read.
#[utoipa::path(
    post,
    path = "/v1/embeddings",
    tag = "embeddings",
    request_body = EmbeddingsRequest,
    responses(
        (status = 200, description = "An embedding of each input, in their order", body = EmbeddingsResponse),
        (status = 400, description = "A field is not valid, or the model refused the request", body = ErrorBody),
        (status = 402, description = "The user's budget does not cover it, the model has no price, or the model server's budget is used up", body = ErrorBody),
        (status = 403, description = "The account is suspended, or the model is not open to it", body = ErrorBody),
        (status = 404, description = "No such model", body = ErrorBody),
        (status = 413, description = "The body is too large", body = ErrorBody),
        (status = 415, description = "The body is not declared as JSON", body = ErrorBody),
        (status = 429, description = "Too many answers at once, or the model is limited", body = ErrorBody),
        (status = 502, description = "The model server failed, or answered more than 64 MiB", body = ErrorBody),
        (status = 503, description = "The model or the store cannot be reached, or this instance is about to stop", body = ErrorBody),
        (status = 504, description = "The model took too long", body = ErrorBody),
    ),
)]
async fn create_embeddings(
    State(embeddings): State<Arc<EmbeddingsService>>,
    caller: Caller,
    about: RequestContext,
    RawJson(body): RawJson,
) -> Result<Response, ApiError> {
    let made = embed(&embeddings, &caller, about, &body).await;
    let Embeddings { body, waited } = made.map_err(ApiError::for_openai_clients)?;
    Ok(model_answer::whole(body, Some(waited)))
}

async fn embed(
    embeddings: &EmbeddingsService,
    caller: &Caller,
    about: RequestContext,
    body: &[u8],
) -> Result<Embeddings, ApiError> {
    check_storable(body)?;
    let request: EmbeddingsRequest = parse(body)?;
    let context = EmbeddingsContext {
        request_id: about.id.0,
        traceparent: Some(about.trace.traceparent),
    };
    embeddings.embed(caller, context, &request, parse(body)?).await
}
