//! The gate before every route: deny by default.
//!
//! A route that is not on the short list of open ones is reached by somebody who is known, or not at all. The gate
//! stands before the body is read. It leaves the caller as [`Authenticated`]; whether the caller may use this route is
//! for [`access`](super::access) to say.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use tracing::Span;
use tracing::field::display;

use crate::config::Settings;
use crate::services::api_keys::{ApiKeyService, ApiKeyVerifier};
use crate::services::auth::{AuthError, AuthFailure, Authenticator, Caller, FailedAttempts, Presented};
use crate::services::billing::Billing;
use crate::services::rate_limit::Refusal;
use crate::utils::errors::ApiError;

use super::client_ip::client_ip;
use super::route_class;

/// A caller who is known, and of whom it is not yet known whether they may use this route.
#[derive(Debug, Clone)]
pub struct Authenticated(pub Caller);

/// Lets open routes through, and callers.
pub async fn require_caller(
    State(authenticator): State<Arc<Authenticator>>,
    State(api_keys): State<Arc<ApiKeyService>>,
    State(billing): State<Arc<Billing>>,
    State(failed): State<Arc<FailedAttempts>>,
    State(settings): State<Arc<Settings>>,
    mut request: Request,
    next: Next,
) -> Response {
    if route_class::is_one_of(route_class::OPEN, &request) {
        return next.run(request).await;
    }
    match authenticate(&authenticator, api_keys.verifier(), request.headers()).await {
        Ok(caller) => {
            Span::current().record("user_id", display(caller.user_id));
            if let Err(error) = billing.check_standing(caller.user_id).await {
                tracing::warn!(event = "suspended_account", "security_event");
                return error.into_response();
            }
            request.extensions_mut().insert(Authenticated(caller));
            next.run(request).await
        }
        Err(AuthFailure::Refused(refusal)) => {
            let client = client_address(&request, &settings);
            refuse(refusal, client, &failed).await.into_response()
        }
        // Nobody has guessed wrong where nobody could look.
        Err(AuthFailure::Undecided(error)) => error.into_response(),
    }
}

async fn authenticate(
    authenticator: &Authenticator,
    api_keys: &ApiKeyVerifier,
    headers: &HeaderMap,
) -> Result<Caller, AuthFailure> {
    match Presented::find(headers)? {
        Presented::Token(token) => Ok(authenticator.authenticate(token)?),
        Presented::ApiKey(key) => api_keys.verify(key).await,
    }
}

/// Counts wrong credentials against their address. Good ones are never refused for what others behind the same address
/// do.
async fn refuse(refusal: AuthError, client: Option<IpAddr>, failed: &FailedAttempts) -> ApiError {
    let counted = match client {
        Some(client) => failed.count(client).await,
        None => Ok(()),
    };
    match counted {
        Ok(()) => {
            log_failure(refusal, client);
            refusal.into()
        }
        Err(too_many) => {
            log_too_many(too_many, client);
            too_many.into()
        }
    }
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
