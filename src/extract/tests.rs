use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use bytes::Bytes;
use futures_util::stream;
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::*;
use crate::middleware::error_body;
use crate::models::common::Page;
use crate::models::ids::{BranchId, ConversationId};
use crate::services::conversations::transfer::export::ExportFormat;
use crate::testing::{self, Answer, request, request_with, send};
use crate::utils::errors::ApiError;

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "only whether it can be read matters")]
struct Order {
    title: String,
    lines: Vec<Line>,
}

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "only whether it can be read matters")]
struct Line {
    count: u32,
    format: Option<ExportFormat>,
}

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "only whether it can be read matters")]
struct Filter {
    q: String,
    min: Option<u32>,
    format: Option<ExportFormat>,
}

/// As a handler does that stores what it gets.
async fn echo(RawJson(body): RawJson) -> Result<Bytes, ApiError> {
    check_storable(&body)?;
    Ok(body)
}

async fn router() -> Router {
    let mut settings = testing::settings();
    settings.security.max_body_bytes = 1000;
    settings.load.request_timeout = Duration::from_millis(50);
    let state = testing::state(settings, Vec::new()).await;
    Router::new()
        .route("/order", post(|_: Json<Order>| async {}))
        .route("/raw", post(echo))
        .route(
            "/page",
            get(|page: Page| async move { format!("{} {}", page.page, page.limit) }),
        )
        .route("/filter", get(|_: Query<Filter>| async {}))
        .route("/one/{id}", get(|_: Path<ConversationId>| async {}))
        .route(
            "/two/{id}/b/{branch_id}",
            get(|_: Path<(ConversationId, BranchId)>| async {}),
        )
        .route("/named/{*name}", get(|Path(name): Path<String>| async { name }))
        .layer(from_fn_with_state(state.clone(), error_body::render))
        .with_state(state)
}

async fn post_as(kind: &str, path: &str, body: impl Into<Body>) -> Answer {
    send(
        &router().await,
        request_with("POST", path, &[("content-type", kind)], body),
    )
    .await
}

async fn post_json(path: &str, body: impl Into<Body>) -> Answer {
    post_as("application/json", path, body).await
}

async fn get_path(path: &str) -> Answer {
    send(&router().await, request("GET", path)).await
}

fn assert_names(answer: &Answer, field: &str) {
    assert_eq!(
        answer.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "{field}: {:?}",
        answer.body
    );
    assert_eq!(answer.code(), "VALIDATION_ERROR");
    assert_eq!(
        answer.json()["error"]["details"]["field_errors"][0]["field"],
        field,
        "{:?}",
        answer.body
    );
    assert_eq!(answer.json()["error"]["param"], field);
}

