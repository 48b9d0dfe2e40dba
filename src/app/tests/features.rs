//! What the operator has switched off, and what a process refuses to do at once.

use std::time::Duration;

use super::*;

const CONVERSATION: &str = "/v1/conversations/019aafc3-7c52-7d3c-9b1e-0d5f2f6f8a11";
const OTHER: &str = "019aafc3-7c52-7d3c-9b1e-0d5f2f6f8a12";

async fn send_json(app: &App, method: &str, path: &str, body: &str) -> Answer {
    let headers = [
        ("authorization", &*bearer()),
        ("content-type", "application/json"),
    ];
    send(&app.router, request_with(method, path, &headers, body.to_owned())).await
}

#[tokio::test]
async fn what_is_switched_off_says_so() {
    let routes = [
        ("POST", format!("{CONVERSATION}/branches/{OTHER}/merge"), "{}"),
        (
            "PATCH",
            format!("{CONVERSATION}/messages/{OTHER}"),
            r#"{"content":"a"}"#,
        ),
        ("GET", format!("{CONVERSATION}/export"), ""),
        (
            "POST",
            "/v1/conversations/batch".to_owned(),
            r#"{"operation":"archive","conversation_ids":["no id"]}"#,
        ),
    ];
    let on = App::new().await;
    let off = App::with(|settings| {
        let features = &mut settings.features;
        features.branch_merging = false;
        features.message_editing = false;
        features.conversation_export = false;
        features.batch_operations = false;
    })
    .await;
    for (method, path, body) in routes {
        let refused = send_json(&off, method, &path, body).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{path}");
        assert_eq!(refused.code(), "FEATURE_DISABLED", "{path}");
        assert_ne!(
            send_json(&on, method, &path, body).await.code(),
            "FEATURE_DISABLED",
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_user_has_only_so_many_imports_in_work() {
    let folder = tempfile::tempdir().expect("a folder");
    let app = App::with(|settings| settings.app.data_dir = folder.path().to_owned()).await;
    let import = |body: Body| {
        let headers = [
            ("authorization", &*bearer()),
            ("content-type", "application/json"),
        ];
        let request = request_with("POST", "/v1/conversations/import", &headers, body);
        let router = app.router.clone();
        async move { send(&router, request).await }
    };
    let never = || Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
    let mut two = Box::pin(futures_util::future::join_all((0..2).map(|_| import(never()))));
    let waited = tokio::time::timeout(Duration::from_millis(50), &mut two).await;
    assert!(waited.is_err(), "all wait for their bodies, at their places");
    let refused = import(Body::from("[]")).await;
    assert_eq!(
        (refused.status.as_u16(), refused.code().as_str()),
        (429, "RATE_LIMIT_EXCEEDED")
    );
    drop(two);
    let empty = import(Body::from("[]")).await;
    assert_eq!(empty.code(), "VALIDATION_ERROR", "who goes away leaves a place");
}
