//! The double does what the tests rely on.

use std::time::Duration;

use reqwest::Response;
use serde_json::json;

use super::{Gate, Reply, Upstream};
use crate::support::{Client, MODEL, within};

/// Asks the double directly.
async fn ask(upstream: &Upstream) -> reqwest::Result<Response> {
    let body = json!({"model": MODEL, "messages": [], "stream": true});
    let request = Client::anonymous(&upstream.url()).request(reqwest::Method::POST, "/v1/chat/completions");
    within("the double", request.json(&body).send()).await
}

#[tokio::test]
async fn replies_follow_the_script_and_the_last_repeats() {
    let upstream = Upstream::start().await;
    upstream.script(MODEL, [Reply::error(500, "x", "boom"), Reply::answer(["Hi"])]);
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(ask(&upstream).await.expect("an answer").status().as_u16());
    }
    assert_eq!(statuses, [500, 200, 200]);
    assert_eq!(upstream.chats().len(), 3);
    assert_eq!(upstream.last_chat().model(), MODEL);
}

#[tokio::test]
async fn nothing_passes_a_closed_gate() {
    let upstream = Upstream::start().await;
    let gate = Gate::new();
    upstream.script(MODEL, [Reply::stream().bytes("one").wait(&gate).bytes("two")]);
    let mut response = ask(&upstream).await.expect("a head");
    assert_eq!(
        response.chunk().await.expect("bytes").as_deref(),
        Some(&b"one"[..])
    );
    let early = tokio::time::timeout(Duration::from_millis(50), response.chunk()).await;
    assert!(early.is_err(), "{early:?}");
    gate.open();
    assert_eq!(
        within("the rest", response.bytes()).await.expect("a whole body"),
        "two"
    );
}

#[tokio::test]
async fn a_caller_that_hangs_up_is_noticed() {
    let upstream = Upstream::start().await;
    upstream.script(MODEL, [Reply::stream().hang()]);
    drop(ask(&upstream).await.expect("a head"));
    upstream.wait_for_hang_up(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn a_body_that_is_cut_or_reset_is_not_whole() {
    let upstream = Upstream::start().await;
    for reply in [
        Reply::stream().bytes("one").cut(),
        Reply::stream().bytes("one").reset(),
    ] {
        upstream.script(MODEL, [reply.clone()]);
        let broken = match ask(&upstream).await {
            Ok(response) => within("the end", response.bytes()).await.is_err(),
            Err(_) => true,
        };
        assert!(broken, "{reply:?}");
    }
}
