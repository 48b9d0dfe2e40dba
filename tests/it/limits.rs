//! Limits on time and on what is in work at once.

use std::net::SocketAddr;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Gate, MODEL, Reply, TestServer, eventually, within};

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_takes_too_long_is_504() {
    let server = TestServer::with([("REQUEST_TIMEOUT", "0.3")]).await;
    let user = server.user();
    let lock = server.database().await.lock().await;
    let answer = user.post("/v1/conversations", &json!({})).await;
    let error = answer.error(504, "REQUEST_TIMEOUT");
    assert_eq!(error["type"], "timeout_error");
    lock.release().await;
    user.new_conversation(&json!({})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_finish_its_headers_is_cut_off() {
    let server = TestServer::with([("HEADER_READ_TIMEOUT", "0.3")]).await;
    for sent in ["", "GET /live HTTP/1.1\r\nhost: x\r\n", "PRI * HTTP/2.0\r\n"] {
        let mut socket = connect(&server).await;
        socket.write_all(sent.as_bytes()).await.expect("a write");
        let mut answer = Vec::new();
        let end = within(
            "the server to close the connection",
            socket.read_to_end(&mut answer),
        );
        end.await.ok();
        assert!(!answer.starts_with(b"HTTP/1.1 200"), "{sent:?}");
    }
    assert_eq!(server.anonymous().get("/live").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_sent_its_headers_may_take_its_time() {
    let server = TestServer::with([("HEADER_READ_TIMEOUT", "0.3")]).await;
    let gate = Gate::new();
    server
        .upstream
        .script(MODEL, [Reply::stream().text("one").wait(&gate).text("two").end()]);
    let mut stream = server
        .user()
        .chat_stream(&json!({"model": MODEL, "message": "Hi"}))
        .await;
    stream.until_text("one").await;
    let mut idle = connect(&server).await;
    let mut nothing = Vec::new();
    let closed = within("the limit to pass", idle.read_to_end(&mut nothing));
    closed.await.expect("an orderly end");
    gate.open();
    assert_eq!(stream.finish().await.text(), "two");
}

async fn connect(server: &TestServer) -> TcpStream {
    let address = server.base().strip_prefix("http://").expect("an HTTP address");
    let address: SocketAddr = address.parse().expect("a socket address");
    TcpStream::connect(address).await.expect("a connection")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_place_of_a_client_that_leaves_is_free_again() {
    let server = TestServer::with([("MAX_CONCURRENT_REQUESTS", "1")]).await;
    let user = server.user();
    let gate = Gate::new();
    server
        .upstream
        .script(MODEL, [Reply::stream().text("one").wait(&gate).end()]);
    let mut stream = user.chat_stream(&json!({"model": MODEL, "message": "Hi"})).await;
    stream.until_text("one").await;
    user.get("/v1/conversations").await.error(503, "OVERLOADED");
    drop(stream);
    eventually("a free place", async || {
        (user.get("/v1/conversations").await.status == 200).then_some(())
    })
    .await;
    gate.open();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_request_takes_no_place() {
    let server = TestServer::with([("MAX_CONCURRENT_REQUESTS", "1")]).await;
    for _ in 0..3 {
        server
            .anonymous()
            .get("/v1/conversations")
            .await
            .error(401, "MISSING_AUTH_HEADER");
        server
            .user()
            .post_raw("/v1/conversations", "{")
            .await
            .error(400, "MALFORMED_JSON");
        server.user().get("/nowhere").await.error(404, "NOT_FOUND");
    }
    assert_eq!(server.user().get("/v1/conversations").await.status, 200);
}
