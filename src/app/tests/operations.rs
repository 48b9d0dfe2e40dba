//! Health, metrics and documentation.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::*;
use crate::services::health::{Check, Importance};

#[tokio::test]
async fn metrics_are_for_those_who_may_see_them() {
    let open = App::new().await.get("/metrics").await;
    assert_eq!(
        open.header("content-type"),
        "text/plain; version=0.0.4; charset=utf-8"
    );
    assert!(open.body.starts_with(b"# HELP"));

    let guarded = App::with(|settings| settings.security.metrics_token = Some("scraper".into())).await;
    assert_eq!(guarded.get("/metrics").await.code(), "MISSING_AUTH_HEADER");
    for (authorization, status) in [("Bearer nobody!", 401), ("Bearer scraper", 200)] {
        let answer = guarded
            .send("GET", "/metrics", &[("authorization", authorization)])
            .await;
        assert_eq!(answer.status, status);
    }

    let off = App::with(|settings| settings.monitoring.metrics = false).await;
    assert_eq!(off.get("/metrics").await.code(), "NOT_FOUND");

    let apart = App::with(|settings| settings.monitoring.metrics_port = Some(9090)).await;
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
    let app = App::new().await;
    assert_eq!(app.get("/ready").await.json()["status"], "ready");
    app.state.services().lifecycle.drain(Duration::ZERO).await;
    let draining = app.get("/ready").await;
    assert_eq!(draining.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(draining.json()["status"], "draining");
    assert_eq!(app.get("/live").await.status, StatusCode::OK);

    let state = testing::state(testing::settings(), vec![Arc::new(Broken)]).await;
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
    let router = router(testing::state(testing::settings(), Vec::new()).await).expect("a router");
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
    settings.features.branch_merging = false;
    let router = router(testing::state(settings, Vec::new()).await).expect("a router");
    for path in ["/docs", "/docs/", "/openapi.json"] {
        assert_eq!(
            send(&router, request("GET", path)).await.code(),
            "FEATURE_DISABLED"
        );
    }
    let browser = request_with("GET", "/", &[("accept", "text/html")], Body::empty());
    assert_eq!(send(&router, browser).await.status, StatusCode::OK);
    let info = send(&router, request("GET", "/info")).await.json();
    let on = [
        "message_editing",
        "conversation_export",
        "user_analytics",
        "user_api_keys",
        "batch_operations",
        "metrics",
    ];
    assert_eq!(info["features"], serde_json::json!(on));
    assert_eq!(info["backends"]["store"], "sqlite");
    for (limit, default) in [
        ("max_import_bytes", 256 << 20),
        ("max_conversations_per_user", 1000),
        ("max_branches_per_conversation", 10),
        ("max_messages_per_conversation", 500),
        ("max_batch_operation_size", 50),
    ] {
        assert_eq!(info["limits"][limit], default, "{limit}");
    }
}
