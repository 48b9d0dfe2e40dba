//! The API document as a whole: it follows its specification, and says what holds for every route.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::operations::{document, operations};
use crate::support::TestServer;
use crate::support::script::Interpreter;

const ERROR_BODY: &str = "#/components/schemas/ErrorBody";

#[tokio::test(flavor = "multi_thread")]
async fn the_document_changes_only_on_purpose() {
    let server = TestServer::start().await;
    insta::assert_json_snapshot!("openapi", document(&server).await, { ".info.version" => "[version]" });
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_follows_its_specification() {
    let server = TestServer::start().await;
    let address = format!("{}/openapi.json", server.base());
    let output = Interpreter::Python
        .run("validate_openapi.py", &[&address], &[])
        .await;
    assert_eq!(output.code, Some(0), "{}", output.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_tells_its_errors_and_who_may_call_it() {
    let server = TestServer::start().await;
    let document = document(&server).await;
    assert_eq!(document["security"], json!([{"bearer": []}, {"api_key": []}]));
    let schemes = &document["components"]["securitySchemes"];
    assert_eq!(schemes["bearer"]["scheme"], "bearer");
    assert_eq!(schemes["api_key"]["name"], "X-API-Key");
    let mut ids = BTreeSet::new();
    for (method, path) in operations(&document) {
        let operation = &document["paths"][&path][&method];
        let what = format!("{method} {path}: {operation}");
        assert!(
            ids.insert(operation["operationId"].to_string()),
            "an id of its own for {what}"
        );
        assert!(operation["summary"].is_string(), "a summary of {what}");
        let responses = operation["responses"].as_object().expect("responses");
        for (status, response) in responses {
            if status.starts_with(['4', '5']) && path != "/health" && path != "/ready" {
                assert_eq!(body_of(response), ERROR_BODY, "{status} of {what}");
            }
        }
        assert_eq!(body_of(&operation["responses"]["default"]), ERROR_BODY, "{what}");
        if path.starts_with("/v1") {
            assert!(operation["security"][0]["bearer"].is_array(), "{what}");
            for refusal in ["401", "403", "429"] {
                assert!(responses.contains_key(refusal), "{refusal} of {what}");
            }
        } else {
            assert_eq!(operation["security"], json!([]), "{what}");
        }
    }
}

/// What the schema of a JSON response refers to.
fn body_of(response: &Value) -> &str {
    let reference = &response["content"]["application/json"]["schema"]["$ref"];
    reference.as_str().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documentation_can_be_switched_off() {
    let server = TestServer::with([("ENABLE_DOCS", "false")]).await;
    let stranger = server.anonymous();
    for path in ["/docs", "/docs/", "/docs/swagger-ui-bundle.js", "/openapi.json"] {
        stranger.get(path).await.error(403, "FEATURE_DISABLED");
    }
    let index = stranger.get("/").await.text();
    assert!(!index.contains("docs") && !index.contains("openapi"), "{index}");
    let features = stranger.get("/info").await.json()["features"].take();
    assert!(!features.to_string().contains("docs"), "{features}");
}
