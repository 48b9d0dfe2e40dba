//! The gate before every route: deny by default.
//!
//! A route that is not on the short list of open ones is reached with a [`Caller`] in the request's extensions,
//! or not at all. The gate stands before the body is read.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::Span;
use tracing::field::display;

use crate::config::Settings;
use crate::services::auth::{AuthError, Authenticator, Caller, FailedAttempts, bearer_token};
use crate::services::rate_limit::Refusal;
use crate::utils::errors::ApiError;

use super::client_ip::client_ip;
use super::route_class;

/// Lets open routes through, and callers.
pub async fn require_caller(
    State(authenticator): State<Arc<Authenticator>>,
    State(failed): State<Arc<FailedAttempts>>,
    State(settings): State<Arc<Settings>>,
    mut request: Request,
    next: Next,
) -> Response {
    if route_class::is_one_of(route_class::OPEN, &request) {
        return next.run(request).await;
    }
    let client = client_address(&request, &settings);
    match authenticate(&authenticator, &request) {
        Ok(caller) => {
            Span::current().record("user_id", display(caller.user_id));
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(refusal) => {
            // Good credentials are never refused for what others behind the same address do.
            let counted = match client {
                Some(client) => failed.count(client).await,
                None => Ok(()),
            };
            match counted {
                Ok(()) => {
                    log_failure(refusal, client);
                    ApiError::from(refusal).into_response()
                }
                Err(too_many) => {
                    log_too_many(too_many, client);
                    ApiError::from(too_many).into_response()
                }
            }
        }
    }
}

fn authenticate(authenticator: &Authenticator, request: &Request) -> Result<Caller, AuthError> {
    authenticator.authenticate(bearer_token(request.headers())?)
}

fn client_address(request: &Request, settings: &Settings) -> Option<IpAddr> {
    let ConnectInfo(peer) = request.extensions().get::<ConnectInfo<SocketAddr>>()?;
    Some(client_ip(peer.ip(), request.headers(), &settings.security))
}

fn log_failure(refusal: AuthError, client: Option<IpAddr>) {
    tracing::warn!(
        event = "authentication_failed",
        reason = %refusal,
        client_ip = client.map(display),
        "security_event"
    );
}

fn log_too_many(refusal: Refusal, client: Option<IpAddr>) {
    tracing::warn!(
        event = "rate_limited",
        scope = refusal.scope.as_str(),
        client_ip = client.map(display),
        "security_event"
    );
}
