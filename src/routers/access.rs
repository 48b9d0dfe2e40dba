//! What a route asks of its callers, said once beside the route: enforced, and written into the API document.
//!
//! Each `routes!` below `/v1` goes through one of these. What does not has no `Caller`, and a test finds it.

use axum::middleware::from_fn_with_state;
use axum::routing::MethodRouter;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};
use utoipa_axum::router::UtoipaMethodRouter;

use crate::middleware::access::require;
use crate::models::scope::Scope;
use crate::services::auth::Access;
use crate::state::AppState;

/// The security scheme of access tokens, and of API keys that are sent as such.
pub const BEARER: &str = "bearer";

/// The security scheme of API keys in a header of their own.
pub const API_KEY: &str = "api_key";

/// Routes for callers who have this scope.
pub(super) fn with_scope(scope: Scope, routes: UtoipaMethodRouter<AppState>) -> UtoipaMethodRouter<AppState> {
    guarded(Access::Scope(scope), routes)
}

/// Methods for callers who have this scope, of a path that the API document has no words for.
pub(super) fn undocumented(scope: Scope, methods: MethodRouter<AppState>) -> MethodRouter<AppState> {
    methods.route_layer(from_fn_with_state(Access::Scope(scope), require))
}

/// Routes for users who are signed in: API keys are refused.
pub(super) fn signed_in_only(routes: UtoipaMethodRouter<AppState>) -> UtoipaMethodRouter<AppState> {
    guarded(Access::SignedIn, routes)
}

fn guarded(
    access: Access,
    (schemas, mut paths, router): UtoipaMethodRouter<AppState>,
) -> UtoipaMethodRouter<AppState> {
    for operation in paths.paths.values_mut().flat_map(operations) {
        describe(operation, access);
    }
    let router = router.route_layer(from_fn_with_state(access, require));
    (schemas, paths, router)
}

/// The operations of a path.
pub fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
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

/// Says in the document what is enforced.
fn describe(operation: &mut Operation, access: Access) {
    let (needs, refusal, security) = match access {
        Access::Scope(scope) => (
            format!("An API key needs the scope `{scope}`."),
            "The API key lacks the scope",
            [BEARER, API_KEY]
                .map(|scheme| SecurityRequirement::new(scheme, [scope.as_str()]))
                .to_vec(),
        ),
        Access::SignedIn => (
            "API keys are refused, whatever their scopes.".to_owned(),
            "It was asked for with an API key",
            vec![SecurityRequirement::new(BEARER, [""; 0])],
        ),
    };
    operation.security = Some(security);
    operation.description = Some(match operation.description.take() {
        Some(text) => format!("{text}\n\n{needs}"),
        None => needs,
    });
    let responses = &mut operation.responses.responses;
    let refusal = format!("{refusal}, or the account is suspended");
    match responses.get_mut("403") {
        Some(RefOr::T(response)) => response.description = format!("{refusal}; or: {}", response.description),
        _ => {
            responses.insert("403".to_owned(), error(&refusal).into());
        }
    }
}

/// A response that is an error.
pub fn error(description: &str) -> Response {
    let body = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("ErrorBody")))
        .build();
    ResponseBuilder::new()
        .description(description)
        .content("application/json", body)
        .build()
}
