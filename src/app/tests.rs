use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::body::Body;
use axum::routing::{get, post};
use bytes::Bytes;
use futures_util::stream;
use http::StatusCode;
use http_body_util::BodyExt;
use tower::ServiceExt;

use super::*;
use crate::config::{Environment, Settings};
use crate::extract::RawJson;
use crate::middleware::ids::RequestId;
use crate::middleware::route_class;
use crate::services::auth::Caller;
use crate::services::health::{Check, Importance};
use crate::testing::{self, Answer, bearer, request, request_with, send};

/// A router with some routes as the real ones are, around them all that is around the real ones.
struct App {
    state: AppState,
    router: Router,
}

impl App {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = testing::settings();
        change(&mut settings);
        let state = testing::state(settings, Vec::new());
        let routes = Router::from(api())
            .route(
                "/v1/who",
                get(|caller: Caller| async move { caller.user_id.to_string() }),
            )
            .route("/v1/echo", post(|RawJson(body): RawJson| async move { body }))
            .route(
                "/v1/request-id",
                get(|id: RequestId| async move { id.to_string() }),
            )
            .route("/v1/panic", get(panicking))
            .route("/v1/slow", get(std::future::pending::<()>))
            .route("/v1/endless", get(endless));
        Self {
            router: with_middleware(routes, state.clone()),
            state,
        }
    }

    async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[]).await
    }

    async fn get_signed_in(&self, path: &str) -> Answer {
        self.send("GET", path, &[("authorization", &bearer())]).await
    }

    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        send(&self.router, request_with(method, path, headers, Body::empty())).await
    }

    fn in_flight(&self) -> i64 {
        self.state.services().metrics.http_requests_in_flight.get()
    }

    fn metrics(&self) -> String {
        self.state.services().metrics.render().expect("metrics")
    }
}

async fn panicking() {
    panic!("as the test wants")
}

async fn endless() -> Body {
    Body::from_stream(stream::repeat_with(|| {
        Ok::<_, std::io::Error>(Bytes::from_static(b"more"))
    }))
}

#[tokio::test]
async fn every_route_that_is_not_open_refuses_strangers() {
    let router = router(testing::state(testing::settings(), Vec::new())).expect("a router");
    let document = serde_json::to_value(openapi()).expect("json");
    for (path, operations) in document["paths"].as_object().expect("paths") {
        for method in operations.as_object().expect("operations").keys() {
            let concrete = path.replace(['{', '}'], "");
            let answer = send(&router, request(&method.to_uppercase(), &concrete)).await;
            if route_class::OPEN.contains(&path.as_str()) {
                assert_ne!(answer.status, StatusCode::UNAUTHORIZED, "{method} {path}");
            } else {
                assert_eq!(answer.code(), "MISSING_AUTH_HEADER", "{method} {path}");
            }
        }
    }
}

#[tokio::test]
async fn every_open_route_exists_and_has_a_description() {
    let router = router(testing::state(testing::settings(), Vec::new())).expect("a router");
    let document = serde_json::to_value(openapi()).expect("json");
    for path in route_class::OPEN {
        let answer = send(
            &router,
            request("GET", &path.replace("{*file}", "swagger-ui.css")),
        )
        .await;
        assert!(
            answer.status.is_success() || answer.status.is_redirection(),
            "{path}: {}",
            answer.status
        );
        let is_part_of_a_page = path.starts_with("/docs/");
        assert_eq!(
            document["paths"].get(*path).is_none(),
            is_part_of_a_page,
            "{path}"
        );
    }
}

#[tokio::test]
async fn callers_are_let_in_and_strangers_are_told_why_not() {
    let app = App::new();
    let answer = app.get_signed_in("/v1/who").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.body, "00000000-0000-0000-0000-000000000007");
    for (authorization, code) in [
        (None, "MISSING_AUTH_HEADER"),
        (Some("Basic YTpi"), "INVALID_AUTH_FORMAT"),
        (Some("Bearer a.b.c"), "INVALID_TOKEN"),
    ] {
        let headers: Vec<_> = authorization
            .map(|value| ("authorization", value))
            .into_iter()
            .collect();
        let answer = app.send("GET", "/v1/who", &headers).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (StatusCode::UNAUTHORIZED, code)
        );
        assert_eq!(answer.header("www-authenticate"), "Bearer");
    }
    assert!(
        app.metrics()
            .contains(r#"http_rejections_total{reason="auth"} 3"#)
    );
}

#[tokio::test]
async fn credentials_come_before_the_body() {
    let app = App::new();
    let headers = [("content-length", "99999999"), ("content-type", "text/plain")];
    let never = Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
    let answer = send(&app.router, request_with("POST", "/v1/echo", &headers, never)).await;
    assert_eq!(answer.code(), "MISSING_AUTH_HEADER");
}

