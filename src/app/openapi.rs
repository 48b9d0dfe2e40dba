//! What the OpenAPI document says about all routes alike: who may call them, and what an error looks like.

use utoipa::OpenApi as _;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Components, ContentBuilder, Header, Object, OpenApi, Ref, RefOr, Type};

use crate::middleware::route_class;
use crate::utils::errors::ErrorBody;

/// The name of the security scheme.
const BEARER: &str = "bearer";

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "AI Chat Orchestrator",
        description = "Streamed, durable answers from any OpenAI-compatible model, kept in conversations."
    ),
    components(schemas(ErrorBody)),
    tags(
        (name = "chat", description = "Ask a model, and come back for its answer"),
        (name = "conversations", description = "What was said, and is kept"),
        (name = "branches", description = "Paths in the tree of a conversation"),
        (name = "messages", description = "The nodes of that tree"),
        (name = "models", description = "What can be asked, what it can do, and what it costs"),
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
    document
        .components
        .get_or_insert_with(Components::new)
        .add_security_scheme(BEARER, bearer());
    document.security = Some(vec![requirement()]);
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
        .description(Some("A Supabase access token."))
        .build();
    SecurityScheme::Http(scheme)
}

fn requirement() -> SecurityRequirement {
    SecurityRequirement::new(BEARER, Vec::<String>::new())
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [
        &mut item.get,
        &mut item.put,
        &mut item.post,
        &mut item.delete,
        &mut item.patch,
    ]
    .into_iter()
    .flatten()
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

fn error(description: &str) -> Response {
    let body = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("ErrorBody")))
        .build();
    ResponseBuilder::new()
        .description(description)
        .content("application/json", body)
        .build()
}

fn retry_after() -> Header {
    let mut header = Header::new(Object::with_type(Type::Integer));
    header.description = Some("Whole seconds to wait, at least 1".to_owned());
    header
}
