//! What the OpenAPI document says about all routes alike: who may call them, and what an error looks like.

use utoipa::OpenApi as _;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{Components, Header, Object, OpenApi, RefOr, Type};

use crate::middleware::route_class;
use crate::routers::access::{API_KEY, BEARER, error, operations};
use crate::utils::errors::ErrorBody;

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "AI Chat Orchestrator",
        description = "Streamed, durable answers from any OpenAI-compatible model, kept in conversations."
    ),
    components(schemas(ErrorBody)),
    tags(
        (name = "chat", description = "Ask a model, and come back for its answer"),
        (name = "embeddings", description = "Texts as vectors"),
        (name = "conversations", description = "What was said, and is kept"),
        (name = "branches", description = "Paths in the tree of a conversation"),
        (name = "messages", description = "The nodes of that tree"),
        (name = "models", description = "What can be asked, what it can do, and what it costs"),
        (name = "users", description = "What is kept of the user"),
        (name = "operations", description = "Health, metrics and documentation; no credentials needed"),
    )
)]
struct Preamble;

/// The document before its routes.
pub(super) fn preamble() -> OpenApi {
    Preamble::openapi()
}

/// Adds to each route what holds for all of its kind.
pub(super) fn complete(mut document: OpenApi) -> OpenApi {
    let components = document.components.get_or_insert_with(Components::new);
    components.add_security_scheme(BEARER, bearer());
    components.add_security_scheme(API_KEY, api_key());
    document.security = Some([BEARER, API_KEY].map(requirement).to_vec());
    for (path, item) in &mut document.paths.paths {
        let is_open = route_class::OPEN.contains(&path.as_str());
        for operation in operations(item) {
            describe(operation, is_open);
        }
    }
    document
}

fn bearer() -> SecurityScheme {
    let scheme = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some("A Supabase access token, or an API key (`sk-aco-…`)."))
        .build();
    SecurityScheme::Http(scheme)
}

fn api_key() -> SecurityScheme {
    let header = ApiKeyValue::with_description(
        "X-API-Key",
        "An API key (`sk-aco-…`). It is looked at where there is no `Authorization`.",
    );
    SecurityScheme::ApiKey(ApiKey::Header(header))
}

fn requirement(scheme: &str) -> SecurityRequirement {
    SecurityRequirement::new(scheme, [""; 0])
}

fn describe(operation: &mut Operation, is_open: bool) {
    let responses = &mut operation.responses.responses;
    if is_open {
        operation.security = Some(Vec::new());
    } else {
        let refused = error("No valid credentials: `error.code` says why");
        responses.entry("401".to_owned()).or_insert(refused.into());
        let limited = error("Too many requests");
        let limited = responses.entry("429".to_owned()).or_insert(limited.into());
        if let RefOr::T(limited) = limited {
            limited
                .headers
                .insert("Retry-After".to_owned(), retry_after().into());
        }
    }
    let other = error("Any other error: `error.code` says which");
    responses.entry("default".to_owned()).or_insert(other.into());
}

fn retry_after() -> Header {
    let mut header = Header::new(Object::with_type(Type::Integer));
    header.description = Some("Whole seconds to wait, at least 1".to_owned());
    header
}