#[tokio::test]
async fn unknown_paths_and_methods_get_the_envelope() {
    let app = App::new();
    let origin = [("origin", "http://localhost:3000"), ("x-request-id", "mine")];
    let unknown = app.send("GET", "/v1/nowhere", &origin).await;
    assert_eq!(
        (unknown.status, unknown.code().as_str()),
        (StatusCode::NOT_FOUND, "NOT_FOUND")
    );
    assert_eq!(unknown.json()["success"], false);
    assert_eq!(unknown.json()["error"]["request_id"], "mine");
    assert_eq!(unknown.header("x-request-id"), "mine");
    assert_eq!(unknown.header("content-type"), "application/json");
    assert_eq!(unknown.header("cache-control"), "no-store");
    assert_eq!(
        unknown.header("access-control-allow-origin"),
        "http://localhost:3000"
    );

    let wrong = app.send("DELETE", "/health", &[]).await;
    assert_eq!(
        (wrong.status, wrong.code().as_str()),
        (StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED")
    );
    assert_eq!(wrong.header("allow"), "GET,HEAD");
}

#[tokio::test]
async fn handlers_see_the_request_id_that_clients_see() {
    let app = App::new();
    let answer = app.get_signed_in("/v1/request-id").await;
    assert_eq!(answer.body, answer.header("x-request-id"));
    assert_eq!(answer.body.len(), 36);
}

#[tokio::test]
async fn a_panic_is_an_ordinary_error() {
    let app = App::new();
    for _ in 0..2 {
        let answer = app.get_signed_in("/v1/panic").await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR")
        );
        assert!(!answer.json().to_string().contains("as the test wants"));
        assert_eq!(answer.header("x-frame-options"), "DENY");
    }
    assert!(
        app.metrics()
            .contains(r#"errors_total{service="orchestrator",type="INTERNAL_ERROR"} 2"#)
    );
    assert_eq!(app.in_flight(), 0);
}

#[tokio::test]
async fn a_handler_that_hangs_is_given_up() {
    let app = App::with(|settings| settings.load.request_timeout = Duration::from_millis(20));
    let answer = app.get_signed_in("/v1/slow").await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (StatusCode::GATEWAY_TIMEOUT, "REQUEST_TIMEOUT")
    );
}

#[tokio::test]
async fn a_stream_holds_its_place_until_it_is_dropped() {
    let app = App::with(|settings| settings.load.max_concurrent_requests = 1);
    let headers = [("authorization", bearer())];
    let headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let stream = app
        .router
        .clone()
        .oneshot(request_with("GET", "/v1/endless", &headers, Body::empty()));
    let mut stream = stream.await.expect("an answer").into_body();
    stream.frame().await.expect("a frame").expect("data");
    assert_eq!(app.in_flight(), 1);

    let refused = app
        .send("GET", "/v1/who", &[("origin", "http://localhost:3000")])
        .await;
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (StatusCode::SERVICE_UNAVAILABLE, "OVERLOADED")
    );
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(
        refused.header("access-control-allow-origin"),
        "http://localhost:3000"
    );
    assert_eq!(app.get("/health").await.status, StatusCode::OK);

    drop(stream);
    assert_eq!(app.in_flight(), 0);
    assert_eq!(app.get_signed_in("/v1/who").await.status, StatusCode::OK);
}

#[tokio::test]
async fn labels_are_templates_and_known_methods() {
    let app = App::new();
    app.get("/etc/passwd").await;
    app.send("BREW", "/health", &[]).await;
    app.get("/health").await;
    let metrics = app.metrics();
    for line in [
        r#"http_requests_total{endpoint="unmatched",method="GET",status="404"} 1"#,
        r#"http_requests_total{endpoint="/health",method="OTHER",status="405"} 1"#,
        r#"http_requests_total{endpoint="/health",method="GET",status="200"} 1"#,
        r#"http_request_duration_seconds_count{endpoint="/health",method="GET"} 1"#,
    ] {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }
    assert!(!metrics.contains("passwd"));
}

#[tokio::test]
async fn browsers_are_told_how_to_treat_answers() {
    let app = App::with(|settings| settings.app.environment = Environment::Production);
    let answer = app.get("/health").await;
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert_eq!(answer.header("referrer-policy"), "no-referrer");
    assert!(
        answer
            .header("content-security-policy")
            .starts_with("default-src 'none'")
    );
    assert!(answer.header("strict-transport-security").starts_with("max-age="));
    assert_eq!(
        App::new()
            .get("/health")
            .await
            .header("strict-transport-security"),
        ""
    );
}

#[tokio::test]
async fn preflights_are_answered_for_configured_origins_alone() {
    let app = App::new();
    let preflight = async |origin| {
        let headers = [("origin", origin), ("access-control-request-method", "POST")];
        app.send("OPTIONS", "/v1/echo", &headers).await
    };
    let known = preflight("http://localhost:3000").await;
    assert_eq!(known.status, StatusCode::OK);
    assert_eq!(
        known.header("access-control-allow-origin"),
        "http://localhost:3000"
    );
    assert_eq!(known.header("access-control-allow-credentials"), "true");
    assert_eq!(known.header("access-control-max-age"), "3600");
    assert!(
        known
            .header("access-control-allow-headers")
            .contains("last-event-id")
    );
    let unknown = preflight("http://localhost:3000.evil.example").await;
    assert_eq!(unknown.header("access-control-allow-origin"), "");
}