#[tokio::test]
async fn bodies_must_say_that_they_are_json() {
    let order = r#"{"title":"a","lines":[]}"#;
    for kind in [
        "application/json",
        "application/json; charset=utf-8",
        "APPLICATION/JSON",
        "application/x+json",
    ] {
        assert_eq!(
            post_as(kind, "/order", order).await.status,
            StatusCode::OK,
            "{kind}"
        );
    }
    for kind in [
        "",
        "text/plain",
        "application/jsonp",
        "application/x-www-form-urlencoded",
    ] {
        let answer = post_as(kind, "/order", order).await;
        assert_eq!(answer.code(), "UNSUPPORTED_MEDIA_TYPE", "{kind}");
        assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
}

#[tokio::test]
async fn what_is_no_json_is_malformed() {
    let deep = "[".repeat(400) + &"]".repeat(400);
    for path in ["/order", "/raw"] {
        for body in [
            "",
            "  ",
            "{",
            "{\"title\":",
            "{} x",
            "nul",
            "{'a':1}",
            "{\"a\":\"\u{0}\"}",
            &deep,
        ] {
            let answer = post_json(path, body.to_owned()).await;
            assert_eq!(
                answer.code(),
                "MALFORMED_JSON",
                "{path} {body}: {:?}",
                answer.body
            );
            assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        }
        let answer = post_json(path, &b"{\"title\":\"\xff\"}"[..]).await;
        assert_eq!(answer.code(), "MALFORMED_JSON");
    }
    let answer = post_json("/order", "{\n  x").await;
    assert_eq!(answer.json()["error"]["details"], json!({"line": 2, "column": 3}));
}

#[tokio::test]
async fn wrong_fields_are_named() {
    for (body, field) in [
        (r#"{"lines":[]}"#, "title"),
        (r#"{"title":7,"lines":[]}"#, "title"),
        (
            r#"{"title":"a","lines":[{"count":1},{"count":-1}]}"#,
            "lines[1].count",
        ),
        (r#"{"title":"a","lines":[{}]}"#, "lines[0].count"),
        (r#"{"title":"a","title":"b","lines":[]}"#, "title"),
        (r#"["a",[]]"#, "body"),
    ] {
        assert_names(&post_json("/order", body).await, field);
    }
    assert_names(&post_json("/raw", "[1]").await, "body");
    assert_names(&post_json("/raw", "\"{\"").await, "body");
}

#[tokio::test]
async fn a_long_value_is_not_quoted_back_in_full() {
    let body = json!({"title": "a", "lines": "x".repeat(900)}).to_string();
    let answer = post_json("/order", body).await;
    assert_names(&answer, "lines");
    assert!(answer.body.len() < 1000, "{}", answer.body.len());
}

#[tokio::test]
async fn what_no_database_can_hold_is_refused() {
    for text in ["\\u0000", "\\ud800", "\\udc00x"] {
        for path in ["/order", "/raw"] {
            let body = format!(r#"{{"title":"{text}","lines":[]}}"#);
            assert_names(&post_json(path, body).await, "body");
        }
    }
    let fine = r#"{"title":"\ud83d\ude00","lines":[]}"#;
    assert_eq!(post_json("/order", fine).await.status, StatusCode::OK);
    assert_eq!(
        post_json("/raw", fine).await.body,
        fine,
        "in the bytes that were sent"
    );
}

#[tokio::test]
async fn bodies_are_bounded_declared_or_not() {
    let declared = [("content-type", "application/json"), ("content-length", "1001")];
    let never = Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
    let answer = send(&router().await, request_with("POST", "/raw", &declared, never)).await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (StatusCode::PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE")
    );

    let endless = stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from_static(b"[[[[[[[[")));
    let answer = post_json("/raw", Body::from_stream(endless)).await;
    assert_eq!(answer.code(), "PAYLOAD_TOO_LARGE");

    let fits = format!("{{\"a\":\"{}\"}}", "x".repeat(992));
    assert_eq!(fits.len(), 1000);
    assert_eq!(post_json("/raw", fits).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_body_that_does_not_come_is_given_up() {
    let never = Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
    assert_eq!(post_json("/raw", never).await.code(), "REQUEST_TIMEOUT");
    let broken = Body::from_stream(stream::iter([Err::<Bytes, _>(std::io::Error::other("gone"))]));
    assert_eq!(post_json("/raw", broken).await.code(), "BAD_REQUEST");
}

#[tokio::test]
async fn ids_that_are_none_are_named() {
    let id = "019aafc3-7c52-7d3c-9b1e-0d5f2f6f8a11";
    assert_eq!(get_path(&format!("/one/{id}")).await.status, StatusCode::OK);
    for bad in ["7", "%2e%2e", "019aafc3-7c52-7d3c-9b1e", "%00"] {
        assert_names(&get_path(&format!("/one/{bad}")).await, "id");
        assert_names(&get_path(&format!("/two/{bad}/b/{id}")).await, "id");
        assert_names(&get_path(&format!("/two/{id}/b/{bad}")).await, "branch_id");
    }
    assert_eq!(get_path("/named/openai/gpt-4o").await.body, "openai/gpt-4o");
    assert_names(&get_path("/named/a%00b").await, "name");
    assert_names(&get_path("/named/%ff").await, "path");
}

#[tokio::test]
async fn query_parameters_are_named() {
    assert_eq!(get_path("/filter?q=%22%25_&min=1").await.status, StatusCode::OK);
    assert_names(&get_path("/filter").await, "q");
    assert_names(&get_path("/filter?q=a&min=few").await, "min");
    assert_names(&get_path("/filter?q=a%00b").await, "q");
}

#[tokio::test]
async fn names_that_are_none_are_told_with_those_that_are() {
    let body = r#"{"title":"a","lines":[{"count":1,"format":"xml"}]}"#;
    for (answer, field) in [
        (get_path("/filter?q=a&format=xml").await, "format"),
        (post_json("/order", body).await, "lines[0].format"),
    ] {
        assert_names(&answer, field);
        let error = answer.json()["error"]["details"]["field_errors"][0].take();
        assert_eq!(error["message"], "must be one of json, markdown, csv, jsonl");
    }
}

#[tokio::test]
async fn pages_stay_within_bounds() {
    assert_eq!(get_path("/page").await.body, "1 20");
    assert_eq!(get_path("/page?page=3&limit=100").await.body, "3 100");
    for (query, field) in [
        ("page=0", "page"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("page=-1", "page"),
        ("limit=x", "limit"),
    ] {
        assert_names(&get_path(&format!("/page?{query}")).await, field);
    }
    let both = get_path("/page?page=0&limit=0").await;
    assert_eq!(
        both.json()["error"]["details"]["field_errors"]
            .as_array()
            .map(Vec::len),
        Some(2)
    );
}
