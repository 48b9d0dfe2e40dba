//! What browsers are told.

use super::*;
use crate::config::Environment;

#[tokio::test]
async fn browsers_are_told_how_to_treat_answers() {
    let app = App::with(|settings| settings.app.environment = Environment::Production).await;
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
            .await
            .get("/health")
            .await
            .header("strict-transport-security"),
        ""
    );
}

#[tokio::test]
async fn preflights_are_answered_for_configured_origins_alone() {
    let app = App::new().await;
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
    let app = App::with(|settings| settings.security.cors_origins = vec!["*".to_owned()]).await;
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
