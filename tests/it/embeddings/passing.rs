//! What goes to the model, and what comes back.

use serde_json::json;

use super::{ROUTE, embed, request};
use crate::support::upstream::embedding::{VECTOR, embeddings};
use crate::support::{MODEL, Reply, TestServer};

#[tokio::test(flavor = "multi_thread")]
async fn the_request_passes_byte_for_byte_but_for_its_user() {
    let server = TestServer::start().await;
    let user = server.user();
    let fields = [
        r#""input":["h\u00f6flich",  "🙂"]"#,
        r#""encoding_format":"float""#,
        r#""dimensions":3"#,
        r#""x_number":12345678901234567890123"#,
        r#""x_nested":[1e3,{"b": null}]"#,
    ];
    let body = format!(
        r#"{{"model":"{MODEL}",{},"user":"someone else"}}"#,
        fields.join(",")
    );
    assert_eq!(user.post_raw(ROUTE, body).await.status, 200);
    let [sent] = &server.upstream.embeddings()[..] else {
        panic!("one request")
    };
    assert_eq!(sent.path, "/v1/embeddings");
    for field in fields {
        assert!(sent.body.contains(field), "{field} in {}", sent.body);
    }
    let json = sent.json();
    assert_eq!(json["user"], user.user.to_string());
    assert!(json.get("stream").is_none(), "{json}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_passes_byte_for_byte() {
    let server = TestServer::start().await;
    let body = r#"{"object":"list", "data":[{"object":"embedding","index":0,"embedding":[1.0,-0.00693, 1e-7]}],"model":"other","usage":{"prompt_tokens":2,"total_tokens":2},"x":null}"#;
    server
        .upstream
        .script(MODEL, [Reply::raw(200, "application/json", body)]);
    let answer = embed(&server.user(), &request()).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.text(), body);
    assert_eq!(answer.header("content-type"), "application/json");
    assert!(!answer.header("x-request-id").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_form_of_input_is_taken() {
    let server = TestServer::start().await;
    let user = server.user();
    for (input, count) in [
        (json!("one"), 1),
        (json!(["one", "two"]), 2),
        (json!([1, 2, 3]), 1),
        (json!([[1, 2], [3], [4]]), 3),
        (json!(vec!["a"; 2_048]), 2_048),
    ] {
        for format in ["float", "base64"] {
            let body = json!({"model": MODEL, "input": input, "encoding_format": format});
            let answer = embed(&user, &body).await;
            assert_eq!(answer.text(), embeddings(&body, 5));
            let answer = answer.json();
            assert_eq!(answer["data"].as_array().map(Vec::len), Some(count));
            let first = &answer["data"][0]["embedding"];
            if format == "float" {
                assert_eq!(*first, json!(VECTOR));
            } else {
                assert!(first.is_string(), "{first}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn large_answers_pass_whole() {
    let server = TestServer::start().await;
    let vector = "0.0123456789,".repeat(3_071) + "0.5";
    let one = format!(r#"{{"object":"embedding","index":0,"embedding":[{vector}]}}"#);
    let data = vec![one; 200].join(",");
    let body = format!(r#"{{"object":"list","data":[{data}],"usage":{{"prompt_tokens":200}}}}"#);
    assert!(body.len() > 7_000_000);
    server
        .upstream
        .script(MODEL, [Reply::raw(200, "application/json", body.clone())]);
    let answer = embed(&server.user(), &request()).await;
    assert_eq!(answer.status, 200);
    assert!(answer.text() == body, "not a byte is changed");
}
