//! Who is let in.

use super::*;
use crate::middleware::route_class;

#[tokio::test]
async fn every_route_that_is_not_open_refuses_strangers() {
    let router = router(testing::state(testing::settings(), Vec::new()).await).expect("a router");
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
    let router = router(testing::state(testing::settings(), Vec::new()).await).expect("a router");
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
    let app = App::new().await;
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
    let app = App::new().await;
    let headers = [("content-length", "99999999"), ("content-type", "text/plain")];
    let never = Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
    let answer = send(&app.router, request_with("POST", "/v1/echo", &headers, never)).await;
    assert_eq!(answer.code(), "MISSING_AUTH_HEADER");
}

#[tokio::test]
async fn handlers_see_the_request_id_that_clients_see() {
    let app = App::new().await;
    let answer = app.get_signed_in("/v1/request-id").await;
    assert_eq!(answer.body, answer.header("x-request-id"));
    assert_eq!(answer.body.len(), 36);
}
