//! Settings, a state and requests for unit tests.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use jsonwebtoken::Algorithm;
use serde_json::Value;
use tower::ServiceExt;

use crate::config::Settings;
use crate::models::ids::{InstanceId, UserId};
use crate::services::auth::DevelopmentToken;
use crate::services::health::{Check, HealthService};
use crate::services::lifecycle::Lifecycle;
use crate::services::llm::demo::DemoModel;
use crate::services::sql::OpenDatabase;
use crate::services::sql::sqlite::SqliteDatabase;
use crate::state::{AppState, Services};
use crate::utils::clock::Clock;
use crate::utils::metrics::Metrics;
use crate::wiring::Wiring;

const SECRET: &[u8] = b"the secret that unit tests sign with";

/// The defaults of development.
pub fn settings() -> Settings {
    Settings::from_pairs([]).expect("defaults")
}

/// A state on these settings and health checks, ready to serve. Its database is empty and in memory: what needs
/// more than routes and middleware is tested through the real server.
pub async fn state(settings: Settings, checks: Vec<Arc<dyn Check>>) -> AppState {
    let clock = Clock::system();
    let lifecycle = Lifecycle::new();
    lifecycle.set_ready();
    let database = SqliteDatabase::open(
        Path::new(":memory:"),
        &settings.database,
        clock.clone(),
        InstanceId::new(&clock),
        lifecycle.tracker(),
    );
    let wiring = Wiring {
        database: OpenDatabase::Sqlite(database.await.expect("a database")),
        metrics: Arc::new(Metrics::new(settings.monitoring.user_label_limit).expect("families")),
        secret: SECRET.to_vec().into(),
        model: Arc::new(DemoModel::new(clock.clone())),
        redis: None,
        background: lifecycle.tracker().clone(),
        settings: Arc::new(settings),
        clock: clock.clone(),
    };
    let (services, _) = wiring.services(lifecycle).expect("services");
    let health = Arc::new(HealthService::new(checks, &wiring.settings, clock));
    AppState::from(Services { health, ..services })
}

/// The value of an `Authorization` header that [`state`] accepts.
pub fn bearer() -> String {
    let token = DevelopmentToken {
        user: UserId(uuid::Uuid::from_u128(7)),
        email: None,
        ttl: Duration::from_secs(600),
        audience: "authenticated",
        issuer: None,
    };
    let secret = SECRET.to_vec().into();
    let token = token
        .sign(&secret, Algorithm::HS256, &Clock::system())
        .expect("a token");
    format!("Bearer {token}")
}

/// What a router answered.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    /// The body as JSON; null if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// `error.code` of the body.
    pub fn code(&self) -> String {
        self.json()["error"]["code"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// A header as text; empty if it is absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap_or_default())
    }
}

/// Sends a request through a router and reads the whole answer.
pub async fn send(router: &Router, request: Request<Body>) -> Answer {
    let response = router.clone().oneshot(request).await.expect("an answer");
    let (head, body) = response.into_parts();
    Answer {
        status: head.status,
        headers: head.headers,
        body: body.collect().await.expect("a body").to_bytes(),
    }
}

/// A request without a body.
pub fn request(method: &str, path: &str) -> Request<Body> {
    request_with(method, path, &[], Body::empty())
}

/// A request with headers and a body.
pub fn request_with(
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Body>,
) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body.into()).expect("a request")
}
