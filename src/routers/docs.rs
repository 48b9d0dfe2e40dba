//! The OpenAPI document and Swagger UI, both served from the binary: nothing is fetched from elsewhere.

use std::sync::Arc;

use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::{Extension, Router};
use bytes::Bytes;
use http::header;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use utoipa_swagger_ui::Config;

use crate::extract::Path;
use crate::state::AppState;
use crate::utils::errors::{ApiError, ErrorCode};

/// What Swagger UI needs: its own files, styles it writes itself, and this service to try routes on.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
     img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'";

/// The document as it is served, and the page's configuration.
#[derive(Clone)]
pub struct Documentation {
    document: Bytes,
    page: Arc<Config<'static>>,
}

impl Documentation {
    /// The documentation of what this document describes.
    ///
    /// # Errors
    /// If the document cannot be written as JSON.
    pub fn new(document: &OpenApi) -> Result<Self, serde_json::Error> {
        let page = Config::from("/openapi.json")
            .persist_authorization(true)
            .try_it_out_enabled(true)
            .validator_url("none");
        Ok(Self {
            document: serde_json::to_vec(document)?.into(),
            page: Arc::new(page),
        })
    }
}

/// The routes; they need a [`Documentation`] among the request's extensions.
#[must_use]
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default()
        .routes(routes!(show_document))
        .routes(routes!(open_docs))
        .route("/docs/", get(show_page))
        .route("/docs/{*file}", get(show_file))
}

/// This document
#[utoipa::path(
    get, path = "/openapi.json", tag = "operations",
    responses((status = 200, description = "OpenAPI 3.1", body = Object))
)]
async fn show_document(Extension(docs): Extension<Documentation>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], docs.document).into_response()
}

/// Swagger UI, to read about every route and try it
#[utoipa::path(
    get, path = "/docs", tag = "operations",
    responses((status = 303, description = "To the page"))
)]
async fn open_docs() -> Redirect {
    // The page's own links are relative to the folder.
    Redirect::to("/docs/")
}

/// The same paths where the operator does not want them.
pub fn disabled_routes() -> Router<AppState> {
    Router::new()
        .route("/openapi.json", get(disabled))
        .route("/docs", get(disabled))
        .route("/docs/", get(disabled))
        .route("/docs/{*file}", get(disabled))
}

async fn disabled() -> ApiError {
    ApiError::new(
        ErrorCode::FeatureDisabled,
        "The documentation is switched off (ENABLE_DOCS).",
    )
}

async fn show_page(Extension(docs): Extension<Documentation>) -> Result<Response, ApiError> {
    serve("", docs)
}

async fn show_file(
    Path(file): Path<String>,
    Extension(docs): Extension<Documentation>,
) -> Result<Response, ApiError> {
    serve(&file, docs)
}

fn serve(file: &str, docs: Documentation) -> Result<Response, ApiError> {
    let found = utoipa_swagger_ui::serve(file, docs.page)
        .map_err(|cause| ApiError::internal(Fault(cause.to_string())))?;
    let file = found.ok_or_else(|| ApiError::new(ErrorCode::NotFound, "There is no such file."))?;
    let headers = [
        (header::CONTENT_TYPE, file.content_type.as_str()),
        (header::CONTENT_SECURITY_POLICY, PAGE_POLICY),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    Ok((headers, file.bytes.into_owned()).into_response())
}

/// A file of the page cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot serve the documentation: {0}")]
struct Fault(String);
