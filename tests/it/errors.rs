//! What bad input gets, and what happens past the limits: always the same envelope.

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::client::field_errors;
use crate::support::{Answer, Gate, MODEL, Reply, TestServer, within};

const CHAT: &str = "/v1/chat/completions";

#[tokio::test(flavor = "multi_thread")]
async fn unknown_paths_are_404_in_our_envelope() {
    let server = TestServer::start().await;
    for path in ["/nothing-here", "/v1/nothing-here", "/v1/conversations/"] {
        let answer = server.user().get(path).await;
        let error = answer.error(404, "NOT_FOUND");
        assert_eq!(error["type"], "not_found_error", "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_methods_are_405_and_name_the_allowed_ones() {
    let server = TestServer::start().await;
    let answer = Answer::to(server.user().request(Method::PUT, "/v1/conversations")).await;
    answer.error(405, "METHOD_NOT_ALLOWED");
    let allowed = answer.header("allow");
    assert!(allowed.contains("GET") && allowed.contains("POST"), "{allowed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn large_bodies_are_413() {
    let server = TestServer::with([("MAX_BODY_BYTES", "1024")]).await;
    let body = json!({"model": MODEL, "message": "x".repeat(2000)});
    let answer = server.user().chat(&body).await;
    answer.error(413, "PAYLOAD_TOO_LARGE");
}

#[tokio::test(flavor = "multi_thread")]
async fn large_bodies_of_unknown_length_are_413() {
    let server = TestServer::with([("MAX_BODY_BYTES", "1024")]).await;
    let parts = (0..4).map(|_| Ok::<_, std::io::Error>("x".repeat(500)));
    let body = reqwest::Body::wrap_stream(futures_util::stream::iter(parts));
    let request = server
        .user()
        .request(Method::POST, CHAT)
        .header("content-type", "application/json");
    Answer::to(request.body(body))
        .await
        .error(413, "PAYLOAD_TOO_LARGE");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_json_is_415_otherwise() {
    let server = TestServer::start().await;
    let body = json!({"model": MODEL, "message": "Hi"}).to_string();
    let request = server.user().request(Method::POST, CHAT).body(body.clone());
    Answer::to(request).await.error(415, "UNSUPPORTED_MEDIA_TYPE");
    let request = server
        .user()
        .request(Method::POST, CHAT)
        .header("content-type", "text/plain");
    Answer::to(request.body(body))
        .await
        .error(415, "UNSUPPORTED_MEDIA_TYPE");
}

#[tokio::test(flavor = "multi_thread")]
async fn json_with_a_charset_is_json() {
    let server = TestServer::start().await;
    let request = server.user().request(Method::POST, "/v1/conversations");
    let request = request
        .header("content-type", "application/json; charset=utf-8")
        .body("{}");
    assert_eq!(Answer::to(request).await.status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_json_is_400() {
    let server = TestServer::start().await;
    for body in ["", "{", r#"{"message": "Hi",}"#, "not json"] {
        let answer = server.user().post_raw(CHAT, body).await;
        let error = answer.error(400, "MALFORMED_JSON");
        assert_eq!(error["type"], "invalid_request_error", "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_type_is_a_422_that_names_the_field() {
    let server = TestServer::start().await;
    let answer = server
        .user()
        .chat(&json!({"model": MODEL, "message": "Hi", "temperature": "hot"}))
        .await;
    assert_eq!(answer.invalid_fields(), ["temperature"]);
    assert_eq!(answer.error(422, "VALIDATION_ERROR")["param"], "temperature");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_invalid_fields_are_named_at_once() {
    let server = TestServer::start().await;
    let body = json!({"model": "m".repeat(101), "message": "", "temperature": 9});
    let mut fields = server.user().chat(&body).await.invalid_fields();
    fields.sort();
    assert_eq!(fields, ["message", "model", "temperature"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn text_that_no_database_can_hold_is_422() {
    let server = TestServer::start().await;
    for escape in [r"\u0000", r"\ud800", r"\udfff", r"\ud83dx"] {
        for body in [
            format!(r#"{{"model": "{MODEL}", "message": "a{escape}b"}}"#),
            format!(r#"{{"model": "{MODEL}", "message": "Hi", "system_message": "{escape}"}}"#),
        ] {
            let answer = server.user().post_raw(CHAT, body).await;
            answer.error(422, "VALIDATION_ERROR");
        }
        let openai =
            format!(r#"{{"model": "{MODEL}", "messages": [{{"role": "user", "content": "{escape}"}}]}}"#);
        let answer = server.user().post_raw(CHAT, openai).await;
        answer.error(400, "VALIDATION_ERROR");
        let answer = server
            .user()
            .post_raw("/v1/conversations", format!(r#"{{"title": "{escape}"}}"#))
            .await;
        answer.error(422, "VALIDATION_ERROR");
    }
    assert_eq!(
        server.upstream.chats().len(),
        0,
        "bad input never reaches the model server"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn whole_surrogate_pairs_are_ordinary_text() {
    let server = TestServer::start().await;
    let body = format!(r#"{{"model": "{MODEL}", "message": "\ud83d\ude42", "stream": false}}"#);
    assert_eq!(server.user().post_raw(CHAT, body).await.status, 200);
    assert_eq!(
        server.upstream.last_chat().messages(),
        [("user".to_owned(), "🙂".to_owned())]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_must_be_a_uuid() {
    let server = TestServer::start().await;
    for path in [
        "/v1/conversations/42",
        "/v1/conversations/42/full",
        "/v1/conversations/..%2F..%2Fetc/stream",
        "/v1/chat/streams/42",
    ] {
        let answer = server.user().get(path).await;
        answer.error(422, "VALIDATION_ERROR");
    }
    for field in ["conversation_id", "branch_id", "parent_message_id"] {
        let answer = server
            .user()
            .chat(&json!({"model": MODEL, "message": "Hi", field: "42"}))
            .await;
        assert_eq!(answer.invalid_fields(), [field]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_misspelt_required_field_is_named() {
    let server = TestServer::start().await;
    let answer = server.user().chat(&json!({"model": MODEL, "mesage": "Hi"})).await;
    let error = answer.error(422, "VALIDATION_ERROR");
    assert!(field_errors(&error).contains(&"message".to_owned()), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_fields_are_ignored() {
    let server = TestServer::start().await;
    let body = json!({"model": MODEL, "message": "Hi", "stream": false, "colour": "red"});
    assert_eq!(server.user().chat(&body).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn past_the_limit_of_requests_the_answer_is_503_at_once() {
    let server = TestServer::with([("MAX_CONCURRENT_REQUESTS", "1")]).await;
    let user = server.user();
    let gate = Gate::new();
    server
        .upstream
        .script(MODEL, [Reply::stream().text("a").wait(&gate).end()]);
    let stream = user.chat_stream(&json!({"model": MODEL, "message": "Hi"})).await;
    let answer = user.get("/v1/conversations").await;
    let error = answer.error(503, "OVERLOADED");
    assert_eq!(error["type"], "overloaded_error");
    assert!(!answer.header("retry-after").is_empty());
    assert_eq!(user.get("/live").await.status, 200, "health is exempt");
    gate.open();
    stream.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn past_the_limit_of_streams_a_user_gets_429() {
    let server = TestServer::with([("MAX_CONCURRENT_STREAMS_PER_USER", "1")]).await;
    let user = server.user();
    let gate = Gate::new();
    server.upstream.script(
        MODEL,
        [Reply::stream().text("a").wait(&gate).end(), Reply::answer(["b"])],
    );
    let body: Value = json!({"model": MODEL, "message": "Hi"});
    let stream = user.chat_stream(&body).await;
    let answer = user.chat(&body).await;
    answer.error(429, "RATE_LIMIT_EXCEEDED");
    assert!(!answer.header("retry-after").is_empty());
    server.user().chat_stream(&body).await.finish().await;
    gate.open();
    stream.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_ends_early_is_400() {
    let server = TestServer::start().await;
    let user = server.user();
    let address = server.base().trim_start_matches("http://").to_owned();
    let head = format!(
        "POST /v1/conversations HTTP/1.1\r\nhost: test\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ncontent-length: 100\r\n\r\n{{\"title\"",
        user.token.as_deref().expect("a token")
    );
    let mut connection = TcpStream::connect(address).await.expect("a connection");
    connection.write_all(head.as_bytes()).await.expect("sent");
    connection.shutdown().await.expect("half closed");
    let mut answer = String::new();
    within("an answer", connection.read_to_string(&mut answer))
        .await
        .expect("text");
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.contains(r#""code":"BAD_REQUEST""#), "{answer}");
    let list = user.get("/v1/conversations").await.data(200);
    assert_eq!(list["pagination"]["total"], 0, "nothing was made");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_of_ours_is_a_500_that_tells_nothing() {
    let server = TestServer::start().await;
    let user = server.user();
    let made = user.post("/v1/conversations", &json!({})).await.data(201);
    let mut database = server.database().await;
    database.corrupt_metadata().await;
    database.close().await;
    let path = format!("/v1/conversations/{}", made["id"].as_str().expect("an id"));
    let error = user.get(&path).await.error(500, "INTERNAL_ERROR");
    assert!(!error["message"].to_string().contains("JSON"), "{error}");
    assert_eq!(
        user.get("/v1/conversations?limit=0").await.status,
        422,
        "it lives on"
    );
}