#[tokio::test]
async fn credentials_are_never_combined_with_every_origin() {
    let app = App::with(|settings| settings.security.cors_origins = vec!["*".to_owned()]);
    let answer = app
        .send("GET", "/health", &[("origin", "https://any.example")])
        .await;
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    assert_eq!(answer.header("access-control-allow-credentials"), "");
    assert!(
        answer
            .header("access-control-expose-headers")
            .contains("x-stream-id")
    );
}

#[tokio::test]
async fn metrics_are_for_those_who_may_see_them() {
    let open = App::new().get("/metrics").await;
    assert_eq!(
        open.header("content-type"),
        "text/plain; version=0.0.4; charset=utf-8"
    );
    assert!(open.body.starts_with(b"# HELP"));

    let guarded = App::with(|settings| settings.security.metrics_token = Some("scraper".into()));
    assert_eq!(guarded.get("/metrics").await.code(), "MISSING_AUTH_HEADER");
    for (authorization, status) in [("Bearer nobody!", 401), ("Bearer scraper", 200)] {
        let answer = guarded
            .send("GET", "/metrics", &[("authorization", authorization)])
            .await;
        assert_eq!(answer.status, status);
    }

    let off = App::with(|settings| settings.monitoring.metrics = false);
    assert_eq!(off.get("/metrics").await.code(), "NOT_FOUND");

    let apart = App::with(|settings| settings.monitoring.metrics_port = Some(9090));
    assert_eq!(apart.get("/metrics").await.code(), "NOT_FOUND");
    let own_port = metrics_router(apart.state.clone());
    assert_eq!(
        send(&own_port, request("GET", "/metrics")).await.status,
        StatusCode::OK
    );
    assert_eq!(
        send(&own_port, request("GET", "/health")).await.status,
        StatusCode::NOT_FOUND
    );
}

struct Broken;

#[async_trait]
impl Check for Broken {
    fn name(&self) -> &'static str {
        "store"
    }

    fn importance(&self) -> Importance {
        Importance::Essential
    }

    async fn check(&self) -> Result<Option<String>, String> {
        Err("does not answer".to_owned())
    }
}

#[tokio::test]
async fn readiness_follows_the_life_of_the_process_and_the_store() {
    let app = App::new();
    assert_eq!(app.get("/ready").await.json()["status"], "ready");
    app.state.services().lifecycle.drain(Duration::ZERO).await;
    let draining = app.get("/ready").await;
    assert_eq!(draining.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(draining.json()["status"], "draining");
    assert_eq!(app.get("/live").await.status, StatusCode::OK);

    let state = testing::state(testing::settings(), vec![Arc::new(Broken)]);
    let router = router(state).expect("a router");
    let ready = send(&router, request("GET", "/ready")).await;
    assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(ready.json()["status"], "store_unavailable");
    let health = send(&router, request("GET", "/health")).await;
    assert_eq!(health.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(health.json()["services"]["store"]["detail"], "does not answer");
}

#[tokio::test]
async fn documentation_works_without_any_other_host() {
    let router = router(testing::state(testing::settings(), Vec::new())).expect("a router");
    let page = send(&router, request("GET", "/docs/")).await;
    assert!(page.header("content-type").starts_with("text/html"));
    assert!(
        page.header("content-security-policy")
            .contains("script-src 'self'")
    );
    let html = String::from_utf8_lossy(&page.body);
    assert!(
        !html.contains("src=\"http") && !html.contains("href=\"http"),
        "{html}"
    );
    let setup = send(&router, request("GET", "/docs/swagger-initializer.js")).await;
    assert!(String::from_utf8_lossy(&setup.body).contains("/openapi.json"));
    let missing = send(&router, request("GET", "/docs/missing.js")).await;
    assert_eq!(missing.code(), "NOT_FOUND");
    let document = send(&router, request("GET", "/openapi.json")).await.json();
    assert_eq!(
        document["components"]["securitySchemes"]["bearer"]["scheme"],
        "bearer"
    );
    assert_eq!(document["components"]["schemas"]["ErrorKind"]["type"], "string");

    let browser = request_with("GET", "/", &[("accept", "text/html,*/*")], Body::empty());
    assert_eq!(send(&router, browser).await.header("location"), "/docs/");
    assert_eq!(
        send(&router, request("GET", "/")).await.json()["links"]["docs"],
        "/docs"
    );
}

#[tokio::test]
async fn documentation_can_be_switched_off() {
    let mut settings = testing::settings();
    settings.features.docs = false;
    let router = router(testing::state(settings, Vec::new())).expect("a router");
    for path in ["/docs", "/docs/", "/openapi.json"] {
        assert_eq!(send(&router, request("GET", path)).await.code(), "NOT_FOUND");
    }
    let browser = request_with("GET", "/", &[("accept", "text/html")], Body::empty());
    assert_eq!(send(&router, browser).await.status, StatusCode::OK);
    let info = send(&router, request("GET", "/info")).await.json();
    assert_eq!(info["features"], serde_json::json!(["metrics"]));
}
